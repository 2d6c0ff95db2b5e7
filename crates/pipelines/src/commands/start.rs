//! Starting runs.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::DataTime;
use serde_json::{Map, Value, json};

use super::on_run;
use crate::definition::{Concurrency, Definition, WhenFull};
use crate::engine::{apply, forward, write};
use crate::port::{LedgerEntry, PipelineTx};
use crate::refusal::PipelineError;
use crate::run::{Cause, Fact, PipelineRun, RunState, Snapshot};
use crate::transition::Input;

/// Starts a run, or queues it behind its concurrency group.
#[derive(Debug, Clone)]
pub struct StartRun {
    /// Where.
    pub workspace: Name,
    /// The id that the run gets, if it is a new one.
    pub id: PipelineRunId,
    /// The pipeline's name.
    pub pipeline: Name,
    /// What runs.
    pub definition: Arc<Definition>,
    /// The parameters that the definition was resolved with.
    pub params: Map<String, Value>,
    /// The data time as of which it works.
    pub data_time: Option<DataTime>,
    /// What started it.
    pub cause: Cause,
    /// A second start with this key gives the first one's run.
    pub idempotency_key: Option<String>,
}

/// What became of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The run: the new one, or the one that stands for it.
    pub run: PipelineRunId,
    /// How.
    pub how: How,
}

/// How a start was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A new run is under way.
    Running,
    /// A new run waits for its turn.
    Queued,
    /// The idempotency key names this earlier run.
    Existing,
    /// The group is full; the cause was noted on this active run.
    Attached,
}

#[async_trait]
impl Command for StartRun {
    type Tx = dyn PipelineTx;
    type Out = Started;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineRun
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Pipeline, &self.pipeline))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Started, PipelineError> {
        let digest = self.definition.digest();
        if let Some(key) = &self.idempotency_key
            && let Some(run) = tx.run_by_key(key).await?
        {
            let present = tx.run_for_update(run).await?.ok_or(PipelineError::NoSuchRun(run))?;
            let same = present.definition == digest && present.pipeline == self.pipeline;
            return if same {
                Ok(Started { run, how: How::Existing })
            } else {
                Err(PipelineError::KeyReused)
            };
        }
        let mut how = How::Running;
        if let Some(concurrency) = &self.definition.concurrency {
            match self.find_room(tx, concurrency).await? {
                Room::Free => {}
                Room::Later => how = How::Queued,
                Room::In(run) => return Ok(Started { run, how: How::Attached }),
            }
        }
        let run = PipelineRun {
            id: self.id,
            pipeline: self.pipeline.clone(),
            definition: digest,
            params: self.params.clone(),
            data_time: self.data_time,
            cause: self.cause.clone(),
            author: tx.actor().clone(),
            idempotency_key: self.idempotency_key.clone(),
            group: self.definition.concurrency.as_ref().map(|concurrency| concurrency.group.clone()),
            state: RunState::Waiting,
            created: tx.now(),
            started: None,
            finished: None,
        };
        tx.insert_definition(&digest, &self.definition).await?;
        let snapshot = Snapshot::new(run, &self.definition);
        let steps: Vec<_> = snapshot.steps.values().cloned().collect();
        tx.insert_run(&snapshot.run, &steps).await?;
        if how == How::Queued {
            write(tx, &snapshot.run, &Fact::RunQueued).await?;
        } else {
            apply(tx, &self.definition, snapshot, Input::Start).await?;
        }
        Ok(Started { run: self.id, how })
    }
}

/// Where a new run of a group can go.
enum Room {
    Free,
    Later,
    In(PipelineRunId),
}

impl StartRun {
    async fn find_room(
        &self,
        tx: &mut dyn PipelineTx,
        concurrency: &Concurrency,
    ) -> Result<Room, PipelineError> {
        let active = tx.active_in_group(&concurrency.group).await?;
        if active.len() < usize::try_from(concurrency.limit).unwrap_or(usize::MAX) {
            return Ok(Room::Free);
        }
        match (concurrency.when_full, active.first(), active.last()) {
            (WhenFull::Attach, _, Some(newest)) => {
                self.attach(tx, *newest).await?;
                Ok(Room::In(*newest))
            }
            (WhenFull::Cancel, Some(oldest), _) => {
                let reason = format!("replaced by run {}", self.id);
                self.replace(tx, *oldest, reason).await?;
                Ok(Room::Free)
            }
            (WhenFull::Queue, ..) => Ok(Room::Later),
            _ => Err(PipelineError::GroupFull { group: concurrency.group.clone(), limit: concurrency.limit }),
        }
    }

    /// Cancels the oldest run. Runs that were queued before this one under another definition of the
    /// group keep waiting: the new run takes the freed place.
    async fn replace(
        &self,
        tx: &mut dyn PipelineTx,
        oldest: PipelineRunId,
        reason: String,
    ) -> Result<(), PipelineError> {
        if tx.queued_in_group(&self.group()).await?.is_some() {
            let limit = self.definition.concurrency.as_ref().map_or(1, |concurrency| concurrency.limit);
            return Err(PipelineError::GroupFull { group: self.group(), limit });
        }
        forward(tx, oldest, Input::Cancel { reason }).await
    }

    fn group(&self) -> String {
        self.definition.concurrency.as_ref().map(|concurrency| concurrency.group.clone()).unwrap_or_default()
    }

    async fn attach(&self, tx: &mut dyn PipelineTx, run: PipelineRunId) -> Result<(), PipelineError> {
        let present = tx.run_for_update(run).await?.ok_or(PipelineError::NoSuchRun(run))?;
        let detail = json!({ "cause": self.cause, "data_time": self.data_time });
        let entry = LedgerEntry {
            run,
            step: None,
            kind: "evidence_attached".to_owned(),
            detail: detail.clone(),
            at: tx.now(),
        };
        tx.append_ledger(&entry).await?;
        let subject = on_run(&self.workspace, present.id).subject;
        tx.record(Event::new("pipeline_run.evidence_attached", subject, detail));
        Ok(())
    }
}
