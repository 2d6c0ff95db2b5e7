//! Webhooks in MLflow's dialect (MLflow 3.18, `mlflow/protos/webhooks.proto`): which events there are, what
//! is accepted of a definition, and how a delivery is signed.
//!
//! # The signature
//!
//! `X-MLflow-Signature: v1,<base64>` is HMAC-SHA256 with the bytes of the secret's text over
//! `<delivery id>.<timestamp>.<body>`, the exact bytes of the body, in padded base64. The two others stand in
//! headers of their own.

mod url;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::id::InvalidId;
use mainstay_core::name::Name;
use mainstay_core::text::{clip, exceeds};
use mainstay_core::time::MachineTime;
use thiserror::Error;

use super::{WebhookId, WebhookSecret};

pub use self::url::check_url;

/// Longest name.
const MAX_NAME: usize = 63;
/// Longest description and secret, in characters.
const MAX_TEXT: usize = 1_000;

/// Why a definition is refused. Clients and their tests read most of these sentences.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidWebhook {
    /// The name does not follow the rules.
    #[error(
        "Webhook name '{0}' is invalid. It must start and end with a letter or digit, be less than 63 characters \
         long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
    )]
    Name(String),
    /// The URL is blank.
    #[error("Webhook URL cannot be empty or just whitespace: '{0}'")]
    BlankUrl(String),
    /// The URL cannot be read.
    #[error("Invalid webhook URL '{url}': {reason}")]
    Url {
        /// What was written.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The URL has a scheme that is not allowed here.
    #[error("Invalid webhook URL scheme: '{scheme}'. Allowed schemes are: {allowed}.")]
    Scheme {
        /// The scheme.
        scheme: String,
        /// Those that are.
        allowed: &'static str,
    },
    /// The URL names no host.
    #[error("Webhook URL must include a hostname: '{0}'")]
    NoHost(String),
    /// The host is an address that may not be called.
    #[error("Webhook URL must not resolve to a non-public IP address. '{host}' resolves to {address}.")]
    Private {
        /// The host as it was written.
        host: String,
        /// The address that it is.
        address: std::net::IpAddr,
    },
    /// The entity has no such action.
    #[error("Invalid action '{action}' for entity '{entity}'. Valid actions are: [{valid}]")]
    Action {
        /// The entity.
        entity: MlflowEntity,
        /// The action.
        action: MlflowAction,
        /// The actions that it has, each in quotes.
        valid: String,
    },
    /// A text is too long.
    #[error("the webhook's {field} has more than {MAX_TEXT} characters; shorten it")]
    TooLong {
        /// Which text.
        field: &'static str,
    },
    /// A text holds U+0000.
    #[error("the webhook's {field} holds the character U+0000; remove it")]
    Nul {
        /// Which text.
        field: &'static str,
    },
}

impl Coded for InvalidWebhook {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

macro_rules! wire_names {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All, in the order of their numbers in the protocol, which count from 1.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name, in lower case as it is sent; clients write it in upper case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

wire_names! {
    /// To what something happens.
    pub enum MlflowEntity {
        /// A registered model that is no prompt.
        RegisteredModel = "registered_model",
        /// A version of one.
        ModelVersion = "model_version",
        /// A tag of a version.
        ModelVersionTag = "model_version_tag",
        /// An alias of a registered model.
        ModelVersionAlias = "model_version_alias",
        /// A prompt.
        Prompt = "prompt",
        /// A version of one.
        PromptVersion = "prompt_version",
        /// A tag of a prompt.
        PromptTag = "prompt_tag",
        /// A tag of a prompt's version.
        PromptVersionTag = "prompt_version_tag",
        /// An alias of a prompt.
        PromptAlias = "prompt_alias",
        /// A budget of the gateway.
        BudgetPolicy = "budget_policy",
    }
}

wire_names! {
    /// What happens.
    pub enum MlflowAction {
        /// It was made.
        Created = "created",
        /// It was changed; no entity has this one.
        Updated = "updated",
        /// It was removed.
        Deleted = "deleted",
        /// It was given a value.
        Set = "set",
        /// It was spent.
        Exceeded = "exceeded",
    }
}

/// Something that a webhook can be told of. `budget_policy.exceeded` can be asked for and never happens here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MlflowEvent {
    /// `registered_model.created`
    ModelCreated,
    /// `model_version.created`
    VersionCreated,
    /// `model_version_tag.set`
    VersionTagSet,
    /// `model_version_tag.deleted`
    VersionTagDeleted,
    /// `model_version_alias.created`
    AliasCreated,
    /// `model_version_alias.deleted`
    AliasDeleted,
    /// `prompt.created`
    PromptCreated,
    /// `prompt_version.created`
    PromptVersionCreated,
    /// `prompt_tag.set`
    PromptTagSet,
    /// `prompt_tag.deleted`
    PromptTagDeleted,
    /// `prompt_version_tag.set`
    PromptVersionTagSet,
    /// `prompt_version_tag.deleted`
    PromptVersionTagDeleted,
    /// `prompt_alias.created`
    PromptAliasCreated,
    /// `prompt_alias.deleted`
    PromptAliasDeleted,
    /// `budget_policy.exceeded`
    BudgetExceeded,
}

impl MlflowEvent {
    /// All.
    pub const ALL: [Self; 15] = [
        Self::ModelCreated,
        Self::VersionCreated,
        Self::VersionTagSet,
        Self::VersionTagDeleted,
        Self::AliasCreated,
        Self::AliasDeleted,
        Self::PromptCreated,
        Self::PromptVersionCreated,
        Self::PromptTagSet,
        Self::PromptTagDeleted,
        Self::PromptVersionTagSet,
        Self::PromptVersionTagDeleted,
        Self::PromptAliasCreated,
        Self::PromptAliasDeleted,
        Self::BudgetExceeded,
    ];

