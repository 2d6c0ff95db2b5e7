//! Taking a step, and keeping it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use mainstay_core::time::MachineTime;

use super::{on_engine, on_run};
use crate::definition::{Definition, RuntimeValues, StepName};
use crate::engine::{definition_of, write};
use crate::port::PipelineTx;
use crate::refusal::{PipelineError, Refusal};
use crate::run::{Fact, PipelineRun, Snapshot, Step};

/// Takes the step that has been ready longest, in a short transaction of its own: nothing is locked
/// while the step runs.
#[derive(Debug, Clone)]
pub struct ClaimStep {
    /// Where.
    pub workspace: Name,
    /// Who takes it.
    pub worker: String,
    /// For how long without a heartbeat.
    pub lease: Duration,
}

/// A step that the caller now holds.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its run.
    pub run: PipelineRun,
    /// The step, with its token and deadline.
    pub step: Step,
    /// The run's definition.
    pub definition: Arc<Definition>,
    /// What the step's deferred references are answered from.
    pub values: RuntimeValues,
}

#[async_trait]
impl Command for ClaimStep {
    type Tx = dyn PipelineTx;
    /// `None` if no step is ready.
    type Out = Option<Claim>;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_engine(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Option<Claim>, PipelineError> {
        let now = tx.now();
        let Some((id, name)) = tx.next_ready(now).await? else { return Ok(None) };
        let run = tx.run_for_update(id).await?.ok_or(PipelineError::NoSuchRun(id))?;
        let definition = definition_of(tx, &run).await?;
        let ready = tx.step(id, &name).await?.ok_or_else(|| Refusal::NoSuchStep(name.to_string()))?;
        let step = ready.claimed(&self.worker, self.lease, now)?;
        let needs = definition.stages.get(&name).map(|stage| stage.needs.clone()).unwrap_or_default();
        let results = if needs.is_empty() { Vec::new() } else { tx.results(id, &needs).await? };
        let outputs = results.into_iter().map(|result| (result.step, result.output)).collect();
        let mut steps = BTreeMap::new();
        for need in needs {
            // Not all of the run, which may have many.
            let needed = tx.step(id, &need).await?;
            steps.extend(needed.map(|needed| (need, needed)));
        }
        let snapshot = Snapshot { run, steps, outputs };
        tx.update_step(&step).await?;
        write(tx, &snapshot.run, &Fact::Claimed(step.clone())).await?;
        let values = snapshot.values(&definition);
        Ok(Some(Claim { run: snapshot.run, step, definition, values }))
    }
}

/// Keeps a step: send one each third of the lease. Refused with `stale-token` or `wrong-state` when the
/// step was taken away or stopped; the worker then kills its processes and drops the result.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token of the claim.
    pub token: u64,
    /// From now for how long.
    pub lease: Duration,
}

#[async_trait]
impl Command for Heartbeat {
    type Tx = dyn PipelineTx;
    /// When the lease now ends.
    type Out = MachineTime;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        on_run(&self.workspace, self.run)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<MachineTime, PipelineError> {
        tx.run_for_update(self.run).await?.ok_or(PipelineError::NoSuchRun(self.run))?;
        let missing = || Refusal::NoSuchStep(self.step.to_string());
        let step = tx.step(self.run, &self.step).await?.ok_or_else(missing)?;
        let renewed = step.renewed(self.token, self.lease, tx.now())?;
        tx.update_step(&renewed).await?;
        Ok(renewed.deadline.unwrap_or_else(|| tx.now()))
    }
}
