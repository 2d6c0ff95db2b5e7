//! The ports in memory: for tests, and as the plainest statement of what a store must do.
//!
//! One lock, one copy of the state per command, thrown away when the command is refused. A commit that
//! touches a record table without an event fails, as in the SQL stores' test kit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::command::{BoxFuture, Context, Job, Journal, Unit};
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::{Event, EventSeq};
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_core::principal::Actor;
use mainstay_core::time::{Clock, MachineTime};
use tokio::sync::Mutex;

use crate::approval::{Approval, ApprovalState};
use crate::definition::{Definition, StepName};
use crate::port::{LedgerEntry, Pipeline, PipelineReader, PipelineTx, Position, RunFilter};
use crate::run::{PipelineRun, RunState, Step, StepResult, StepState};

/// The rows of one workspace.
#[derive(Debug, Clone, Default)]
struct Rows {
    pipelines: BTreeMap<Name, Pipeline>,
    runs: BTreeMap<PipelineRunId, PipelineRun>,
    order: Vec<PipelineRunId>,
    steps: BTreeMap<(PipelineRunId, StepName), Step>,
    results: Vec<StepResult>,
    ledger: Vec<LedgerEntry>,
    approvals: BTreeMap<ApprovalId, Approval>,
    firings: BTreeSet<(String, i64)>,
    positions: BTreeMap<(Name, usize), Position>,
}

#[derive(Debug, Clone, Default)]
struct State {
    definitions: BTreeMap<Digest, Arc<Definition>>,
    workspaces: BTreeMap<Name, Rows>,
    events: Vec<(Name, Event)>,
}

/// A store in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// All events of a workspace so far.
    pub async fn events(&self, workspace: &Name) -> Vec<Event> {
        let state = self.state.lock().await;
        state.events.iter().filter(|(of, _)| of == workspace).map(|(_, event)| event.clone()).collect()
    }

    async fn read<T>(&self, workspace: &Name, read: impl FnOnce(&Rows) -> T) -> T {
        let state = self.state.lock().await;
        match state.workspaces.get(workspace) {
            Some(rows) => read(rows),
            None => read(&Rows::default()),
        }
    }
}

impl Unit<dyn PipelineTx> for MemoryStore {
    fn submit(&self, mut job: Box<dyn Job<dyn PipelineTx>>) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            let context = job.context().clone();
            let rows = state.workspaces.get(&context.workspace).cloned().unwrap_or_default();
            let mut tx = MemoryTx {
                now: self.clock.now(),
                context,
                definitions: state.definitions.clone(),
                rows,
                events: Vec::new(),
                touched_record: false,
            };
            let applied = job.apply(&mut tx).await.is_ok();
            if applied && tx.touched_record && tx.events.is_empty() {
                job.settle(Err(failed("a record row was written without an event")));
                return Ok(());
            }
            if applied {
                let workspace = tx.context.workspace;
                state.events.extend(tx.events.into_iter().map(|event| (workspace.clone(), event)));
                state.definitions = tx.definitions;
                state.workspaces.insert(workspace, tx.rows);
            }
            job.settle(Ok(()));
            Ok(())
        })
    }
}

fn failed(what: &str) -> StorageError {
    StorageError::Failed(what.to_owned().into())
}

struct MemoryTx {
    now: MachineTime,
    context: Context,
    definitions: BTreeMap<Digest, Arc<Definition>>,
    rows: Rows,
    events: Vec<Event>,
    touched_record: bool,
}

impl Journal for MemoryTx {
    fn record(&mut self, event: Event) {
        self.events.push(event);
    }

    fn now(&self) -> MachineTime {
        self.now
    }

    fn actor(&self) -> &Actor {
        &self.context.actor
    }

    fn workspace(&self) -> &Name {
        &self.context.workspace
    }
}

#[async_trait]
impl PipelineTx for MemoryTx {
    async fn pipeline(&mut self, name: &Name) -> Result<Option<Pipeline>, StorageError> {
        Ok(self.rows.pipelines.get(name).cloned())
    }