    /// The event of that action on that entity, if there is one.
    pub fn new(entity: MlflowEntity, action: MlflowAction) -> Result<Self, InvalidWebhook> {
        let known = Self::ALL.into_iter().find(|event| event.parts() == (entity, action));
        known.ok_or_else(|| {
            let of_entity = Self::ALL.into_iter().map(Self::parts).filter(|parts| parts.0 == entity);
            let mut valid: Vec<_> = of_entity.map(|(_, action)| format!("'{action}'")).collect();
            valid.sort_unstable();
            InvalidWebhook::Action { entity, action, valid: valid.join(", ") }
        })
    }

    /// Entity and action.
    pub const fn parts(self) -> (MlflowEntity, MlflowAction) {
        use MlflowAction::{Created, Deleted, Exceeded, Set};
        match self {
            Self::ModelCreated => (MlflowEntity::RegisteredModel, Created),
            Self::VersionCreated => (MlflowEntity::ModelVersion, Created),
            Self::VersionTagSet => (MlflowEntity::ModelVersionTag, Set),
            Self::VersionTagDeleted => (MlflowEntity::ModelVersionTag, Deleted),
            Self::AliasCreated => (MlflowEntity::ModelVersionAlias, Created),
            Self::AliasDeleted => (MlflowEntity::ModelVersionAlias, Deleted),
            Self::PromptCreated => (MlflowEntity::Prompt, Created),
            Self::PromptVersionCreated => (MlflowEntity::PromptVersion, Created),
            Self::PromptTagSet => (MlflowEntity::PromptTag, Set),
            Self::PromptTagDeleted => (MlflowEntity::PromptTag, Deleted),
            Self::PromptVersionTagSet => (MlflowEntity::PromptVersionTag, Set),
            Self::PromptVersionTagDeleted => (MlflowEntity::PromptVersionTag, Deleted),
            Self::PromptAliasCreated => (MlflowEntity::PromptAlias, Created),
            Self::PromptAliasDeleted => (MlflowEntity::PromptAlias, Deleted),
            Self::BudgetExceeded => (MlflowEntity::BudgetPolicy, Exceeded),
        }
    }
}

impl fmt::Display for MlflowEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entity, action) = self.parts();
        write!(f, "{entity}.{action}")
    }
}

/// The text is not the one that `Display` writes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no such event of MLflow")]
pub struct UnknownEvent;

impl FromStr for MlflowEvent {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::ALL.into_iter().find(|event| event.to_string() == text).ok_or(UnknownEvent)
    }
}

/// Checks a name: 1 to 63 ASCII letters, digits, `.`, `_` and `-`, with a letter or digit at both ends. Names
/// may be given twice.
pub fn check_name(text: &str) -> Result<Name, InvalidWebhook> {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let bytes = text.as_bytes();
    let has_ends =
        [bytes.first(), bytes.last()].into_iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric));
    let invalid = || InvalidWebhook::Name(clip(text));
    if bytes.len() > MAX_NAME || !has_ends || !bytes.iter().all(inner) {
        return Err(invalid());
    }
    Name::new(text).map_err(|_| invalid())
}

/// The webhook that a text names: as ids are shown here, or as a stock server showed them, with the dashes of a UUID
/// (RFC 9562), so that those that were brought over from one are still found.
pub fn webhook_id(text: &str) -> Result<WebhookId, InvalidId> {
    let has_dashes =
        text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    if has_dashes { text.replace('-', "").parse() } else { text.parse() }
}

/// Checks a description: at most 1000 characters, no U+0000.
pub fn check_description(text: String) -> Result<String, InvalidWebhook> {
    let field = "description";
    if text.contains('\0') {
        return Err(InvalidWebhook::Nul { field });
    }
    if exceeds(&text, MAX_TEXT).is_some() { Err(InvalidWebhook::TooLong { field }) } else { Ok(text) }
}

