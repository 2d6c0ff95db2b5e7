//! Transitions applied to a store: read, decide, write rows, ledger and events.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use mainstay_core::id::PipelineRunId;
use mainstay_core::scope::{ResourceKind, Subject};
use serde_json::{Value, json};

use crate::approval::{Approval, ApprovalState};
use crate::circumstances::Provenance;
use crate::definition::{Definition, StepName};
use crate::port::{LedgerEntry, PipelineTx};
use crate::refusal::PipelineError;
use crate::run::{Fact, PipelineRun, Snapshot, StepOutput, StepState};
use crate::transition::{Input, transition};

/// A step's result, shown with the token of its claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Acceptance {
    /// The run.
    pub run: PipelineRunId,
    /// The step.
    pub step: StepName,
    /// The token of the claim.
    pub token: u64,
    /// The result.
    pub output: StepOutput,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Accepts a step's result inside the caller's own transaction: verifies token and state, writes the
/// result, makes successors ready, ends the run with its last step.
///
/// A built-in step calls this in the command that has its effect, so that effect and acceptance commit
/// together or not at all. It is refused with `stale-token` if the step was claimed again meanwhile; the
/// caller must then let its whole command fail.
pub async fn accept(tx: &mut dyn PipelineTx, acceptance: &Acceptance) -> Result<(), PipelineError> {
    let input = Input::Accept {
        step: acceptance.step.clone(),
        token: acceptance.token,
        output: acceptance.output.clone(),
        provenance: acceptance.provenance.clone(),
    };
    forward(tx, acceptance.run, input).await
}

/// Applies an input to a run of the store.
pub(crate) async fn forward(
    tx: &mut dyn PipelineTx,
    run: PipelineRunId,
    input: Input,
) -> Result<(), PipelineError> {
    let run = tx.run_for_update(run).await?.ok_or(PipelineError::NoSuchRun(run))?;
    let definition = definition_of(tx, &run).await?;
    let snapshot = load(tx, run, &definition).await?;
    apply(tx, &definition, snapshot, input).await
}

/// Applies an input to a run that was read and locked, then lets queued runs of its group start.
pub(crate) async fn apply(
    tx: &mut dyn PipelineTx,
    definition: &Definition,
    snapshot: Snapshot,
    input: Input,
) -> Result<(), PipelineError> {
    let mut freed = step_forward(tx, definition, snapshot, input).await?;
    while let Some(group) = freed.take() {
        let Some(next) = tx.queued_in_group(&group).await? else { break };
        let Some(run) = tx.run_for_update(next).await? else { break };
        let definition = definition_of(tx, &run).await?;
        let limit = definition.concurrency.as_ref().map_or(1, |concurrency| concurrency.limit);
        if tx.active_in_group(&group).await?.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            break;
        }
        let snapshot = load(tx, run, &definition).await?;
        // Gives its group again if the started run ended at once, all its steps being frozen or skipped.
        freed = step_forward(tx, &definition, snapshot, Input::Start).await?;
    }
    Ok(())
}

/// One transition, written. Gives the concurrency group in which a run ended.
async fn step_forward(
    tx: &mut dyn PipelineTx,
    definition: &Definition,
    snapshot: Snapshot,
    input: Input,
) -> Result<Option<String>, PipelineError> {
    let before = snapshot.run.clone();
    let withdrawn = match input {
        Input::Cancel { .. } => pending_approvals(tx, &snapshot).await?,
        _ => Vec::new(),
    };
    let outcome = transition(definition, snapshot, input, tx.now())?;
    let run = &outcome.snapshot.run;
    if *run != before {
        tx.update_run(run).await?;
    }
    for name in &outcome.touched {
        if let Some(step) = outcome.snapshot.steps.get(name) {
            tx.update_step(step).await?;
        }
    }
    let now = tx.now();
    let settled =
        withdrawn.into_iter().map(|a| Fact::ApprovalSettled(a.ended(ApprovalState::Withdrawn, now)));
    for fact in settled.chain(outcome.facts) {
        write(tx, run, &fact).await?;
    }
    Ok(run.group.clone().filter(|_| run.state.is_over() && !before.state.is_over()))
}

async fn pending_approvals(
    tx: &mut dyn PipelineTx,
    snapshot: &Snapshot,
) -> Result<Vec<Approval>, StorageError> {
    let mut pending = Vec::new();
    for id in snapshot.steps.values().filter_map(|step| step.approval) {
        pending.extend(tx.approval(id).await?);
    }
    Ok(pending)
}

pub(crate) async fn definition_of(
    tx: &mut dyn PipelineTx,
    run: &PipelineRun,
) -> Result<Arc<Definition>, StorageError> {
    let lost = || StorageError::Corrupt(format!("the definition of pipeline run {}", run.id));
    tx.definition(&run.definition).await?.ok_or_else(lost)
}

/// Reads the steps of a run, and the outputs if some step that is still to come may ask for them.
pub(crate) async fn load(
    tx: &mut dyn PipelineTx,
    run: PipelineRun,
    definition: &Definition,
) -> Result<Snapshot, StorageError> {
    let steps = tx.steps(run.id).await?;
    let asking = steps.iter().filter(|step| step.state == StepState::Pending).filter_map(|step| {
        definition.stages.get(&step.name).filter(|s| s.condition.is_some() || s.approve.is_some())
    });
    let among: BTreeSet<StepName> = asking.flat_map(|stage| stage.needs.iter().cloned()).collect();
    let results = if among.is_empty() { Vec::new() } else { tx.results(run.id, &among).await? };
    Ok(Snapshot {
        run,
        steps: steps.into_iter().map(|step| (step.name.clone(), step)).collect(),
        outputs: results.into_iter().map(|result| (result.step, result.output)).collect(),
    })
}

