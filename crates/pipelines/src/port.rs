//! What the domain needs of a store.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::Approval;
use crate::definition::{Definition, StepName};
use crate::run::{PipelineRun, RunState, Step, StepResult};

/// A named pipeline: the newest text under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name.
    pub name: Name,
    /// Counted up by each change, from 1.
    pub revision: u64,
    /// The YAML.
    pub source: String,
    /// When this revision was written.
    pub updated: MachineTime,
}

/// One line of a run's step ledger: what happened, in order, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The run.
    pub run: PipelineRunId,
    /// The step, unless the line is about the run.
    pub step: Option<StepName>,
    /// What happened: `ready`, `claimed`, `accepted` …
    pub kind: String,
    /// The particulars.
    pub detail: Value,
    /// When.
    pub at: MachineTime,
}

/// From where a trigger of a pipeline goes on: everything at or before it needs no look any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The pipeline.
    pub pipeline: Name,
    /// The revision that has the trigger.
    pub revision: u64,
    /// The place of the trigger in it.
    pub trigger: usize,
    /// Microseconds of the data's clock, or the number of an event.
    pub at: i64,
}

/// A transaction over pipelines. Everything is within [`Journal::workspace`].
///
/// Tables by class: pipelines, definitions, runs, results, approvals and firings are *record*; steps,
/// the ledger and positions of triggers are *operational* (steps can be told from the results and events).
///
/// **Locking**: every command that changes a step first calls [`run_for_update`](Self::run_for_update),
/// so the lock on the run's row guards its steps.
#[async_trait]
pub trait PipelineTx: Journal {
    /// The pipeline of that name.
    async fn pipeline(&mut self, name: &Name) -> Result<Option<Pipeline>, StorageError>;

    /// Writes a pipeline, or its next revision.
    async fn put_pipeline(&mut self, pipeline: &Pipeline) -> Result<(), StorageError>;

    /// Keeps a definition under its digest; nothing happens if it is there.
    async fn insert_definition(
        &mut self,
        digest: &Digest,
        definition: &Definition,
    ) -> Result<(), StorageError>;

    /// The definition of that digest. Immutable, so a store may keep it in memory.
    async fn definition(&mut self, digest: &Digest) -> Result<Option<Arc<Definition>>, StorageError>;

    /// The run that was started with an idempotency key.
    async fn run_by_key(&mut self, key: &str) -> Result<Option<PipelineRunId>, StorageError>;

    /// Writes a new run and its steps. The idempotency key is unique in the workspace.
    async fn insert_run(&mut self, run: &PipelineRun, steps: &[Step]) -> Result<(), StorageError>;

    /// Reads a run and locks it until the end of the transaction.
    async fn run_for_update(&mut self, id: PipelineRunId) -> Result<Option<PipelineRun>, StorageError>;

    /// Writes a run's state and times.
    async fn update_run(&mut self, run: &PipelineRun) -> Result<(), StorageError>;

    /// The steps of a run, in the order of their names.
    async fn steps(&mut self, run: PipelineRunId) -> Result<Vec<Step>, StorageError>;

    /// One step of a run.
    async fn step(&mut self, run: PipelineRunId, name: &StepName) -> Result<Option<Step>, StorageError>;

    /// Writes a step.
    async fn update_step(&mut self, step: &Step) -> Result<(), StorageError>;

    /// Writes the one accepted result of a step; a second one for the same step must fail.
    async fn insert_result(&mut self, result: &StepResult) -> Result<(), StorageError>;

    /// The accepted results of a run, as far as they are of these steps.
    async fn results(
        &mut self,
        run: PipelineRunId,
        among: &BTreeSet<StepName>,
    ) -> Result<Vec<StepResult>, StorageError>;

    /// The newest result with a cache key.
    async fn find_cached(&mut self, key: &Digest) -> Result<Option<StepResult>, StorageError>;

    /// Appends to the ledger of a run. The store numbers the entries of a run in the order of the calls.
    async fn append_ledger(&mut self, entry: &LedgerEntry) -> Result<(), StorageError>;

    /// A step that is ready at `now`, oldest `not_before` first, of a running run. Locks that run, and
    /// passes over runs that other transactions have locked.
    async fn next_ready(
        &mut self,
        now: MachineTime,
    ) -> Result<Option<(PipelineRunId, StepName)>, StorageError>;

