//! Keeps the index of runs in memory: filled from its file or the tables, then fed from the log of events.

mod file;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::page::Page;
use mainstay_core::time::Clock;
use mainstay_store::Database;
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::index::{Deadline, RunIndex, RunLists, RunSummary, Wanted, changes_of};
use mainstay_tracking::port::{RunQuery, RunSearch, TrackingReader as _};
use mainstay_tracking::search::SearchError;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use self::file::IndexFile;

/// How many runs, or events, are read at once.
const CHUNK: usize = 1_000;
/// How long to wait before trying again when the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long events gather before they are read together, unless a search waits for them.
const GATHER: Duration = Duration::from_millis(100);

/// How long a search may take.
const LONGEST: Duration = Duration::from_secs(2);

/// So many events are followed again at a start, at most, but for those that came while the file was written.
const SAVE_AFTER: u64 = 10_000;
/// What is kept in a file takes that many times as long until it is kept again: a tenth of a core.
const REST: u32 = 10;

/// The index, and how far in the log it is.
pub struct RunIndexKeeper {
    index: Arc<RwLock<RunIndex>>,
    /// Locked after the index, never before.
    lists: Arc<Mutex<RunLists>>,
    head: watch::Receiver<EventSeq>,
    applied: watch::Receiver<Option<EventSeq>>,
    wanted: Arc<Notify>,
    clock: Arc<dyn Clock>,
    /// As many searches go on at once as there are cores.
    searches: Arc<Semaphore>,
}

impl RunIndexKeeper {
    /// Starts to fill the index, from `file` if it can; searches wait for it. The task ends with the database's
    /// writer.
    pub fn start(database: &Database, file: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let index = Arc::new(RwLock::new(RunIndex::new()));
        let lists = Arc::new(Mutex::new(RunLists::default()));
        let (announce, applied) = watch::channel(None);
        let wanted = Arc::new(Notify::new());
        let (database, head) = (database.clone(), database.head());
        let saved = Saved {
            file: IndexFile::new(file),
            clock: Arc::clone(&clock),
            position: EventSeq(0),
            saving: None,
        };
        let (index_kept, lists_kept) = (Arc::clone(&index), Arc::clone(&lists));
        let keeping =
            Keeping { database, index: index_kept, lists: lists_kept, announce, wanted: wanted.clone() };
        tokio::spawn(keeping.run(saved));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { index, lists, head, applied, wanted, clock, searches: Arc::new(Semaphore::new(cores)) }
    }

    /// Waits until the index knows all that was committed before.
    async fn reach(&self) -> Result<(), StorageError> {
        let head = *self.head.borrow();
        let mut applied = self.applied.clone();
        let is_reached = |applied: &Option<EventSeq>| applied.is_some_and(|applied| applied >= head);
        if !is_reached(&applied.borrow()) {
            self.wanted.notify_one();
        }
        let reached = applied.wait_for(is_reached).await;
        reached.map(drop).map_err(|_| StorageError::Unavailable("the index of runs has stopped".into()))
    }

    /// Reads the index once it knows all that was committed before: on a thread that may take its time, and not
    /// beyond a deadline.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&RunIndex, Deadline<'_>) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, TrackingError> {
        self.reach().await?;
        let stopped = |error: tokio::sync::AcquireError| StorageError::Unavailable(error.into());
        let turn = Arc::clone(&self.searches).acquire_owned().await.map_err(stopped)?;
        let (index, clock) = (Arc::clone(&self.index), Arc::clone(&self.clock));
        let done = tokio::task::spawn_blocking(move || {
            let index = index.read().unwrap_or_else(PoisonError::into_inner);
            let found = work(&index, Deadline::at(&*clock, clock.now().after(LONGEST)));
            drop(turn);
            found
        });
        Ok(done.await.map_err(|error| StorageError::Failed(error.into()))??)
    }
}

#[async_trait]
impl RunSearch for RunIndexKeeper {
    async fn search(&self, query: &RunQuery) -> Result<Page<RunSummary>, TrackingError> {
        let RunQuery { workspace, experiments, view, filter, order, page } = query.clone();
        let found = self.read(move |index, deadline| {
            let wanted =
                Wanted { workspace: &workspace, experiments: &experiments, view, filter: &filter, deadline };
            let (Page { items, next }, _) = index.search(&wanted, &order, &page)?;
            Ok(Page { items: items.into_iter().filter_map(|id| index.summary(id)).collect(), next })
        });
        found.await
    }
}

