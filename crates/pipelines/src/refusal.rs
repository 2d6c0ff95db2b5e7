//! Why a transition does not happen.

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::id::{ApprovalId, PipelineRunId};
use thiserror::Error;

use crate::approval::ApprovalState;
use crate::definition::{DefinitionError, StepName};
use crate::reproduction::NotReproducible;
use crate::run::{MAX_OUTPUT, RunState, StepState};

/// The state machine refuses an input.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The run has no such step.
    #[error("the run has no step named '{0}'")]
    NoSuchStep(String),
    /// Somebody else holds, or held later, the step's lease.
    #[error(
        "the lease on step '{step}' was superseded: its token is {current}, not {given}; stop the work and drop its result"
    )]
    StaleToken {
        /// The step.
        step: StepName,
        /// The newest token.
        current: u64,
        /// The token that was shown.
        given: u64,
    },
    /// The step is in another state than needed.
    #[error("step '{step}' is {state}, so this cannot happen to it now")]
    StepState {
        /// The step.
        step: StepName,
        /// Its state.
        state: StepState,
    },
    /// The run is in another state than needed.
    #[error("the run is {0}, so this cannot happen to it now")]
    RunState(RunState),
    /// The step waits for its time, or its lease has not run out.
    #[error("it is too early for step '{0}'; its time has not come")]
    TooEarly(StepName),
    /// The output is larger than allowed.
    #[error(
        "the output of step '{0}' is larger than {MAX_OUTPUT} bytes of JSON; store the data as an artifact"
    )]
    OutputTooLarge(StepName),
    /// The request is settled.
    #[error("this approval is {0} already")]
    AlreadyDecided(ApprovalState),
    /// The decision names another digest than the request.
    #[error("the approval is for {asked}, not for {given}; look at what waits now and decide again")]
    OtherDigest {
        /// What was asked.
        asked: Digest,
        /// What the decision named.
        given: Digest,
    },
    /// The author may not approve.
    #[error("whoever started the run may not approve it; ask somebody else")]
    OwnRun,
    /// The decider is not among those asked.
    #[error("this approval is for {0} to decide")]
    NotAsked(String),
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchStep(_) => ErrorCode::NotFound,
            Self::StaleToken { .. } => ErrorCode::StaleToken,
            Self::StepState { .. } | Self::RunState(_) | Self::TooEarly(_) | Self::AlreadyDecided(_) => {
                ErrorCode::WrongState
            }
            Self::OutputTooLarge(_) => ErrorCode::TooLarge,
            Self::OtherDigest { .. } => ErrorCode::RevisionConflict,
            Self::OwnRun | Self::NotAsked(_) => ErrorCode::PermissionDenied,
        }
    }
}

/// Why a pipeline command did not happen.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// There is no such run.
    #[error("there is no pipeline run {0}")]
    NoSuchRun(PipelineRunId),
    /// There is no such request.
    #[error("there is no approval {0}")]
    NoSuchApproval(ApprovalId),
    /// The key was used for another start.
    #[error("the idempotency key was used before to start something else; use a new key")]
    KeyReused,
    /// The concurrency group is full and refuses more.
    #[error("{limit} runs of group '{group}' are active already; wait for one to end, or cancel it")]
    GroupFull {
        /// The group.
        group: String,
        /// Its limit.
        limit: u32,
    },
    /// No earlier result has this key.
    #[error("no earlier result matches this step; run it")]
    NotCached,
    /// The definition is wrong.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The state machine refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be done again.
    #[error(transparent)]
    NotReproducible(#[from] NotReproducible),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for PipelineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchRun(_) | Self::NoSuchApproval(_) | Self::NotCached => ErrorCode::NotFound,
            Self::KeyReused => ErrorCode::AlreadyExists,
            Self::GroupFull { .. } => ErrorCode::WrongState,
            Self::Definition(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::NotReproducible(reason) => reason.code(),
            Self::Storage(error) => error.code(),
        }
    }
}
