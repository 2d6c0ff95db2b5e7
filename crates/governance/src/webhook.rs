//! Webhooks: signed notices of events to a URL of the user's.
//!
//! # The signature
//!
//! Each delivery carries the header `Mainstay-Signature: t=<seconds>,v1=<hex>`. `seconds` is the Unix
//! time of the delivery in decimal; `hex` is HMAC-SHA256 (RFC 2104) with the webhook's secret over
//! `<seconds>.<body>`, the exact bytes of the body, in lower-case hexadecimal. A receiver computes the
//! same, compares in constant time, and refuses a time more than some minutes off, which keeps an old
//! delivery from being sent again.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::name::Name;
use mainstay_core::time::{MachineTime, SECOND};
use sha2::Sha256;

use crate::error::GovernanceError;

mainstay_core::id_type! {
    /// Names one webhook.
    pub struct WebhookId;
}

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "Mainstay-Signature";
/// Most kinds of event that one webhook names.
const MAX_KINDS: usize = 100;
/// Longest URL and longest kind.
const MAX_URL: usize = 2_000;

/// The key that sender and receiver share: 32 random bytes, shown once. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret([u8; 32]);

impl WebhookSecret {
    /// Draws a new secret.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// The secret as it was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text to show, once: `whsec_` and 64 hexadecimal characters. The key of the HMAC is the 32
    /// bytes that the characters stand for.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", hex::encode(self.0))
    }

    /// The value of [`SIGNATURE_HEADER`] for a body sent at `now`.
    pub fn sign(&self, now: MachineTime, body: &[u8]) -> Result<String, StorageError> {
        let seconds = now.micros().div_euclid(SECOND).to_string();
        // A key of any length is good for HMAC, so this does not fail; but it says that it could.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .map_err(|error| StorageError::Failed(Cause::from(error.to_string())))?;
        mac.update(seconds.as_bytes());
        mac.update(b".");
        mac.update(body);
        Ok(format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// A webhook, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The id.
    pub id: WebhookId,
    /// What it is called.
    pub name: Name,
    /// Where it goes. Whether that address may be called is checked at each delivery.
    pub url: String,
    /// Which events it is told of: kinds, or `subject.*` for all of one subject.
    pub kinds: Vec<String>,
    /// The shared key.
    pub secret: WebhookSecret,
}

impl Webhook {
    /// Checks URL and kinds.
    pub fn new(
        id: WebhookId,
        name: Name,
        url: String,
        kinds: Vec<String>,
        secret: WebhookSecret,
    ) -> Result<Self, GovernanceError> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        let unfit = |c: char| c.is_control() || c.is_whitespace();
        if host.is_empty() || host.contains('@') || url.len() > MAX_URL || url.contains(unfit) {
            return Err(GovernanceError::InvalidUrl);
        }
        if kinds.is_empty() || kinds.len() > MAX_KINDS || !kinds.iter().all(|kind| is_kind(kind)) {
            return Err(GovernanceError::InvalidKinds);
        }
        Ok(Self { id, name, url, kinds, secret })
    }

    /// Whether it is told of events of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(subject) => kind.starts_with(subject),
            None => wanted == kind,
        })
    }
}

fn is_kind(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let parts = text.split_once('.');
    text.len() <= 100 && parts.is_some_and(|(subject, verb)| word(subject) && (verb == "*" || word(verb)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value was computed by Python's `hmac` module, see `tests/reference/webhook.py`.
    #[test]
    fn the_signature_does_not_change() {
        let secret = WebhookSecret::from_bytes([7; 32]);
        let signature = secret.sign(MachineTime::from_micros(1_700_000_000_999_999), b"{\"a\":1}").unwrap();
        assert_eq!(signature, include_str!("../tests/reference/webhook.txt").trim());
        assert!(!format!("{secret:?}").contains("07"));
    }

    #[test]
    fn webhooks_are_checked_and_choose_their_events() {
        let webhook = |url: &str, kinds: &[&str]| {
            let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            let id = WebhookId::from_bytes([1; 16]);
            Webhook::new(id, Name::new("chat").unwrap(), url.to_owned(), kinds, WebhookSecret([0; 32]))
        };
        let good = webhook("https://chat.example/hook?x=1", &["alarm.raised", "rollout.*"]).unwrap();
        assert!(good.wants("alarm.raised") && good.wants("rollout.started"));
        assert!(!good.wants("alarm.cleared") && !good.wants("rollouts.started"));
        for bad in
            ["", "ftp://x", "https://", "https:///x", "https://u:p@host/", "https://a b/", "http://x\n"]
        {
            assert!(matches!(webhook(bad, &["a.b"]), Err(GovernanceError::InvalidUrl)), "{bad:?}");
        }
        for bad in [&[][..], &["*"], &["alarm"], &["Alarm.raised"], &["alarm."], &[".raised"], &["a.b*"]] {
            assert!(matches!(webhook("https://x", bad), Err(GovernanceError::InvalidKinds)), "{bad:?}");
        }
    }
}
