//! What can be deleted and restored.

use thiserror::Error;

use crate::error::{Coded, ErrorCode};

/// Whether something is deleted. Deletion is reversible; what is deleted cannot be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifecycle {
    /// Alive.
    Active,
    /// Deleted, and restorable.
    Deleted,
}

impl Lifecycle {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }

    /// The stage as it was stored.
    pub fn stored(text: &str) -> Option<Self> {
        [Self::Active, Self::Deleted].into_iter().find(|stage| stage.as_str() == text)
    }

    /// The stage that this is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Active => Self::Deleted,
            Self::Deleted => Self::Active,
        }
    }

    /// Refuses unless this is `wanted`.
    pub fn expect(self, wanted: Self, what: impl FnOnce() -> String) -> Result<(), WrongLifecycle> {
        if self == wanted { Ok(()) } else { Err(WrongLifecycle { what: what(), wanted }) }
    }
}

/// The thing is not in the lifecycle stage that this needs. The sentence is that of `MLflow`'s own store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("The {what} must be in the '{}' state. Current state is {}.", .wanted.as_str(), .wanted.other().as_str())]
pub struct WrongLifecycle {
    /// What.
    pub what: String,
    /// The stage that it should be in.
    pub wanted: Lifecycle,
}

impl Coded for WrongLifecycle {
    fn code(&self) -> ErrorCode {
        ErrorCode::WrongState
    }
}
