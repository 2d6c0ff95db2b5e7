//! Searches over runs, asked of their index in memory, which is kept in a file too.

mod file;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventSeq, RecordedEvent};
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_core::time::Clock;
use mainstay_store::Database;
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::index::{Activity, Deadline, RunIndex, RunLists, RunSummary, Wanted, changes_of};
use mainstay_tracking::port::{RunQuery, RunSearch, TrackingReader as _};
use mainstay_tracking::search::SearchError;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::file::IndexFile;
use crate::kept_index::{CHUNK, IndexSource, KeptIndex, locked};
use crate::span_scan::blocking;

/// How long a search may take.
const LONGEST: Duration = Duration::from_secs(2);

/// So many events are followed again at a start, at most, but for those that came while the file was written.
const SAVE_AFTER: u64 = 10_000;
/// What is kept in a file takes that many times as long until it is kept again: a tenth of a core.
const REST: u32 = 10;

/// Answers searches over runs.
pub struct RunIndexKeeper {
    index: KeptIndex<RunIndex>,
    /// Locked after the index, never before.
    lists: Arc<Mutex<RunLists>>,
    clock: Arc<dyn Clock>,
    /// As many searches go on at once as there are cores.
    searches: Arc<Semaphore>,
}

impl RunIndexKeeper {
    /// Starts to fill the index, from `file` if it can; searches wait for it. The task ends with the database's
    /// writer.
    pub fn start(database: &Database, file: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let lists = Arc::new(Mutex::new(RunLists::default()));
        let source = RunSource {
            database: database.clone(),
            lists: Arc::clone(&lists),
            file: IndexFile::new(file),
            clock: Arc::clone(&clock),
            saved: EventSeq(0),
            saving: None,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let index = KeptIndex::start(database, source);
        Self { index, lists, clock, searches: Arc::new(Semaphore::new(cores)) }
    }

    /// Reads the index once it knows all that was committed before: on a thread that may take its time, and not
    /// beyond a deadline.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&RunIndex, Deadline<'_>) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, TrackingError> {
        let index = Arc::clone(self.index.reached().await?);
        let stopped = |error: tokio::sync::AcquireError| StorageError::Unavailable(error.into());
        let turn = Arc::clone(&self.searches).acquire_owned().await.map_err(stopped)?;
        let clock = Arc::clone(&self.clock);
        let done = blocking(move || {
            let found = work(&locked(&index), Deadline::at(&*clock, clock.now().after(LONGEST)));
            drop(turn);
            found
        });
        Ok(done.await??)
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

    async fn activity(&self, workspace: &Name) -> Result<Vec<Activity>, TrackingError> {
        let workspace = workspace.clone();
        self.read(move |index, _| Ok(index.activity(&workspace))).await
    }
}

/// All runs, and what events say of them; kept in a file.
struct RunSource {
    database: Database,
    lists: Arc<Mutex<RunLists>>,
    file: IndexFile,
    clock: Arc<dyn Clock>,
    /// Up to which event the file goes.
    saved: EventSeq,
    /// The task that writes it.
    saving: Option<JoinHandle<()>>,
}

#[async_trait]
impl IndexSource for RunSource {
    type Index = RunIndex;
    type Id = RunId;
    const WHAT: &'static str = "runs";

    async fn read(
        &self,
        index: &mut RunIndex,
        after: Option<RunId>,
    ) -> Result<(Option<RunId>, EventSeq), StorageError> {
        let (chunk, head) = self.database.reader.summaries(after, CHUNK).await?;
        let last = chunk.last().map(|summary| summary.run.id);
        for summary in chunk {
            index.put(summary);
        }
        Ok((last, head))
    }

    async fn apply(&self, index: &RwLock<RunIndex>, events: &[RecordedEvent]) -> Result<(), StorageError> {
        let mut changes = Vec::new();
        for event in events {
            changes.extend(changes_of(event)?);
        }
        if changes.is_empty() {
            return Ok(());
        }
        let mut index = index.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            if !index.apply(change) {
                return Err(StorageError::Corrupt("an event speaks of a run that was never created".into()));
            }
        }
        Ok(())
    }

    /// The versions of another index are other ones.
    fn replaced(&self) {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).forget();
    }

    async fn load(&mut self) -> Option<(RunIndex, EventSeq)> {
        let loaded = self.file.load(&self.database).await;
        loaded.inspect(|(_, position)| self.saved = *position)
    }

    /// Has the index kept, if enough came since it was, and it was some time ago.
    fn keep(&mut self, index: &Arc<RwLock<RunIndex>>, applied: EventSeq) {
        let is_saving = self.saving.as_ref().is_some_and(|saving| !saving.is_finished());
        if is_saving || applied.0 < self.saved.0 + SAVE_AFTER {
            return;
        }
        self.saved = applied;
        let (file, clock) = (self.file.clone(), Arc::clone(&self.clock));
        let (database, index) = (self.database.clone(), Arc::clone(index));
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
