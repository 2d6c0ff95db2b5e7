//! Waking a run's parked steps before their time: what they wait for has happened.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use super::on_run;
use crate::engine::{apply, definition_of, load};
use crate::port::PipelineTx;
use crate::refusal::PipelineError;
use crate::run::RunState;
use crate::transition::Input;

/// Makes the parked steps of a run ready. Steps that wait for a person go on waiting.
#[derive(Debug, Clone)]
pub struct WakeRun {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
}

#[async_trait]
impl Command for WakeRun {
    type Tx = dyn PipelineTx;
    /// How many steps were woken.
    type Out = usize;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<usize, PipelineError> {
        let mut woken = 0;
        loop {
            let run = tx.run_for_update(self.run).await?.ok_or(PipelineError::NoSuchRun(self.run))?;
            if run.state != RunState::Running {
                return Ok(woken);
            }
            let definition = definition_of(tx, &run).await?;
            let snapshot = load(tx, run, &definition).await?;
            let parked = snapshot.steps.values().find(|step| step.is_parked()).map(|step| step.name.clone());
            let Some(step) = parked else { return Ok(woken) };
            apply(tx, &definition, snapshot, Input::Wake { step }).await?;
            woken += 1;
        }
    }
}
