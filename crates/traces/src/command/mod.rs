//! The changes that traces know. Each event names the traces that it changed, in `traces`, by which the index
//! follows; and of a trace its experiment, as the id may be another one's later.

mod assess;
mod delete;
mod legacy;
mod link;
mod spans;
mod start;
mod tag;

pub use assess::{CreateAssessment, DeleteAssessment, UpdateAssessment};
pub use delete::{DeleteTraces, Doomed, MAX_DELETED};
pub use legacy::{BeginTrace, EndTrace};
pub use link::{LinkPrompts, LinkTracesToRun, MAX_LINKED};
pub use spans::LogSpans;
pub use start::StartTrace;
pub use tag::{DeleteTraceTag, SetTraceTag};

use mainstay_core::scope::ResourceKind;

use super::error::TraceError;
use super::id::TraceId;
use super::info::{Pairs, TraceInfo};
use super::port::TraceTx;
use mainstay_core::experiment::{ExperimentId, existing_experiment};

/// The trace, if it is one of this workspace, and the caller may do to its experiment what this command does.
async fn existing_trace(tx: &mut dyn TraceTx, id: &TraceId) -> Result<TraceInfo, TraceError> {
    let found = tx.trace(id).await?;
    let info = found.ok_or_else(|| TraceError::NoTrace(id.clone()))?;
    match tx.experiment(info.experiment).await? {
        Some(_) if tx.admits(ResourceKind::Experiment, &info.experiment) => Ok(info),
        _ => Err(TraceError::NoTrace(id.clone())),
    }
}

/// The trace, if there is one in this experiment; its id may be taken in another.
async fn trace_within(
    tx: &mut dyn TraceTx,
    id: &TraceId,
    experiment: ExperimentId,
) -> Result<Option<TraceInfo>, TraceError> {
    match tx.trace(id).await? {
        Some(info) if info.experiment != experiment => Err(TraceError::Elsewhere(id.clone())),
        found => Ok(found),
    }
}

/// Refuses a run to whose experiment the caller may not do what this command does. Runs that are not there yet, or are
/// elsewhere, are linked by those who may do it to all experiments.
async fn ask_for_run(tx: &mut dyn TraceTx, run: &str) -> Result<(), TraceError> {
    if let Ok(id) = run.parse()
        && let Some(experiment) = tx.experiment_of_run(id).await?
        && !tx.admits(ResourceKind::Experiment, &experiment)
    {
        return Err(TraceError::NoRun(id));
    }
    Ok(())
}

/// Writes a trace as it is now; of tags and metadata, those that differ from `before`.
async fn save(tx: &mut dyn TraceTx, before: Option<&TraceInfo>, info: &TraceInfo) -> Result<(), TraceError> {
    tx.put_trace(info).await?;
    let tags = moved(before.map(|before| &before.tags), &info.tags);
    let metadata = moved(before.map(|before| &before.metadata), &info.metadata);
    tx.put_trace_tags(&info.id, &tags).await?;
    tx.put_trace_metadata(&info.id, &metadata).await?;
    Ok(())
}

fn moved(before: Option<&Pairs>, now: &Pairs) -> Pairs {
    let differs =
        |key: &str, value: &str| before.is_none_or(|old| old.get(key).is_none_or(|old| old != value));
    let moved = now.iter().filter(|(key, value)| differs(key, value));
    moved.map(|(key, value)| (key.clone(), value.clone())).collect()
}
