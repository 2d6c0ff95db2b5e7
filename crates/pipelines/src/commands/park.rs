//! A step that waits without holding a worker: a rollout between two looks, for instance.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use mainstay_core::time::MachineTime;
use serde_json::Value;

use super::on_run;
use crate::definition::StepName;
use crate::engine::forward;
use crate::port::PipelineTx;
use crate::refusal::PipelineError;
use crate::transition::Input;

/// Puts a running step aside until an instant of machine time. It is then ready again, and its next
/// execution finds the memo in [`Step::memo`](crate::run::Step::memo).
#[derive(Debug, Clone)]
pub struct ParkStep {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token of the claim.
    pub token: u64,
    /// Until when.
    pub until: MachineTime,
    /// What the next execution gets to see.
    pub memo: Value,
}

#[async_trait]
impl Command for ParkStep {
    type Tx = dyn PipelineTx;
    type Out = ();
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), PipelineError> {
        let (step, memo) = (self.step.clone(), self.memo.clone());
        forward(tx, self.run, Input::Park { step, token: self.token, until: self.until, memo }).await
    }
}