/// Checks a secret: at most 1000 characters. An empty one is none.
pub fn check_secret(text: String) -> Result<Option<WebhookSecret>, InvalidWebhook> {
    if exceeds(&text, MAX_TEXT).is_some() {
        return Err(InvalidWebhook::TooLong { field: "secret" });
    }
    Ok(Some(text).filter(|text| !text.is_empty()).map(WebhookSecret::from_bytes))
}

/// The header that says which delivery it is.
pub const DELIVERY_HEADER: &str = "X-MLflow-Delivery-Id";
/// The header that says when it was first sent.
pub const TIMESTAMP_HEADER: &str = "X-MLflow-Timestamp";
/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "X-MLflow-Signature";

/// The value of [`TIMESTAMP_HEADER`]: Unix seconds in decimal.
pub fn timestamp(at: MachineTime) -> String {
    super::unix_seconds(at)
}

impl WebhookSecret {
    /// The value of [`SIGNATURE_HEADER`] for a body sent with that delivery id and timestamp.
    pub fn sign_for_mlflow(&self, id: &str, timestamp: &str, body: &[u8]) -> Result<String, StorageError> {
        let code = self.authenticate(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])?;
        Ok(format!("v1,{}", STANDARD.encode(code)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value was computed by Python's `hmac` module, see `tests/reference/webhook.py`.
    #[test]
    fn the_signature_is_the_one_that_receivers_compute() {
        let secret = check_secret("schlüssel".to_owned()).unwrap().unwrap();
        let at = MachineTime::from_micros(1_700_000_000_999_999);
        let id = "0d6f6a2e-5f9b-4d9a-8a53-1b1f0a9d2c77";
        let body = "{\"data\":{\"name\":\"é\"}}".as_bytes();
        let signature = secret.sign_for_mlflow(id, &timestamp(at), body).unwrap();
        assert_eq!(signature, include_str!("../../tests/reference/webhook_mlflow.txt").trim());
    }

    #[test]
    fn an_id_may_have_the_dashes_that_it_had_elsewhere() {
        let id = "0d6f6a2e5f9b4d9a8a531b1f0a9d2c77";
        assert_eq!(webhook_id("0d6f6a2e-5f9b-4d9a-8a53-1b1f0a9d2c77"), id.parse());
        assert_eq!(webhook_id(id), id.parse());
        for bad in ["0d6f6a2e5-f9b-4d9a-8a53-1b1f0a9d2c77", "0d6f6a2e-5f9b-4d9a-8a53-1b1f0a9d2c7-", "", "é"]
        {
            assert_eq!(webhook_id(bad), Err(InvalidId), "{bad}");
        }
    }

    #[test]
    fn an_entity_has_some_actions_only() {
        for event in MlflowEvent::ALL {
            let (entity, action) = event.parts();
            assert_eq!(MlflowEvent::new(entity, action), Ok(event));
            assert_eq!(event.to_string().parse(), Ok(event));
        }
        let refused = |entity, action| MlflowEvent::new(entity, action).unwrap_err().to_string();
        assert_eq!(
            refused(MlflowEntity::RegisteredModel, MlflowAction::Updated),
            "Invalid action 'updated' for entity 'registered_model'. Valid actions are: ['created']"
        );
        assert_eq!(
            refused(MlflowEntity::PromptTag, MlflowAction::Created),
            "Invalid action 'created' for entity 'prompt_tag'. Valid actions are: ['deleted', 'set']"
        );
        assert_eq!("model_version.updated".parse::<MlflowEvent>(), Err(UnknownEvent));
    }

    #[test]
    fn names_descriptions_and_secrets_are_checked() {
        let longest = "a".repeat(63);
        for good in ["a", "A1", "1.b_c-D", &longest] {
            assert_eq!(check_name(good).unwrap().as_str(), good);
        }
        for bad in ["", ".a", "a.", "-", "a b", "é", "a/b", &"a".repeat(64)] {
            let refused = check_name(bad).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("Webhook name '{bad}' is invalid. It must")), "{refused}");
        }
        assert!(check_description("é".repeat(1_000)).is_ok());
        assert!(matches!(check_description("é".repeat(1_001)), Err(InvalidWebhook::TooLong { .. })));
        assert!(matches!(check_description("\0".to_owned()), Err(InvalidWebhook::Nul { .. })));
        assert_eq!(check_secret(String::new()), Ok(None));
        assert_eq!(check_secret("\0".to_owned()).unwrap().unwrap().as_bytes(), b"\0");
        assert!(check_secret("é".repeat(1_001)).is_err());
    }
}