/// Writes a fact: its row, its line in the ledger, and its event if it is of the record.
pub(crate) async fn write(
    tx: &mut dyn PipelineTx,
    run: &PipelineRun,
    fact: &Fact,
) -> Result<(), StorageError> {
    match fact {
        Fact::Accepted(result) => tx.insert_result(result).await?,
        Fact::ApprovalRequested(approval) => tx.insert_approval(approval).await?,
        Fact::ApprovalSettled(approval) => tx.update_approval(approval).await?,
        _ => {}
    }
    let (kind, step, detail) = line(fact);
    let at = tx.now();
    let entry = LedgerEntry { run: run.id, step, kind: kind.to_owned(), detail, at };
    tx.append_ledger(&entry).await?;
    if let Some(event) = event(run, fact) {
        tx.record(event);
    }
    Ok(())
}

/// The ledger's view of a fact.
fn line(fact: &Fact) -> (&'static str, Option<StepName>, Value) {
    match fact {
        Fact::RunQueued => ("queued", None, Value::Null),
        Fact::RunStarted => ("started", None, Value::Null),
        Fact::RunFinished(state, reason) => ("finished", None, json!({ "state": state, "reason": reason })),
        Fact::Ready(step, at) => ("ready", Some(step.clone()), json!({ "from": at })),
        Fact::Claimed(step) => (
            "claimed",
            Some(step.name.clone()),
            json!({ "token": step.token, "attempt": step.attempt, "worker": step.owner, "until": step.deadline }),
        ),
        Fact::Accepted(result) => (
            "accepted",
            Some(result.step.clone()),
            json!({ "token": result.token, "reused_from": result.reused_from }),
        ),
        Fact::Failed(step, retry) => (
            "failed",
            Some(step.name.clone()),
            json!({ "token": step.token, "attempt": step.attempt, "reason": step.reason, "retry_at": retry }),
        ),
        Fact::LeaseLost(step) => (
            "lease_lost",
            Some(step.name.clone()),
            json!({ "token": step.token, "worker": step.owner, "losses": step.losses + 1 }),
        ),
        Fact::Parked(step, until) => ("parked", Some(step.clone()), json!({ "until": until })),
        Fact::Skipped(step, reason) => ("skipped", Some(step.clone()), json!({ "reason": reason })),
        Fact::Cancelled(step) => ("cancelled", Some(step.clone()), Value::Null),
        Fact::ApprovalRequested(approval) => (
            "approval_requested",
            Some(approval.step.clone()),
            json!({ "approval": approval.id, "digest": approval.digest }),
        ),
        Fact::ApprovalSettled(approval) => (
            "approval_settled",
            Some(approval.step.clone()),
            json!({ "approval": approval.id, "state": approval.state, "by": approval.decided_by }),
        ),
    }
}

/// The event of a fact that says what happened to the run, and not only how it was worked off.
fn event(run: &PipelineRun, fact: &Fact) -> Option<Event> {
    let subject = Subject::new(ResourceKind::PipelineRun, run.id);
    let (kind, body) = match fact {
        Fact::RunQueued => ("pipeline_run.queued", run_body(run)),
        Fact::RunStarted => ("pipeline_run.started", run_body(run)),
        Fact::RunFinished(state, reason) => {
            ("pipeline_run.finished", json!({ "pipeline": run.pipeline, "state": state, "reason": reason }))
        }
        Fact::Accepted(result) => ("step.accepted", json!(result)),
        Fact::Failed(step, retry) => (
            "step.failed",
            json!({
                "run": run.id, "step": step.name, "token": step.token, "attempt": step.attempt,
                "reason": step.reason, "final": retry.is_none(), "retry_at": retry,
            }),
        ),
        Fact::Skipped(step, reason) => {
            ("step.skipped", json!({ "run": run.id, "step": step, "reason": reason }))
        }
        Fact::ApprovalRequested(approval) => return Some(approval_event("approval.requested", approval)),
        Fact::ApprovalSettled(approval) => {
            let kind = match approval.state {
                ApprovalState::Expired => "approval.expired",
                ApprovalState::Withdrawn => "approval.withdrawn",
                ApprovalState::Pending | ApprovalState::Approved | ApprovalState::Rejected => {
                    "approval.decided"
                }
            };
            return Some(approval_event(kind, approval));
        }
        Fact::Ready(..) | Fact::Claimed(_) | Fact::LeaseLost(_) | Fact::Parked(..) | Fact::Cancelled(_) => {
            return None;
        }
    };
    Some(Event::new(kind, subject, body))
}

fn approval_event(kind: &'static str, approval: &Approval) -> Event {
    Event::new(kind, Subject::new(ResourceKind::Approval, approval.id), json!(approval))
}

fn run_body(run: &PipelineRun) -> Value {
    json!({
        "pipeline": run.pipeline, "definition": run.definition, "params": run.params,
        "data_time": run.data_time, "cause": run.cause, "author": run.author, "group": run.group,
    })
}
