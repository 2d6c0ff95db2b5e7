//! Deliveries in MLflow's dialect (MLflow 3.18, `mlflow/webhooks/delivery.py`): an event of the registry in the
//! shape that its own server gives it.

mod example;
mod payload;

use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;
use mainstay_governance::webhook::mlflow::{
    DELIVERY_HEADER, MlflowEvent, SIGNATURE_HEADER, TIMESTAMP_HEADER, check_url, timestamp,
};
use mainstay_governance::webhook::{Webhook, WebhookSecret};
use serde_json::{Value, json};

use crate::sender::{Message, NotDelivered};

pub(crate) use self::example::example;
pub(crate) use self::payload::payload;

/// What a webhook is told.
pub(crate) struct Told {
    pub(crate) event: MlflowEvent,
    pub(crate) at: MachineTime,
    pub(crate) data: Value,
}

/// Names one delivery, in the form of a UUID.
pub(crate) struct DeliveryId(String);

impl DeliveryId {
    /// The same for one event and webhook, however often it is sent: a receiver can tell a repetition.
    pub(crate) fn of(webhook: &Webhook, seq: EventSeq) -> Self {
        let digest = Digest::of_parts([&webhook.id.as_bytes()[..], &seq.0.to_be_bytes()]);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        // Version 8 of RFC 9562: of a make of our own.
        Self(uuid(bytes, 8))
    }

    /// One that is like no other.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        Self(uuid(entropy.bytes16(), 4))
    }
}

/// Writes bytes as a UUID of that version (RFC 9562).
fn uuid(bytes: [u8; 16], version: u128) -> String {
    let kept = u128::from_be_bytes(bytes) & !(0xf000_c000 << 48);
    let bits = kept | (version << 76) | (0b10 << 62);
    let text = format!("{bits:032x}");
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    for length in [8, 4, 4, 4] {
        let (part, after) = rest.split_at(length);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts.join("-")
}

/// What is sent first at `now`, and again as it is.
pub(crate) fn message(
    webhook: &Webhook,
    secret: Option<&WebhookSecret>,
    told: &Told,
    (DeliveryId(id), now): (DeliveryId, MachineTime),
    allow_private: bool,
) -> Result<Message, NotDelivered> {
    // What was allowed when the webhook was made may not be any more.
    let url = check_url(webhook.definition.url.clone(), allow_private)?;
    let (body, timestamp) = (document(told), timestamp(now));
    let signature =
        secret.map(|secret| secret.sign_for_mlflow(&id, &timestamp, body.as_bytes())).transpose()?;
    let named = [(DELIVERY_HEADER, &*id), (TIMESTAMP_HEADER, &timestamp)];
    let signed = signature.as_deref().map(|signature| (SIGNATURE_HEADER, signature));
    Message::new(&url, named.into_iter().chain(signed), body)
}

fn document(told: &Told) -> String {
    let (entity, action) = told.event.parts();
    // Python writes the offset where we write Z.
    let at = told.at.to_string().replace('Z', "+00:00");
    let document = json!({
        "entity": entity.as_str(), "action": action.as_str(), "timestamp": at, "data": told.data,
    });
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        assert_eq!(uuid([0xff; 16], 4), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16], 8), "00000000-0000-8000-8000-000000000000");
    }

    #[test]
    fn the_document_is_the_one_of_mlflow() {
        let told = Told {
            event: MlflowEvent::VersionTagSet,
            at: MachineTime::from_micros(1_700_000_000_000_007),
            data: json!({"name": "é"}),
        };
        assert_eq!(
            document(&told),
            "{\"entity\":\"model_version_tag\",\"action\":\"set\",\
             \"timestamp\":\"2023-11-14T22:13:20.000007+00:00\",\"data\":{\"name\":\"é\"}}"
        );
    }
}
