//! What a trace belongs to, besides its experiment: runs, and the prompts that it used.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use super::{ask_for_run, existing_trace};
use crate::error::TraceError;
use crate::id::{TraceId, trace_subject};
use crate::port::TraceTx;

/// Most traces that one call links.
pub const MAX_LINKED: usize = 100;

/// Notes that traces belong to a run, whether or not any of them exists yet. Event: `trace.run_linked`.
#[derive(Debug, Clone)]
pub struct LinkTracesToRun {
    /// Where.
    pub workspace: Name,
    /// To which run.
    pub run: String,
    /// Which traces.
    pub traces: Vec<TraceId>,
}

#[async_trait]
impl Command for LinkTracesToRun {
    type Tx = dyn TraceTx;
    type Out = ();
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Run, &self.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TraceError> {
        if self.traces.len() > MAX_LINKED {
            return Err(TraceError::TooManyLinked { limit: MAX_LINKED, got: self.traces.len() });
        }
        if self.traces.is_empty() {
            return Ok(());
        }
        ask_for_run(tx, &self.run).await?;
        for trace in &self.traces {
            if let Some(info) = tx.trace(trace).await?
                && !tx.admits(ResourceKind::Experiment, &info.experiment)
            {
                return Err(TraceError::NoTrace(trace.clone()));
            }
            tx.link_trace_to_run(trace, &self.run).await?;
        }
        tx.record(Event::new("trace.run_linked", self.scope().subject, json!({"traces": self.traces})));
        Ok(())
    }
}

/// Notes that a trace used versions of prompts. Event: `trace.prompts_linked`.
#[derive(Debug, Clone)]
pub struct LinkPrompts {
    /// Where.
    pub workspace: Name,
    /// Which trace.
    pub trace: TraceId,
    /// Which prompts: `name/version` each.
    pub prompts: Vec<String>,
}

#[async_trait]
impl Command for LinkPrompts {
    type Tx = dyn TraceTx;
    type Out = ();
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.trace))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TraceError> {
        let experiment = existing_trace(tx, &self.trace).await?.experiment;
        if self.prompts.is_empty() {
            return Ok(());
        }
        for prompt in &self.prompts {
            tx.link_trace_to_prompt(&self.trace, prompt).await?;
        }
        let body = json!({"traces": [self.trace], "experiment": experiment, "prompts": self.prompts});
        tx.record(Event::new("trace.prompts_linked", trace_subject(&self.trace), body));
        Ok(())
    }
}
