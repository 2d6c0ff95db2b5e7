//! What somebody hears of the record while it grows.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::event::RecordedEvent;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::permission::Readable;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::port::TrackingReader;

use crate::caller::Caller;

/// Whose ears. A role that opens the audit hears everything; whoever holds levels alone hears what happens to the
/// experiments that they open, and to the runs and traces in those.
pub(super) enum Hearing {
    Everything,
    Experiments(Readable),
}

impl Hearing {
    pub(super) fn of(caller: &Caller) -> Self {
        if caller.has_role_for(Action::AuditRead) {
            Self::Everything
        } else {
            Self::Experiments(caller.readable())
        }
    }

    /// Those events that are heard.
    pub(super) async fn among(
        &self,
        mut events: Vec<RecordedEvent>,
        workspace: &Name,
        tracked: &dyn TrackingReader,
    ) -> Result<Vec<RecordedEvent>, StorageError> {
        let Self::Experiments(readable) = self else { return Ok(events) };
        let runs: Vec<RunId> = named(&events, ResourceKind::Run);
        let runs = tracked.runs(workspace, &runs).await?;
        let runs: BTreeMap<String, ExperimentId> =
            runs.into_iter().map(|run| (run.run.id.to_string(), run.run.experiment)).collect();
        events.retain(|event| match event.subject.kind {
            ResourceKind::Experiment => readable.has(&event.subject.id),
            // Of what is there no more nobody can say whose it was.
            ResourceKind::Run => {
                runs.get(&event.subject.id).is_some_and(|experiment| readable.has(experiment))
            }
            // Clients name traces, so what bears the id now may be another one.
            ResourceKind::Trace => {
                let told = event.body.as_ref().and_then(|body| body.get("experiment")?.as_u64());
                told.is_some_and(|experiment| readable.has(experiment))
            }
            _ => false,
        });
        Ok(events)
    }
}

/// The things of a kind that events are about, each once.
fn named<I: std::str::FromStr>(events: &[RecordedEvent], kind: ResourceKind) -> Vec<I> {
    let subjects = events.iter().map(|event| &event.subject).filter(|subject| subject.kind == kind);
    let ids: BTreeSet<&str> = subjects.map(|subject| subject.id.as_str()).collect();
    ids.into_iter().filter_map(|id| id.parse().ok()).collect()
}
