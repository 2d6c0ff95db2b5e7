//! The one committing writer of a process: groups concurrent commands into one transaction.
//!
//! Each command runs under its own savepoint; its events are buffered with it. When all have run,
//! the events get the next sequence numbers, their leaves go into the tree, and the transaction
//! commits. Only then is anybody answered.
//!
//! The table `audit_tree` is locked before the first command on PostgreSQL, and SQLite's write lock
//! is taken by `BEGIN IMMEDIATE`: on both, groups of several processes follow one another, each sees
//! all that went before, and the log has no gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::command::{BoxFuture, Context, Job, Unit};
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Cause, StorageError};
use mainstay_core::event::EventSeq;
use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::principal::Actor;
use mainstay_core::scope::{ResourceKind, default_workspace};
use mainstay_core::time::{Clock, MachineTime};
use tokio::sync::{mpsc, oneshot, watch};

use crate::driver::Connection;
use crate::events;
use crate::gathering::{GROUP, Gathering};
use crate::params;
use crate::tx::{StoreTx, Trouble};

/// Most commands that wait; further ones are told to come again.
const QUEUE: usize = 4_096;
/// How often a command that the database could not serialise is tried alone.
const REPLAYS: usize = 8;

type AnyJob = Box<dyn Job<StoreTx>>;

/// What the writer takes from outside.
#[derive(Clone)]
pub struct Surroundings {
    /// Gives each group its instant.
    pub clock: Arc<dyn Clock>,
    /// Gives each event its salt.
    pub entropy: Arc<dyn Entropy>,
    /// Makes a command fail that changes a record table without recording an event (see
    /// [`crate::guard`]). For tests: it costs a query a command.
    pub guard_events: bool,
}

enum Message {
    Job(AnyJob),
    Stop(oneshot::Sender<()>),
}

/// The handle to a running writer.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Message>,
    committed: watch::Receiver<EventSeq>,
    access_changes: watch::Receiver<EventSeq>,
    step_changes: watch::Receiver<()>,
    counts: Arc<Counts>,
}

/// What a writer did since it started.
#[derive(Debug, Default)]
struct Counts {
    groups: AtomicU64,
    commands: AtomicU64,
    failures: AtomicU64,
}

/// What a writer did since it started, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterCounts {
    /// Transactions that ended well.
    pub groups: u64,
    /// Commands in them; those that their own rules refused are among them.
    pub commands: u64,
    /// Commands that were answered with a failure of the store.
    pub failures: u64,
}

impl Writer {
    /// Starts the writer on a thread of its own. `runtime` drives PostgreSQL's sockets.
    pub(crate) fn start(
        connection: Connection,
        surroundings: Surroundings,
        runtime: tokio::runtime::Handle,
        last: EventSeq,
    ) -> Result<Self, StorageError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (announce, committed) = watch::channel(last);
        let (announce_access, access_changes) = watch::channel(last);
        let (actor, workspace) = (Actor::system("writer"), default_workspace());
        let context = Context { actor, workspace, run: None, doubt: None };
        let (announce_steps, step_changes) = watch::channel(());
        let counts = Arc::new(Counts::default());
        let tx = StoreTx::new(connection, context);
        let counting = Arc::clone(&counts);
        let gathering = Gathering::default();
        let group = Group {
            tx,
            surroundings,
            gathering,
            announce,
            announce_access,
            announce_steps,
            counts: counting,
        };
        let run = move || match &group.tx.connection {
            Connection::Sqlite(_) => futures::executor::block_on(group.run(jobs)),
            Connection::Postgres(_) => runtime.block_on(group.run(jobs)),
        };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(run);
        thread.map_err(|e| StorageError::Failed(e.into()))?;
        Ok(Self { queue, committed, access_changes, step_changes, counts })
    }

    /// What it did since it started.
    pub fn counts(&self) -> WriterCounts {
        WriterCounts {
            groups: self.counts.groups.load(Ordering::Relaxed),
            commands: self.counts.commands.load(Ordering::Relaxed),
            failures: self.counts.failures.load(Ordering::Relaxed),
        }
    }

    /// The last committed position, as it moves.
    pub fn committed(&self) -> watch::Receiver<EventSeq> {
        self.committed.clone()
    }

    /// The position after the last group of this process that changed API tokens, people and what they may do,
    /// workspaces or webhooks. It moves before whoever asked for that is answered.
    pub fn access_changes(&self) -> watch::Receiver<EventSeq> {
        self.access_changes.clone()
    }

    /// Marked changed by every group of this process that wrote runs or steps of pipelines, whether or not
    /// that left an event: the engine need not look after every other commit.
    pub fn step_changes(&self) -> watch::Receiver<()> {
        self.step_changes.clone()
    }

    /// Commits what is queued and stops. Commands submitted later are refused.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.queue.send(Message::Stop(done)).await.is_ok() {
            // An error means that the writer is gone already.
            drop(stopped.await);
        }
    }
}

