//! A client's own summary of a trace.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::assess::take_in;
use super::{save, trace_within};
use crate::assessment::{AssessedTrace, Assessment};
use crate::error::TraceError;
use crate::id::{TraceId, trace_subject};
use crate::info::{MAX_CLIENT_REQUEST_ID, MAX_NAME, MAX_SESSION, TraceInfo, at_most, key};
use crate::merge::Summary;
use crate::port::TraceTx;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::active_experiment;

/// Takes in a client's summary of a trace, whether or not its spans have come. Doing it twice does no more than
/// once. Event: `trace.started`.
#[derive(Debug, Clone)]
pub struct StartTrace {
    /// Where.
    pub workspace: Name,
    /// In which experiment.
    pub experiment: ExperimentId,
    /// Which.
    pub id: TraceId,
    /// What the client tells.
    pub summary: Summary,
    /// What it says of the trace.
    pub assessments: Vec<Assessment>,
}

#[async_trait]
impl Command for StartTrace {
    type Tx = dyn TraceTx;
    type Out = AssessedTrace;
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<AssessedTrace, TraceError> {
        let Summary { tags, metadata, client_request_id, .. } = &self.summary;
        at_most("Trace name", tags.get(key::NAME).map_or("", String::as_str), MAX_NAME)?;
        let experiment = active_experiment(tx, self.experiment).await?;
        at_most("Session ID", metadata.get(key::SESSION).map_or("", String::as_str), MAX_SESSION)?;
        at_most(
            "client_request_id",
            client_request_id.as_deref().unwrap_or_default(),
            MAX_CLIENT_REQUEST_ID,
        )?;
        let before = trace_within(tx, &self.id, self.experiment).await?;
        let mut info = match &before {
            Some(before) => before.clone(),
            None => TraceInfo::begun(self.id.clone(), &experiment, self.summary.request_ms),
        };
        info.summarise(&self.summary);
        let is_other = before.as_ref() != Some(&info);
        if is_other {
            save(tx, before.as_ref(), &info).await?;
        }
        let is_assessed = take_in(tx, &self.id, &self.assessments).await?;
        if is_other || is_assessed {
            let body =
                json!({"traces": [self.id], "experiment": self.experiment, "state": info.state.as_str()});
            tx.record(Event::new("trace.started", trace_subject(&self.id), body));
        }
        let assessments =
            if before.is_some() || is_assessed { tx.assessments(&self.id).await? } else { Vec::new() };
        Ok(AssessedTrace { info, assessments })
    }
}