    /// At most `limit` running or waiting steps whose deadline is at or before `now`, earliest first.
    async fn due(
        &mut self,
        now: MachineTime,
        limit: usize,
    ) -> Result<Vec<(PipelineRunId, StepName)>, StorageError>;

    /// The running runs of a concurrency group, oldest first. Until the end of the transaction nobody
    /// else may learn the same of this group.
    async fn active_in_group(&mut self, group: &str) -> Result<Vec<PipelineRunId>, StorageError>;

    /// The run of a group that has waited longest for its turn.
    async fn queued_in_group(&mut self, group: &str) -> Result<Option<PipelineRunId>, StorageError>;

    /// Writes a new request for approval.
    async fn insert_approval(&mut self, approval: &Approval) -> Result<(), StorageError>;

    /// A request for approval.
    async fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>, StorageError>;

    /// Writes what became of a request.
    async fn update_approval(&mut self, approval: &Approval) -> Result<(), StorageError>;

    /// Notes that a schedule fired at an instant (microseconds on the schedule's own clock); `false` if
    /// it is noted already.
    async fn insert_firing(&mut self, schedule: &str, at_micros: i64) -> Result<bool, StorageError>;

    /// Keeps a trigger's position: for a newer revision in place of the older one's, for the same revision
    /// only forward.
    async fn put_position(&mut self, position: &Position) -> Result<(), StorageError>;
}

/// Which runs are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Of this pipeline only.
    pub pipeline: Option<Name>,
    /// In one of these states; any, if empty.
    pub states: Vec<RunState>,
}

/// Reads outside of a transaction: for pages, the command line and the engine's waiting.
#[async_trait]
pub trait PipelineReader: Send + Sync {
    /// All pipelines of a workspace by name.
    async fn pipelines(&self, workspace: &Name) -> Result<Vec<Pipeline>, StorageError>;

    /// The pipeline of that name.
    async fn pipeline(&self, workspace: &Name, name: &Name) -> Result<Option<Pipeline>, StorageError>;

    /// One run.
    async fn run(&self, workspace: &Name, id: PipelineRunId) -> Result<Option<PipelineRun>, StorageError>;

    /// Runs, newest first.
    async fn runs(
        &self,
        workspace: &Name,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<PipelineRun>, StorageError>;

    /// The definition of that digest.
    async fn definition(&self, digest: &Digest) -> Result<Option<Arc<Definition>>, StorageError>;

    /// The steps of a run, in the order of their names.
    async fn steps(&self, workspace: &Name, run: PipelineRunId) -> Result<Vec<Step>, StorageError>;

    /// The accepted results of a run.
    async fn results(&self, workspace: &Name, run: PipelineRunId) -> Result<Vec<StepResult>, StorageError>;

    /// The newest result with a cache key.
    async fn find_cached(&self, workspace: &Name, key: &Digest) -> Result<Option<StepResult>, StorageError>;

    /// The ledger of a run after its first `after` entries, at most `limit`.
    async fn ledger(
        &self,
        workspace: &Name,
        run: PipelineRunId,
        after: usize,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StorageError>;

    /// Requests that nobody decided, oldest first.
    async fn pending_approvals(&self, workspace: &Name) -> Result<Vec<Approval>, StorageError>;

    /// All pipelines of all workspaces, by workspace and name.
    async fn all_pipelines(&self) -> Result<Vec<(Name, Pipeline)>, StorageError>;

    /// The position of a trigger; `None` if none was kept for this revision.
    async fn position(
        &self,
        workspace: &Name,
        pipeline: &Name,
        revision: u64,
        trigger: usize,
    ) -> Result<Option<i64>, StorageError>;

    /// The run whose step recorded an event; `None` if none is known.
    async fn run_behind(&self, event: EventSeq) -> Result<Option<PipelineRunId>, StorageError>;

    /// The latest firing of a schedule.
    async fn last_firing(&self, workspace: &Name, schedule: &str) -> Result<Option<i64>, StorageError>;

    /// The latest firing of a schedule that is not after an instant of its clock.
    async fn last_firing_until(
        &self,
        workspace: &Name,
        schedule: &str,
        until_micros: i64,
    ) -> Result<Option<i64>, StorageError>;

    /// Workspaces that have a ready step or a passed deadline at `now`, and the earliest instant after
    /// `now` at which there will be one.
    async fn work(&self, now: MachineTime) -> Result<(Vec<Name>, Option<MachineTime>), StorageError>;
}
