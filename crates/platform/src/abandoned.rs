//! A rollout does not outlive the step that carries it out: whatever command ends that step without a
//! result, be it a failure, a cancelled run or a lease that was lost too often, also aborts the rollout, and
//! the champion answers alone.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{BoxFuture, Command, Context, Job, Refused, Unit};
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_pipelines::port::PipelineTx;
use mainstay_serving::command::abort;
use mainstay_serving::error::ServingError;
use mainstay_store::StoreTx;
use mainstay_store::writer::Writer;
use serde_json::Value;

use crate::loop_tx::{EffectError, LoopTx, Tx};
use crate::rollout_memo::RolloutMemo;

/// Aborts the rollouts of a run that no open step of it carries any more. How many those were.
async fn abort_abandoned(tx: &mut Tx, run: PipelineRunId, reason: &str) -> Result<usize, ServingError> {
    let mut abandoned = tx.rollouts_of(&run).await?;
    if abandoned.is_empty() {
        return Ok(0);
    }
    let steps = tx.steps(run).await?;
    let open = steps.iter().filter(|step| !step.state.is_over());
    let carried: Vec<_> = open.filter_map(|step| RolloutMemo::rollout_of(&step.memo)).collect();
    abandoned.retain(|rollout| !carried.contains(&rollout.id));
    let aborted = abandoned.len();
    for rollout in abandoned {
        abort(tx, rollout, reason).await?;
    }
    Ok(aborted)
}

/// The run of which an event says that a step of it, or all of it, ended without a result, and why.
fn without_result(event: &Event) -> Option<(PipelineRunId, String)> {
    let text = |key: &str| event.body.get(key).and_then(Value::as_str).unwrap_or_default();
    let why = match event.kind {
        "step.failed" if event.body.get("final") == Some(&Value::Bool(true)) => {
            format!("step {} of its run failed: {}", text("step"), text("reason"))
        }
        "pipeline_run.finished" if text("reason").is_empty() => format!("its run is over: {}", text("state")),
        "pipeline_run.finished" => format!("its run was {}: {}", text("state"), text("reason")),
        _ => return None,
    };
    Some((event.subject.id.parse().ok()?, why))
}

/// The writer, as the unit of commands on pipelines.
pub struct PipelineUnit(pub Writer);

struct Followed {
    job: Box<dyn Job<dyn PipelineTx>>,
    /// Why what follows from the command could not be done, and so the command neither.
    failed: Option<StorageError>,
}

impl Job<StoreTx> for Followed {
    fn context(&self) -> &Context {
        self.job.context()
    }

    fn apply<'a>(&'a mut self, tx: &'a mut StoreTx) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            self.failed = None;
            let before = tx.events().len();
            self.job.apply(tx).await?;
            let ended: Vec<_> = tx.events().skip(before).filter_map(without_result).collect();
            for (run, why) in ended {
                if let Err(error) = abort_abandoned(tx, run, &why).await {
                    self.failed = Some(match error {
                        ServingError::Storage(error) => error,
                        // Its own rules refuse an abort for no reason but damage.
                        error => StorageError::Corrupt(format!("a rollout of run {run}: {error}")),
                    });
                    return Err(Refused);
                }
            }
            Ok(())
        })
    }

    fn settle(self: Box<Self>, committed: Result<(), StorageError>) {
        self.job.settle(committed.and(self.failed.map_or(Ok(()), Err)));
    }
}

impl Unit<dyn PipelineTx> for PipelineUnit {
    fn submit(&self, job: Box<dyn Job<dyn PipelineTx>>) -> BoxFuture<'_, Result<(), StorageError>> {
        Unit::<StoreTx>::submit(&self.0, Box::new(Followed { job, failed: None }))
    }
}

/// Aborts the rollouts that a run left behind. There are none, unless another version of this program ended
/// the run.
#[derive(Debug, Clone)]
pub struct AbortAbandoned {
    /// Where.
    pub workspace: Name,
    /// The run.
    pub run: PipelineRunId,
}

#[async_trait]
impl Command for AbortAbandoned {
    type Tx = dyn LoopTx;
    /// How many those were; 0 while the run is not over.
    type Out = usize;
    type Error = EffectError;

    fn action(&self) -> Action {
        Action::EndpointRollback
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::PipelineRun, self.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<usize, EffectError> {
        let run = tx.run_for_update(self.run).await?;
        if run.is_some_and(|run| !run.state.is_over()) {
            return Ok(0);
        }
        let aborted = abort_abandoned(tx, self.run, "its run is over").await;
        aborted.map_err(EffectError::from_coded)
    }
}