impl Unit<StoreTx> for Writer {
    fn submit(&self, job: AnyJob) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            self.queue.try_send(Message::Job(job)).map_err(|error| {
                StorageError::Unavailable(Cause::from(match error {
                    mpsc::error::TrySendError::Full(_) => "the writer's queue is full",
                    mpsc::error::TrySendError::Closed(_) => "the writer has stopped",
                }))
            })
        })
    }
}

/// How a group ended.
enum Ended {
    Committed,
    Replay,
    /// A command was refused that has written, and there was no savepoint before it.
    Guard,
    Failed(StorageError),
}

/// What takes back what a refused command wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// A savepoint before each command.
    Savepoints,
    /// The end of the transaction, which is then begun anew with savepoints; or, if the command is the only one,
    /// just that. Few commands are refused once they have written, and to PostgreSQL savepoints are two questions
    /// more for each.
    Transaction,
}

/// What was taken from the queue.
#[derive(Default)]
struct Waiting {
    jobs: Vec<AnyJob>,
    stopping: Option<oneshot::Sender<()>>,
}

impl Waiting {
    /// Takes what is there, as far as a group can hold it.
    fn take(&mut self, queue: &mut mpsc::Receiver<Message>) {
        while self.jobs.len() < GROUP
            && let Ok(message) = queue.try_recv()
        {
            self.place(message, queue);
        }
    }

    fn place(&mut self, message: Message, queue: &mut mpsc::Receiver<Message>) {
        match message {
            Message::Job(job) => self.jobs.push(job),
            Message::Stop(done) => {
                self.stopping = Some(done);
                queue.close();
            }
        }
    }
}

struct Group {
    tx: StoreTx,
    surroundings: Surroundings,
    gathering: Gathering,
    announce: watch::Sender<EventSeq>,
    announce_access: watch::Sender<EventSeq>,
    announce_steps: watch::Sender<()>,
    counts: Arc<Counts>,
}

