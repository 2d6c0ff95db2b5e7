//! Deleting traces, for good. Their artifacts stay.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use crate::error::TraceError;
use crate::id::TraceId;
use crate::port::TraceTx;
use mainstay_core::experiment::existing_experiment;
use mainstay_core::experiment::{ExperimentId, experiment_subject};

/// Most traces that one command deletes; whoever wants more gone runs it again.
pub const MAX_DELETED: usize = 1_000;

/// Which traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doomed {
    /// These.
    Named(Vec<TraceId>),
    /// Those that began no later than that, in milliseconds since the Unix epoch: the oldest of them, at most so
    /// many.
    Until(i64, usize),
}

impl Doomed {
    /// What a call asks for; it says one thing.
    pub fn new(max_ms: Option<i64>, max_traces: Option<i64>, ids: Vec<TraceId>) -> Result<Self, TraceError> {
        match (max_ms, max_traces, ids.is_empty()) {
            (None, _, true) => Err(TraceError::DeleteNothing),
            (Some(_), _, false) => Err(TraceError::DeleteTwice),
            (None, Some(_), false) => Err(TraceError::DeleteCounted),
            (None, None, false) => Ok(Self::Named(ids)),
            (Some(ms), None, true) => Ok(Self::Until(ms, usize::MAX)),
            (Some(ms), Some(most), true) => match usize::try_from(most) {
                Ok(limit) if limit > 0 => Ok(Self::Until(ms, limit)),
                _ => Err(TraceError::DeleteFewerThanOne(most)),
            },
        }
    }
}

/// Deletes traces of an experiment, at most [`MAX_DELETED`]; ids that name none are left alone. Gives how many
/// there were. Event: `trace.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteTraces {
    /// Where.
    pub workspace: Name,
    /// Of which experiment.
    pub experiment: ExperimentId,
    /// Which.
    pub doomed: Doomed,
}

#[async_trait]
impl Command for DeleteTraces {
    type Tx = dyn TraceTx;
    type Out = usize;
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), experiment_subject(self.experiment))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<usize, TraceError> {
        existing_experiment(tx, self.experiment).await?;
        let ids = match &self.doomed {
            Doomed::Named(ids) => ids.iter().take(MAX_DELETED).cloned().collect(),
            Doomed::Until(ms, limit) => {
                tx.traces_until(self.experiment, *ms, (*limit).min(MAX_DELETED)).await?
            }
        };
        let mut gone = Vec::new();
        for id in ids {
            if tx.delete_trace(self.experiment, &id).await? {
                gone.push(id);
            }
        }
        if !gone.is_empty() {
            let body = json!({"traces": gone});
            tx.record(Event::new("trace.deleted", experiment_subject(self.experiment), body));
        }
        Ok(gone.len())
    }
}
