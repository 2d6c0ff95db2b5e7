//! What triggers do: they start a run, or put on the record why they do not.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::error::ErrorCode;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use super::start::{StartRun, Started};
use crate::port::{PipelineTx, Position};
use crate::refusal::PipelineError;
use crate::run::Cause;

/// The event of a firing that started nothing.
pub const REFUSED: &str = "schedule.refused";

/// Starts the run of a schedule's instant, once: the pair of schedule and instant is unique, whichever
/// process sees it due.
#[derive(Debug, Clone)]
pub struct FireSchedule {
    /// The schedule, such as `retrain@4/on[0]`.
    pub schedule: String,
    /// The instant, in microseconds on the schedule's own clock (machine or data), or the number of an event.
    pub at_micros: i64,
    /// The revision of the pipeline that has the schedule, if it is one of a pipeline's text: if another
    /// one stands by now, nothing happens.
    pub revision: Option<u64>,
    /// The run.
    pub start: StartRun,
}

#[async_trait]
impl Command for FireSchedule {
    type Tx = dyn PipelineTx;
    /// `None` if it had fired already, or if its revision does not stand any more.
    type Out = Option<Started>;
    type Error = PipelineError;

    fn action(&self) -> Action {
        self.start.action()
    }

    fn scope(&self) -> Scope {
        self.start.scope()
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Option<Started>, PipelineError> {
        if let Some(revision) = self.revision
            && !stands(tx, &self.start.pipeline, revision).await?
        {
            return Ok(None);
        }
        if !tx.insert_firing(&self.schedule, self.at_micros).await? {
            return Ok(None);
        }
        let started = self.start.apply(tx).await?;
        let body = json!({ "schedule": self.schedule, "at": self.at_micros, "run": started.run });
        tx.record(Event::new("schedule.fired", self.scope().subject, body));
        Ok(Some(started))
    }
}

/// Whether a revision of a pipeline is the one that stands.
async fn stands(tx: &mut dyn PipelineTx, pipeline: &Name, revision: u64) -> Result<bool, PipelineError> {
    Ok(tx.pipeline(pipeline).await?.is_some_and(|present| present.revision == revision))
}

/// Notes that an instant of a schedule, or an event, starts nothing, and why. It counts as fired: it is not
/// tried again.
#[derive(Debug, Clone)]
pub struct RefuseFiring {
    /// Where.
    pub workspace: Name,
    /// The pipeline that would have been started.
    pub pipeline: Name,
    /// The revision that has the schedule.
    pub revision: u64,
    /// As in [`FireSchedule`].
    pub schedule: String,
    /// As in [`FireSchedule`].
    pub at_micros: i64,
    /// What would have been the run's cause.
    pub cause: Cause,
    /// Why not.
    pub code: ErrorCode,
    /// The same in a sentence.
    pub reason: String,
}

#[async_trait]
impl Command for RefuseFiring {
    type Tx = dyn PipelineTx;
    type Out = ();
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Pipeline, &self.pipeline))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), PipelineError> {
        let stands = stands(tx, &self.pipeline, self.revision).await?;
        if stands && tx.insert_firing(&self.schedule, self.at_micros).await? {
            let body = json!({
                "schedule": self.schedule, "at": self.at_micros, "cause": self.cause,
                "code": self.code.as_str(), "reason": self.reason,
            });
            tx.record(Event::new(REFUSED, self.scope().subject, body));
        }
        Ok(())
    }
}

/// Keeps from where a trigger goes on. It records no event: that would be one more to follow.
#[derive(Debug, Clone)]
pub struct KeepPosition {
    /// Where.
    pub workspace: Name,
    /// What is kept.
    pub position: Position,
}

#[async_trait]
impl Command for KeepPosition {
    type Tx = dyn PipelineTx;
    type Out = ();
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Pipeline, &self.position.pipeline))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), PipelineError> {
        Ok(tx.put_position(&self.position).await?)
    }
}
