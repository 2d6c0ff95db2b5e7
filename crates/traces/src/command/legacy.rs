//! Traces as clients before 3.0 log them: begun and ended in two calls.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{existing_trace, save};
use crate::error::TraceError;
use crate::id::{TraceId, trace_subject};
use crate::info::{Pairs, TraceInfo, TraceState, is_own_tag};
use crate::port::TraceTx;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::active_experiment;

/// Begins a trace that goes on. Event: `trace.started`.
#[derive(Debug, Clone)]
pub struct BeginTrace {
    /// Where.
    pub workspace: Name,
    /// In which experiment.
    pub experiment: ExperimentId,
    /// Its name, just drawn.
    pub id: TraceId,
    /// When it began: milliseconds since the Unix epoch.
    pub request_ms: i64,
    /// Its first tags.
    pub tags: Pairs,
    /// Its first metadata.
    pub metadata: Pairs,
}

#[async_trait]
impl Command for BeginTrace {
    type Tx = dyn TraceTx;
    type Out = TraceInfo;
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<TraceInfo, TraceError> {
        let experiment = active_experiment(tx, self.experiment).await?;
        let mut info = TraceInfo::begun(self.id.clone(), &experiment, self.request_ms);
        info.tags.extend(free(&self.tags));
        info.metadata.clone_from(&self.metadata);
        save(tx, None, &info).await?;
        let body = json!({"traces": [self.id], "experiment": self.experiment, "state": info.state.as_str()});
        tx.record(Event::new("trace.started", trace_subject(&self.id), body));
        Ok(info)
    }
}

/// Ends a trace. Event: `trace.ended`.
#[derive(Debug, Clone)]
pub struct EndTrace {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: TraceId,
    /// When it ended: milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// How.
    pub state: TraceState,
    /// More tags.
    pub tags: Pairs,
    /// More metadata.
    pub metadata: Pairs,
}

#[async_trait]
impl Command for EndTrace {
    type Tx = dyn TraceTx;
    type Out = TraceInfo;
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<TraceInfo, TraceError> {
        let before = existing_trace(tx, &self.id).await?;
        let mut info = before.clone();
        info.duration_ms = Some(self.end_ms.saturating_sub(info.request_ms));
        info.state = self.state;
        info.tags.extend(free(&self.tags));
        info.metadata.extend(self.metadata.iter().map(|(key, value)| (key.clone(), value.clone())));
        save(tx, Some(&before), &info).await?;
        let body = json!({"traces": [self.id], "experiment": info.experiment, "state": info.state.as_str()});
        tx.record(Event::new("trace.ended", trace_subject(&self.id), body));
        Ok(info)
    }
}

/// The tags that are not the server's own.
fn free(tags: &Pairs) -> impl Iterator<Item = (String, String)> {
    let free = tags.iter().filter(|(key, _)| !is_own_tag(key));
    free.map(|(key, value)| (key.clone(), value.clone()))
}