    async fn put_pipeline(&mut self, pipeline: &Pipeline) -> Result<(), StorageError> {
        self.touched_record = true;
        self.rows.pipelines.insert(pipeline.name.clone(), pipeline.clone());
        Ok(())
    }

    async fn insert_definition(
        &mut self,
        digest: &Digest,
        definition: &Definition,
    ) -> Result<(), StorageError> {
        self.touched_record = true;
        self.definitions.entry(*digest).or_insert_with(|| Arc::new(definition.clone()));
        Ok(())
    }

    async fn definition(&mut self, digest: &Digest) -> Result<Option<Arc<Definition>>, StorageError> {
        Ok(self.definitions.get(digest).cloned())
    }

    async fn run_by_key(&mut self, key: &str) -> Result<Option<PipelineRunId>, StorageError> {
        let with_key = |run: &&PipelineRun| run.idempotency_key.as_deref() == Some(key);
        Ok(self.rows.runs.values().find(with_key).map(|run| run.id))
    }

    async fn insert_run(&mut self, run: &PipelineRun, steps: &[Step]) -> Result<(), StorageError> {
        self.touched_record = true;
        if self.rows.runs.insert(run.id, run.clone()).is_some() {
            return Err(failed("a run id was used twice"));
        }
        self.rows.order.push(run.id);
        self.rows.steps.extend(steps.iter().map(|step| ((run.id, step.name.clone()), step.clone())));
        Ok(())
    }

    async fn run_for_update(&mut self, id: PipelineRunId) -> Result<Option<PipelineRun>, StorageError> {
        Ok(self.rows.runs.get(&id).cloned())
    }

    async fn update_run(&mut self, run: &PipelineRun) -> Result<(), StorageError> {
        self.touched_record = true;
        self.rows.runs.insert(run.id, run.clone());
        Ok(())
    }

    async fn steps(&mut self, run: PipelineRunId) -> Result<Vec<Step>, StorageError> {
        Ok(self.rows.steps_of(run))
    }

    async fn step(&mut self, run: PipelineRunId, name: &StepName) -> Result<Option<Step>, StorageError> {
        Ok(self.rows.steps.get(&(run, name.clone())).cloned())
    }

    async fn update_step(&mut self, step: &Step) -> Result<(), StorageError> {
        self.rows.steps.insert((step.run, step.name.clone()), step.clone());
        Ok(())
    }

    async fn insert_result(&mut self, result: &StepResult) -> Result<(), StorageError> {
        self.touched_record = true;
        if self.rows.results.iter().any(|other| other.run == result.run && other.step == result.step) {
            return Err(failed("a step was accepted twice"));
        }
        self.rows.results.push(result.clone());
        Ok(())
    }

    async fn results(
        &mut self,
        run: PipelineRunId,
        among: &BTreeSet<StepName>,
    ) -> Result<Vec<StepResult>, StorageError> {
        let wanted = |result: &&StepResult| result.run == run && among.contains(&result.step);
        Ok(self.rows.results.iter().filter(wanted).cloned().collect())
    }

    async fn find_cached(&mut self, key: &Digest) -> Result<Option<StepResult>, StorageError> {
        Ok(self.rows.cached(key))
    }

    async fn append_ledger(&mut self, entry: &LedgerEntry) -> Result<(), StorageError> {
        self.rows.ledger.push(entry.clone());
        Ok(())
    }

    async fn next_ready(
        &mut self,
        now: MachineTime,
    ) -> Result<Option<(PipelineRunId, StepName)>, StorageError> {
        let ready = self.rows.ready().filter(|step| step.not_before <= now);
        Ok(ready.min_by_key(|step| step.not_before).map(|step| (step.run, step.name.clone())))
    }

    async fn due(
        &mut self,
        now: MachineTime,
        limit: usize,
    ) -> Result<Vec<(PipelineRunId, StepName)>, StorageError> {
        let mut due: Vec<_> = self
            .rows
            .steps
            .values()
            .filter_map(|step| Some((step.deadline.filter(|at| *at <= now)?, step.run, step.name.clone())))
            .collect();
        due.sort();
        Ok(due.into_iter().take(limit).map(|(_, run, name)| (run, name)).collect())
    }

