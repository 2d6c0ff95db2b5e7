//! The commands on pipelines, one per file.

mod approval;
mod cancel;
mod claim;
mod define;
mod expire;
mod finish;
mod fire;
mod park;
mod start;
mod take_back;
mod wake;

use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};

pub use approval::{DecideApproval, RequestApproval};
pub use cancel::CancelRun;
pub use claim::{Claim, ClaimStep, Heartbeat};
pub use define::DefinePipeline;
pub use expire::{ExpireDue, Expired};
pub use finish::{AcceptCached, AcceptStep, FailStep};
pub use fire::{FireSchedule, KeepPosition, REFUSED, RefuseFiring};
pub use park::ParkStep;
pub use start::{How, StartRun, Started};
pub use take_back::TakeBack;
pub use wake::WakeRun;

/// The scope of a command on one run.
fn on_run(workspace: &Name, run: PipelineRunId) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::PipelineRun, run))
}

/// The scope of a command of the engine on whatever is there to do.
fn on_engine(workspace: &Name) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::Workspace, workspace))
}