struct Keeping {
    database: Database,
    index: Arc<RwLock<RunIndex>>,
    lists: Arc<Mutex<RunLists>>,
    announce: watch::Sender<Option<EventSeq>>,
    /// Told by a search that waits.
    wanted: Arc<Notify>,
}

/// What is in the file, and the task that writes it.
struct Saved {
    file: IndexFile,
    clock: Arc<dyn Clock>,
    position: EventSeq,
    saving: Option<JoinHandle<()>>,
}

impl Saved {
    /// Has the index kept, if enough came since it was, and it was some time ago.
    fn keep(&mut self, keeping: &Keeping, applied: EventSeq) {
        let is_saving = self.saving.as_ref().is_some_and(|saving| !saving.is_finished());
        if is_saving || applied.0 < self.position.0 + SAVE_AFTER {
            return;
        }
        self.position = applied;
        let (file, clock) = (self.file.clone(), Arc::clone(&self.clock));
        let (database, index) = (keeping.database.clone(), Arc::clone(&keeping.index));
        self.saving = Some(tokio::spawn(async move {
            let began = clock.now();
            if let Err(error) = file.save(&database, index, applied).await {
                tracing::warn!(%error, "the index of runs could not be kept in its file");
            }
            let took = Duration::from_micros(u64::try_from(clock.now().since(began)).unwrap_or_default());
            tokio::time::sleep(took.saturating_mul(REST)).await;
        }));
    }
}

impl Keeping {
    async fn run(self, mut saved: Saved) {
        // An event that cannot be read (erased, say) is passed over by filling the index anew.
        let mut is_first = true;
        while let Err(error) = self.keep(&mut saved, is_first).await {
            is_first = false;
            tracing::warn!(%error, "the index of runs is built anew");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Fills the index and follows the log until the writer stops.
    async fn keep(&self, saved: &mut Saved, is_first: bool) -> Result<(), StorageError> {
        let mut applied = match saved.file.load(&self.database).await.filter(|_| is_first) {
            Some((index, position)) => {
                self.replace(index);
                saved.position = position;
                position
            }
            None => self.fill().await?,
        };
        self.announce.send_replace(Some(applied));
        saved.keep(self, applied);
        let mut head = self.database.head();
        let mut is_behind = false;
        while head.wait_for(|head| *head > applied).await.is_ok() {
            if !is_behind {
                // An elapsed wait is as good as a search.
                drop(tokio::time::timeout(GATHER, self.wanted.notified()).await);
            }
            let events = self.database.read(&EventQuery::after(applied, CHUNK)).await?;
            let mut changes = Vec::new();
            for event in &events {
                changes.extend(changes_of(event)?);
            }
            applied = events.last().map_or(applied, |event| event.seq);
            is_behind = events.len() == CHUNK;
            self.apply(changes)?;
            self.announce.send_replace(Some(applied));
            saved.keep(self, applied);
        }
        Ok(())
    }

    fn apply(&self, changes: Vec<mainstay_tracking::index::RunChange>) -> Result<(), StorageError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            if !index.apply(change) {
                return Err(StorageError::Corrupt("an event speaks of a run that was never created".into()));
            }
        }
        Ok(())
    }

    /// Puts another index in the place of the one that was; whose versions were other ones.
    fn replace(&self, index: RunIndex) {
        let mut known = self.index.write().unwrap_or_else(PoisonError::into_inner);
        *known = index;
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).forget();
    }

    /// Reads all summaries into a new index. The position is that of the first chunk: what came
    /// meanwhile is applied once more, which does no harm.
    async fn fill(&self) -> Result<EventSeq, StorageError> {
        let (mut index, mut last, mut position) = (RunIndex::new(), None, None);
        loop {
            let (chunk, head) = self.database.reader.summaries(last, CHUNK).await?;
            let position = *position.get_or_insert(head);
            let Some(end) = chunk.last() else {
                self.replace(index);
                return Ok(position);
            };
            last = Some(end.run.id);
            for summary in chunk {
                index.put(summary);
            }
        }
    }
}
