//! Webhooks: signed notices of events to a URL of the user's, in one of two dialects.
//!
//! A webhook of our own is told of events as they stand in the record, until it takes them; [`mlflow`] says
//! what one in MLflow's dialect is told of.
//!
//! # The signature
//!
//! Each delivery of our own carries the header `Mainstay-Signature: t=<seconds>,v1=<hex>`. `seconds` is the
//! Unix time of the delivery in decimal; `hex` is HMAC-SHA256 (RFC 2104) with the webhook's secret over
//! `<seconds>.<body>`, the exact bytes of the body, in lower-case hexadecimal. A receiver computes the
//! same, compares in constant time, and refuses a time more than some minutes off, which keeps an old
//! delivery from being sent again.

pub mod address;
pub mod mlflow;

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::name::Name;
use mainstay_core::time::{MachineTime, SECOND};
use sha2::Sha256;

use self::mlflow::MlflowEvent;
use crate::error::GovernanceError;

mainstay_core::id_type! {
    /// Names one webhook.
    pub struct WebhookId;
}

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "Mainstay-Signature";
/// Most kinds of event that one webhook names.
const MAX_KINDS: usize = 100;
/// Longest URL, in bytes.
const MAX_URL: usize = 2_000;

/// The key that sender and receiver share. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// Draws a new secret: 32 bytes.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = vec![0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// The secret as it was stored, or as its owner chose it.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text to show, once: `whsec_` and the bytes in hexadecimal. The key of the HMAC is the bytes that
    /// the characters stand for.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", hex::encode(&self.0))
    }

    /// The value of [`SIGNATURE_HEADER`] for a body sent at `now`.
    pub fn sign(&self, now: MachineTime, body: &[u8]) -> Result<String, StorageError> {
        let seconds = unix_seconds(now);
        let code = self.authenticate(&[seconds.as_bytes(), b".", body])?;
        Ok(format!("t={seconds},v1={}", hex::encode(code)))
    }

    /// HMAC-SHA256 over the parts, one behind the other.
    fn authenticate(&self, parts: &[&[u8]]) -> Result<Vec<u8>, StorageError> {
        // A key of any length is good for HMAC, so this does not fail; but it says that it could.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .map_err(|error| StorageError::Failed(Cause::from(error.to_string())))?;
        for part in parts {
            mac.update(part);
        }
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// Whole seconds since 1970, in decimal.
fn unix_seconds(at: MachineTime) -> String {
    at.micros().div_euclid(SECOND).to_string()
}

/// How a webhook is told: who defined it lists, changes and removes those of its own dialect only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Events of the record, as they stand there.
    Native,
    /// MLflow's events, as its server sends them.
    Mlflow,
}

impl Dialect {
    /// The name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Mlflow => "mlflow",
        }
    }

    /// The dialect of that name.
    pub fn named(text: &str) -> Option<Self> {
        [Self::Native, Self::Mlflow].into_iter().find(|dialect| dialect.as_str() == text)
    }
}

/// Of what a webhook is told, and what it is signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// In our own dialect.
    Native {
        /// Kinds of event, or `subject.*` for all of one subject.
        kinds: Vec<String>,
        /// The shared key.
        secret: WebhookSecret,
    },
    /// In MLflow's.
    Mlflow {
        /// The events, in the order in which they were named, each once.
        events: Vec<MlflowEvent>,
        /// The shared key, if what is sent shall be signed.
        secret: Option<WebhookSecret>,
    },
}

impl Subscription {
    /// Its dialect.
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Native { .. } => Dialect::Native,
            Self::Mlflow { .. } => Dialect::Mlflow,
        }
    }
}

/// What the owner of a webhook says of it, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is called.
    pub name: Name,
    /// What it is for.
    pub description: String,
    /// Where it goes. Whether that address may be called is checked at each delivery.
    pub url: String,
    /// Whether it is told anything at all.
    pub is_active: bool,
    /// Of what it is told.
    pub subscription: Subscription,
}

impl Definition {
    /// One in our own dialect: checks URL and kinds.
    pub fn native(
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
        let subscription = Subscription::Native { kinds, secret };
        Ok(Self { name, description: String::new(), url, is_active: true, subscription })
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The id.
    pub id: WebhookId,
    /// What its owner says of it.
    pub definition: Definition,
    /// When it was created.
    pub created: MachineTime,
    /// When it last changed: later, in whole milliseconds, than before.
    pub updated: MachineTime,
}

/// Whether one of `kinds` names this kind of event.
pub fn wants(kinds: &[String], kind: &str) -> bool {
    kinds.iter().any(|wanted| match wanted.strip_suffix('*') {
        Some(subject) => kind.starts_with(subject),
        None => wanted == kind,
    })
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
        let define = |url: &str, kinds: &[&str]| {
            let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            let secret = WebhookSecret::from_bytes([0; 32]);
            Definition::native(Name::new("chat").unwrap(), url.to_owned(), kinds, secret)
        };
        let good = define("https://chat.example/hook?x=1", &["alarm.raised", "rollout.*"]).unwrap();
        let Subscription::Native { kinds, .. } = good.subscription else { panic!("it is native") };
        assert!(wants(&kinds, "alarm.raised") && wants(&kinds, "rollout.started"));
        assert!(!wants(&kinds, "alarm.cleared") && !wants(&kinds, "rollouts.started"));
        for bad in
            ["", "ftp://x", "https://", "https:///x", "https://u:p@host/", "https://a b/", "http://x\n"]
        {
            assert!(matches!(define(bad, &["a.b"]), Err(GovernanceError::InvalidUrl)), "{bad:?}");
        }
        for bad in [&[][..], &["*"], &["alarm"], &["Alarm.raised"], &["alarm."], &[".raised"], &["a.b*"]] {
            assert!(matches!(define("https://x", bad), Err(GovernanceError::InvalidKinds)), "{bad:?}");
        }
    }
}
