//! Taking back what a process held that is known to be gone.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use mainstay_core::time::MachineTime;

use super::on_engine;
use crate::engine::forward;
use crate::port::PipelineTx;
use crate::refusal::PipelineError;
use crate::run::StepState;
use crate::transition::Input;

/// Makes every running step ready again, without waiting for its lease. Only for an engine that knows
/// that no other works on this store: the one that has just taken the lock of the data directory.
#[derive(Debug, Clone)]
pub struct TakeBack {
    /// Where.
    pub workspace: Name,
    /// Most steps looked at in one transaction.
    pub limit: usize,
}

#[async_trait]
impl Command for TakeBack {
    type Tx = dyn PipelineTx;
    /// How many steps were taken back.
    type Out = usize;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_engine(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<usize, PipelineError> {
        let mut taken = 0;
        for (run, name) in tx.due(MachineTime::from_micros(i64::MAX), self.limit).await? {
            let step = tx.step(run, &name).await?;
            if step.is_some_and(|step| step.state == StepState::Running) {
                forward(tx, run, Input::Abandoned { step: name }).await?;
                taken += 1;
            }
        }
        Ok(taken)
    }
}
