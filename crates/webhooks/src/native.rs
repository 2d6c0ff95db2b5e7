//! Deliveries in our own dialect: an event as it stands in the record.

use mainstay_core::event::RecordedEvent;
use mainstay_core::time::MachineTime;
use mainstay_governance::webhook::{SIGNATURE_HEADER, Webhook, WebhookSecret};
use serde_json::json;

use crate::sender::{Message, NotDelivered};

/// Names the delivery; the same at each attempt, so that a receiver can tell a repetition.
const DELIVERY_HEADER: &str = "Mainstay-Delivery";
/// The kind of the event.
const EVENT_HEADER: &str = "Mainstay-Event";

/// What is sent at `now`.
pub(crate) fn message(
    webhook: &Webhook,
    secret: &WebhookSecret,
    event: &RecordedEvent,
    now: MachineTime,
) -> Result<Message, NotDelivered> {
    let id = format!("{}-{}", webhook.id, event.seq.0);
    let body = document(&id, event);
    let signature = secret.sign(now, body.as_bytes())?;
    let headers = [(SIGNATURE_HEADER, &*signature), (DELIVERY_HEADER, &id), (EVENT_HEADER, &event.kind)];
    Message::new(&webhook.definition.url, headers, body)
}

/// The event as JSON; `body` is null once it was erased.
fn document(id: &str, event: &RecordedEvent) -> String {
    let document = json!({
        "delivery": id,
        "seq": event.seq.0,
        "at": event.at.micros(),
        "kind": event.kind,
        "actor": event.actor,
        "workspace": event.workspace,
        "subject": event.subject.to_string(),
        "body": event.body,
    });
    document.to_string()
}
