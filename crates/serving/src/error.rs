//! Why a command on an endpoint is refused.

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use thiserror::Error;

use crate::endpoint::InvalidEndpoint;
use crate::revision::InvalidRevision;
use crate::rollout::InvalidEvidence;
use crate::segment::SegmentId;

/// Why a command on an endpoint is refused.
#[derive(Debug, Error)]
pub enum ServingError {
    /// The definition is not sound.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// The arms are not sound.
    #[error(transparent)]
    Revision(#[from] InvalidRevision),
    /// The evidence is not sound.
    #[error(transparent)]
    Evidence(#[from] InvalidEvidence),
    /// The name is taken.
    #[error("an endpoint '{0}' exists already; choose another name, or change that one")]
    Exists(Name),
    /// No such endpoint.
    #[error("there is no endpoint '{0}'")]
    NoEndpoint(Name),
    /// No such rollout.
    #[error("there is no rollout {0}")]
    NoRollout(RolloutId),
    /// Somebody was faster.
    #[error("endpoint '{endpoint}' is at revision {current}, not {expected}; read it again and decide anew")]
    Conflict {
        /// The endpoint.
        endpoint: Name,
        /// What the caller had read.
        expected: u64,
        /// What is there.
        current: u64,
    },
    /// The endpoint became governed, or ceased to be, since the caller read it.
    #[error("whether endpoint '{0}' is governed is not as stated; read it again")]
    Governance(Name),
    /// The artifact's gates have not passed.
    #[error("version {version} ({digest}) may not answer: {reason}")]
    GateNotPassed {
        /// The version.
        version: u64,
        /// Its artifact.
        digest: Digest,
        /// What is missing, and what to do.
        reason: String,
    },
    /// Another endpoint decides who is the model's champion.
    #[error(
        "endpoint '{other}' governs model '{model}' already, and its alias 'champion' follows that one; serve the model there, or ungoverned here"
    )]
    GovernedElsewhere {
        /// The model.
        model: Name,
        /// Its endpoint.
        other: Name,
    },
    /// A rollout holds the endpoint.
    #[error("rollout {rollout} runs on endpoint '{endpoint}'; wait for it, or roll the endpoint back")]
    RolloutRunning {
        /// The endpoint.
        endpoint: Name,
        /// The rollout.
        rollout: RolloutId,
    },
    /// The rollout is over.
    #[error("rollout {rollout} is over ({phase}); nothing more can be done with it")]
    RolloutOver {
        /// The rollout.
        rollout: RolloutId,
        /// How it ended.
        phase: &'static str,
    },
    /// The plan and the evidence do not justify the step.
    #[error("the plan and this evidence do not allow rollout {0} that step")]
    NotJustified(RolloutId),
    /// Nothing to compare with.
    #[error("endpoint '{0}' has no champion to compare with; set one first")]
    NoChampion(Name),
    /// The candidate serves already.
    #[error("version {0} serves on this endpoint already")]
    AlreadyServes(u64),
    /// Arms that a rollout does not know.
    #[error("endpoint '{0}' has other arms beside its champion; remove them before a rollout starts")]
    OtherArms(Name),
    /// No version before.
    #[error("endpoint '{0}' has no earlier version to go back to")]
    NothingBefore(Name),
    /// Another content under the same id.
    #[error("segment {0} was registered with another content; keep both files and see the log")]
    SegmentDiffers(SegmentId),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for ServingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Endpoint(error) => error.code(),
            Self::Revision(error) => error.code(),
            Self::Evidence(error) => error.code(),
            Self::Exists(_) => ErrorCode::AlreadyExists,
            Self::NoEndpoint(_) | Self::NoRollout(_) => ErrorCode::NotFound,
            Self::Conflict { .. } | Self::Governance(_) => ErrorCode::RevisionConflict,
            Self::GateNotPassed { .. } => ErrorCode::GateNotPassed,
            Self::RolloutRunning { .. }
            | Self::RolloutOver { .. }
            | Self::NotJustified(_)
            | Self::NoChampion(_)
            | Self::AlreadyServes(_)
            | Self::OtherArms(_)
            | Self::GovernedElsewhere { .. }
            | Self::NothingBefore(_) => ErrorCode::WrongState,
            Self::SegmentDiffers(_) => ErrorCode::Corrupt,
            Self::Storage(error) => error.code(),
        }
    }
}