    async fn active_in_group(&mut self, group: &str) -> Result<Vec<PipelineRunId>, StorageError> {
        Ok(self.rows.in_group(group, RunState::Running).collect())
    }

    async fn queued_in_group(&mut self, group: &str) -> Result<Option<PipelineRunId>, StorageError> {
        Ok(self.rows.in_group(group, RunState::Waiting).next())
    }

    async fn insert_approval(&mut self, approval: &Approval) -> Result<(), StorageError> {
        self.touched_record = true;
        self.rows.approvals.insert(approval.id, approval.clone());
        Ok(())
    }

    async fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>, StorageError> {
        Ok(self.rows.approvals.get(&id).cloned())
    }

    async fn update_approval(&mut self, approval: &Approval) -> Result<(), StorageError> {
        self.insert_approval(approval).await
    }

    async fn insert_firing(&mut self, schedule: &str, at_micros: i64) -> Result<bool, StorageError> {
        let new = self.rows.firings.insert((schedule.to_owned(), at_micros));
        self.touched_record |= new;
        Ok(new)
    }

    async fn put_position(&mut self, position: &Position) -> Result<(), StorageError> {
        let key = (position.pipeline.clone(), position.trigger);
        let age = |position: &Position| (position.revision, position.at);
        if self.rows.positions.get(&key).is_none_or(|kept| age(kept) < age(position)) {
            self.rows.positions.insert(key, position.clone());
        }
        Ok(())
    }
}

impl Rows {
    fn steps_of(&self, run: PipelineRunId) -> Vec<Step> {
        self.steps.values().filter(|step| step.run == run).cloned().collect()
    }

    fn ready(&self) -> impl Iterator<Item = &Step> {
        let running =
            |run: &PipelineRunId| self.runs.get(run).is_some_and(|run| run.state == RunState::Running);
        self.steps.values().filter(move |step| step.state == StepState::Ready && running(&step.run))
    }

    fn cached(&self, key: &Digest) -> Option<StepResult> {
        self.results.iter().rev().find(|result| result.cache_key.as_ref() == Some(key)).cloned()
    }

    fn in_group(&self, group: &str, state: RunState) -> impl Iterator<Item = PipelineRunId> {
        let fits = move |id: &PipelineRunId| {
            self.runs.get(id).is_some_and(|run| run.state == state && run.group.as_deref() == Some(group))
        };
        self.order.iter().copied().filter(fits)
    }
}

#[async_trait]
impl PipelineReader for MemoryStore {
    async fn pipelines(&self, workspace: &Name) -> Result<Vec<Pipeline>, StorageError> {
        Ok(self.read(workspace, |rows| rows.pipelines.values().cloned().collect()).await)
    }

    async fn pipeline(&self, workspace: &Name, name: &Name) -> Result<Option<Pipeline>, StorageError> {
        Ok(self.read(workspace, |rows| rows.pipelines.get(name).cloned()).await)
    }

    async fn run(&self, workspace: &Name, id: PipelineRunId) -> Result<Option<PipelineRun>, StorageError> {
        Ok(self.read(workspace, |rows| rows.runs.get(&id).cloned()).await)
    }

