//! Stopping a run.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use super::on_run;
use crate::engine::forward;
use crate::port::PipelineTx;
use crate::refusal::PipelineError;
use crate::transition::Input;

/// Stops a run and all its steps. Workers learn of it with their next heartbeat.
#[derive(Debug, Clone)]
pub struct CancelRun {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
    /// Why.
    pub reason: String,
}

#[async_trait]
impl Command for CancelRun {
    type Tx = dyn PipelineTx;
    type Out = ();
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineRun
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), PipelineError> {
        forward(tx, self.run, Input::Cancel { reason: self.reason.clone() }).await
    }
}
