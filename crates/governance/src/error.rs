//! Why governance refuses.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use thiserror::Error;

use crate::webhook::WebhookId;

/// Why a command of governance was refused.
#[derive(Debug, Error)]
pub enum GovernanceError {
    /// A grant reaches beyond the workspace in which it is given.
    #[error("a grant given in workspace {0} must be for that workspace; give the other one there")]
    ForeignGrant(Name),
    /// A token would carry nothing.
    #[error("a token needs at least one role; name one")]
    NoGrant,
    /// A token would have ended before it began.
    #[error("the token would already have expired; choose a later time")]
    Expired,
    /// There is no such token.
    #[error("there is no token {0} in this workspace")]
    NoToken(TokenId),
    /// The actor does not have that role.
    #[error("{0} does not have that role in this workspace")]
    NoGrantHeld(Actor),
    /// The workspace exists.
    #[error("workspace {0} exists already; choose another name")]
    WorkspaceExists(Name),
    /// There is no such webhook.
    #[error("there is no webhook {0} in this workspace")]
    NoWebhook(WebhookId),
    /// The URL cannot be called.
    #[error(
        "a webhook's URL must begin with https:// or http://, hold no user name, and have at most 2000 characters"
    )]
    InvalidUrl,
    /// No kind of event, too many, or a wrong one.
    #[error("a webhook names 1 to 100 kinds of event, such as 'alarm.raised' or 'rollout.*'")]
    InvalidKinds,
    /// A gate report contradicts itself.
    #[error("the gate report is not valid: {0}")]
    InvalidReport(&'static str),
    /// The projections cannot be built from the log.
    #[error("the tables cannot be rebuilt, and nothing was changed: {0}")]
    NotReplayable(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for GovernanceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ForeignGrant(_)
            | Self::NoGrant
            | Self::Expired
            | Self::InvalidUrl
            | Self::InvalidKinds
            | Self::InvalidReport(_) => ErrorCode::InvalidArgument,
            Self::NoToken(_) | Self::NoGrantHeld(_) | Self::NoWebhook(_) => ErrorCode::NotFound,
            Self::NotReplayable(_) => ErrorCode::Corrupt,
            Self::WorkspaceExists(_) => ErrorCode::AlreadyExists,
            Self::Storage(error) => error.code(),
        }
    }
}