impl Group {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut waiting = Waiting::default();
        while waiting.stopping.is_none() {
            waiting.take(&mut queue);
            let while_committing = waiting.jobs.len();
            let ended = self.surroundings.clock.now();
            if waiting.jobs.is_empty() && waiting.stopping.is_none() {
                let Some(first) = queue.recv().await else { break };
                waiting.place(first, &mut queue);
                waiting.take(&mut queue);
            }
            let idle = micros_between(ended, self.surroundings.clock.now());
            if let Some(wait) = self.gathering.wait(waiting.jobs.len(), while_committing, idle) {
                let begun = self.surroundings.clock.now();
                for _ in 0..wait.naps {
                    // The thread is the writer's own, and nothing else is to be done on it.
                    std::thread::sleep(wait.nap);
                    waiting.take(&mut queue);
                    let micros = micros_between(begun, self.surroundings.clock.now());
                    if waiting.stopping.is_some() || wait.is_over(waiting.jobs.len(), micros) {
                        break;
                    }
                }
                self.gathering.waited(wait, waiting.jobs.len());
            }
            let jobs = std::mem::take(&mut waiting.jobs);
            self.gathering.dealt_with(jobs.len());
            self.commit_all(jobs).await;
        }
        while let Ok(Message::Job(job)) = queue.try_recv() {
            self.commit_all(vec![job]).await;
        }
        drop(self.tx);
        if let Some(done) = waiting.stopping {
            // Whoever asked may have given up waiting.
            let _ = done.send(());
        }
    }

    /// Commits a group; replays it command by command if the database could not serialise it.
    async fn commit_all(&mut self, mut jobs: Vec<AnyJob>) {
        if jobs.is_empty() {
            return;
        }
        let guard = self.guard(jobs.len());
        let mut ended = self.attempt(&mut jobs, guard).await;
        if matches!(ended, Ended::Guard) {
            ended = self.attempt(&mut jobs, Guard::Savepoints).await;
        }
        match ended {
            Ended::Committed => self.settle(jobs),
            Ended::Failed(error) => self.fail(jobs, &error),
            Ended::Replay | Ended::Guard => {
                for job in jobs {
                    self.commit_alone(job).await;
                }
            }
        }
    }

    const fn guard(&self, jobs: usize) -> Guard {
        match self.tx.connection {
            Connection::Sqlite(_) if jobs > 1 => Guard::Savepoints,
            _ => Guard::Transaction,
        }
    }

    /// Answers the callers of a group that is committed.
    fn settle(&self, jobs: Vec<AnyJob>) {
        self.counts.groups.fetch_add(1, Ordering::Relaxed);
        self.counts.commands.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        for job in jobs {
            job.settle(Ok(()));
        }
    }

    /// Answers the callers of a group that is not.
    fn fail(&self, jobs: Vec<AnyJob>, error: &StorageError) {
        tracing::warn!(%error, commands = jobs.len(), "a group of commands failed");
        self.counts.failures.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        for job in jobs {
            job.settle(Err(retold(error)));
        }
    }

    async fn commit_alone(&mut self, job: AnyJob) {
        let mut jobs = vec![job];
        for _ in 0..REPLAYS {
            match self.attempt(&mut jobs, Guard::Transaction).await {
                Ended::Committed => return self.settle(jobs),
                Ended::Failed(error) => return self.fail(jobs, &error),
                Ended::Replay | Ended::Guard => {}
            }
        }
        self.fail(jobs, &StorageError::Contended("the database could not serialise the command".into()));
    }

    /// One transaction. Jobs that failed for themselves alone are settled and taken out.
    async fn attempt(&mut self, jobs: &mut Vec<AnyJob>, guard: Guard) -> Ended {
        self.tx.pending.clear();
        // What befell an earlier group, as it was sealed, says nothing about this one.
        drop(self.tx.take_trouble());
        self.tx.has_moved_steps = false;
        self.tx.now = self.surroundings.clock.now();
        match self.begin().await {
            Ok(()) => {}
            Err(StorageError::Contended(_)) => return self.abandon(Ended::Replay).await,
            Err(error) => return self.abandon(Ended::Failed(error)).await,
        }
        let alone = jobs.len() == 1;
        let mut broken = Vec::new();
        let mut changed = false;
        for (index, job) in jobs.iter_mut().enumerate() {
            match self.apply(job, guard, alone).await {
                Ok(applied) => changed |= applied,
                Err(Trouble::Command(error)) => broken.push((index, error)),
                Err(Trouble::Replay) => return self.abandon(Ended::Replay).await,
                Err(Trouble::Guard) => return self.abandon(Ended::Guard).await,
                Err(Trouble::Group(error)) => return self.abandon(Ended::Failed(error)).await,
            }
        }
        for (index, error) in broken.into_iter().rev() {
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            jobs.remove(index).settle(Err(error));
        }
        if !changed {
            return self.abandon(Ended::Committed).await;
        }
        if is_planted(Fault::AnswerBeforeCommit) {
            self.settle(std::mem::take(jobs));
        }
        match self.seal().await {
            Ok(last) => {
                self.announce.send_replace(last);
                Ended::Committed
            }
            Err(StorageError::Contended(_)) => self.abandon(Ended::Replay).await,
            Err(error) => self.abandon(Ended::Failed(error)).await,
        }
    }

    async fn begin(&mut self) -> Result<(), StorageError> {
        if let Connection::Postgres(connection) = &mut self.tx.connection {
            connection.revive().await?;
        }
        self.tx.connection.begin_group().await
    }

    /// Runs one command. `Ok(true)` if it went through, `Ok(false)` if its own rules refused it.
    async fn apply(&mut self, job: &mut AnyJob, guard: Guard, alone: bool) -> Result<bool, Trouble> {
        let events_before = self.tx.pending.len();
        self.tx.context = job.context().clone();
        self.tx.has_written = false;
        if guard == Guard::Savepoints {
            self.savepoint("SAVEPOINT command").await?;
        }
        let applied = job.apply(&mut self.tx).await;
        let mut trouble = self.tx.take_trouble();
        if applied.is_ok() && trouble.is_none() && self.surroundings.guard_events {
            let recorded = self.tx.pending.len() > events_before;
            trouble = crate::guard::check(&mut self.tx, recorded).await.err();
        }
        match trouble {
            None if applied.is_ok() => {
                if guard == Guard::Savepoints {
                    self.savepoint("RELEASE SAVEPOINT command").await?;
                }
                return Ok(true);
            }
            Some(trouble @ (Trouble::Replay | Trouble::Group(_))) => return Err(trouble),
            _ => {}
        }
        self.tx.pending.truncate(events_before);
        let leaves_something = self.tx.has_written || trouble.is_some();
        if guard == Guard::Transaction && leaves_something && !alone {
            return Err(Trouble::Guard);
        }
        if guard == Guard::Savepoints {
            self.savepoint("ROLLBACK TO SAVEPOINT command").await?;
            self.savepoint("RELEASE SAVEPOINT command").await?;
        }
        trouble.map_or(Ok(false), Err)
    }

    async fn savepoint(&mut self, sql: &'static str) -> Result<(), Trouble> {
        self.tx.connection.execute(sql, &[]).await.map(drop).map_err(Trouble::Group)
    }

    /// Gives the group's events their place in the log, and commits.
    async fn seal(&mut self) -> Result<EventSeq, StorageError> {
        let pending = std::mem::take(&mut self.tx.pending);
        let about_access = |kind| {
            use ResourceKind::{CustomRole, Token, User, Webhook, Workspace};
            matches!(kind, Token | Webhook | User | CustomRole | Workspace)
        };
        // What people were granted on a model by its name goes with it.
        let moves_names = |kind: &str| matches!(kind, "model.deleted" | "model.renamed");
        let access = pending
            .iter()
            .map(|pending| &pending.event)
            .any(|event| about_access(event.subject.kind) || moves_names(event.kind));
        if is_planted(Fault::EventAfterCommit) {
            self.tx.connection.batch("COMMIT").await?;
            self.begin().await?;
        }
        let last = events::append(&mut self.tx, pending, &*self.surroundings.entropy).await?;
        let sealed = self.surroundings.clock.now();
        self.tx.connection.commit().await?;
        self.gathering.committed(micros_between(sealed, self.surroundings.clock.now()));
        let last = last.unwrap_or(*self.announce.borrow());
        if access {
            self.announce_access.send_replace(last);
        }
        if self.tx.has_moved_steps {
            self.announce_steps.send_replace(());
        }
        Ok(last)
    }

    async fn abandon(&mut self, ended: Ended) -> Ended {
        self.tx.pending.clear();
        if let Err(error) = self.tx.connection.batch("ROLLBACK").await {
            // Harmless: SQLite may have rolled back by itself, and a lost connection has nothing open.
            tracing::debug!(%error, "rollback");
        }
        ended
    }
}