    async fn runs(
        &self,
        workspace: &Name,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<PipelineRun>, StorageError> {
        let after: Option<(MachineTime, PipelineRunId)> =
            page.key().map_err(|error| StorageError::Failed(error.into()))?;
        let fits = |run: &&PipelineRun| {
            filter.pipeline.as_ref().is_none_or(|pipeline| *pipeline == run.pipeline)
                && (filter.states.is_empty() || filter.states.contains(&run.state))
                && after.is_none_or(|last| (run.created, run.id) < last)
        };
        let mut runs: Vec<PipelineRun> =
            self.read(workspace, |rows| rows.runs.values().filter(fits).cloned().collect()).await;
        runs.sort_by_key(|run| std::cmp::Reverse((run.created, run.id)));
        runs.truncate(page.limit + 1);
        Ok(Page::of(runs, page.limit, |run| (run.created, run.id)))
    }

    async fn definition(&self, digest: &Digest) -> Result<Option<Arc<Definition>>, StorageError> {
        Ok(self.state.lock().await.definitions.get(digest).cloned())
    }

    async fn steps(&self, workspace: &Name, run: PipelineRunId) -> Result<Vec<Step>, StorageError> {
        Ok(self.read(workspace, |rows| rows.steps_of(run)).await)
    }

    async fn results(&self, workspace: &Name, run: PipelineRunId) -> Result<Vec<StepResult>, StorageError> {
        let of_run = |result: &&StepResult| result.run == run;
        Ok(self.read(workspace, |rows| rows.results.iter().filter(of_run).cloned().collect()).await)
    }

    async fn find_cached(&self, workspace: &Name, key: &Digest) -> Result<Option<StepResult>, StorageError> {
        Ok(self.read(workspace, |rows| rows.cached(key)).await)
    }

    async fn ledger(
        &self,
        workspace: &Name,
        run: PipelineRunId,
        after: usize,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StorageError> {
        let of_run = |entry: &&LedgerEntry| entry.run == run;
        let read = |rows: &Rows| rows.ledger.iter().filter(of_run).skip(after).take(limit).cloned().collect();
        Ok(self.read(workspace, read).await)
    }

    async fn pending_approvals(&self, workspace: &Name) -> Result<Vec<Approval>, StorageError> {
        let pending = |approval: &&Approval| approval.state == ApprovalState::Pending;
        let mut found: Vec<Approval> =
            self.read(workspace, |rows| rows.approvals.values().filter(pending).cloned().collect()).await;
        found.sort_by_key(|approval| (approval.requested, approval.id));
        Ok(found)
    }

    async fn all_pipelines(&self) -> Result<Vec<(Name, Pipeline)>, StorageError> {
        let state = self.state.lock().await;
        let of = |(name, rows): (&Name, &Rows)| {
            rows.pipelines.values().map(|pipeline| (name.clone(), pipeline.clone())).collect::<Vec<_>>()
        };
        Ok(state.workspaces.iter().flat_map(of).collect())
    }

    async fn position(
        &self,
        workspace: &Name,
        pipeline: &Name,
        revision: u64,
        trigger: usize,
    ) -> Result<Option<i64>, StorageError> {
        let key = (pipeline.clone(), trigger);
        let kept = self.read(workspace, |rows| rows.positions.get(&key).cloned()).await;
        Ok(kept.filter(|kept| kept.revision == revision).map(|kept| kept.at))
    }

    async fn run_behind(&self, _: EventSeq) -> Result<Option<PipelineRunId>, StorageError> {
        // Its events have no numbers.
        Ok(None)
    }

    async fn last_firing(&self, workspace: &Name, schedule: &str) -> Result<Option<i64>, StorageError> {
        let of_schedule = |(name, at): &(String, i64)| (name == schedule).then_some(*at);
        Ok(self.read(workspace, |rows| rows.firings.iter().filter_map(of_schedule).max()).await)
    }

    async fn last_firing_until(
        &self,
        workspace: &Name,
        schedule: &str,
        until_micros: i64,
    ) -> Result<Option<i64>, StorageError> {
        let wanted = |(name, at): &(String, i64)| (name == schedule && *at <= until_micros).then_some(*at);
        Ok(self.read(workspace, |rows| rows.firings.iter().filter_map(wanted).max()).await)
    }

    async fn work(&self, now: MachineTime) -> Result<(Vec<Name>, Option<MachineTime>), StorageError> {
        let state = self.state.lock().await;
        let mut workspaces = Vec::new();
        let mut next = None;
        for (name, rows) in &state.workspaces {
            let ready = rows.ready().map(|step| step.not_before);
            let instants: Vec<MachineTime> =
                ready.chain(rows.steps.values().filter_map(|s| s.deadline)).collect();
            if instants.iter().any(|at| *at <= now) {
                workspaces.push(name.clone());
            }
            next = instants.into_iter().filter(|at| *at > now).chain(next).min();
        }
        Ok((workspaces, next))
    }
}