/// Microseconds from one instant to another; none, if the clock was set back.
fn micros_between(from: MachineTime, to: MachineTime) -> u64 {
    u64::try_from(to.since(from)).unwrap_or_default()
}

/// The same failure, once more: each caller of a group gets its own.
fn retold(error: &StorageError) -> StorageError {
    use std::error::Error as _;
    let cause = || Cause::from(error.source().map_or_else(|| error.to_string(), ToString::to_string));
    match error {
        StorageError::Contended(_) => StorageError::Contended(cause()),
        StorageError::Unavailable(_) => StorageError::Unavailable(cause()),
        StorageError::Full(_) => StorageError::Full(cause()),
        StorageError::Corrupt(what) => StorageError::Corrupt(what.clone()),
        StorageError::Nul => StorageError::Nul,
        StorageError::Newer { schema, known } => StorageError::Newer { schema: *schema, known: *known },
        StorageError::Failed(_) => StorageError::Failed(cause()),
    }
}

/// The position of the newest event.
pub(crate) async fn last_event(connection: &mut Connection) -> Result<EventSeq, StorageError> {
    let rows = connection.query("SELECT size FROM audit_tree WHERE id = 1", params![]).await?;
    rows.first().map_or(Ok(EventSeq(0)), |row| row.count(0).map(EventSeq))
}
