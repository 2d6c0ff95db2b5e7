//! Keeps the index of runs in memory: filled from its file or the tables, then fed from the log of events.

mod file;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::page::Page;
use mainstay_core::time::Clock;
use mainstay_store::Database;
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::index::{RunIndex, RunSummary, changes_of};
use mainstay_tracking::port::{RunQuery, RunSearch, TrackingReader as _};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::file::IndexFile;

/// How many runs, or events, are read at once.
const CHUNK: usize = 1_000;
/// How long to wait before trying again when the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long events gather before they are read together, unless a search waits for them.
const GATHER: Duration = Duration::from_millis(100);

/// So many events are followed again at a start, at most, but for those that came while the file was written.
const SAVE_AFTER: u64 = 10_000;
/// What is kept in a file takes that many times as long until it is kept again: a tenth of a core.
const REST: u32 = 10;

/// The index, and how far in the log it is.
pub struct RunIndexKeeper {
    index: Arc<RwLock<RunIndex>>,
    head: watch::Receiver<EventSeq>,
    applied: watch::Receiver<Option<EventSeq>>,
    wanted: Arc<Notify>,
}

impl RunIndexKeeper {
    /// Starts to fill the index, from `file` if it can; searches wait for it. The task ends with the database's
    /// writer.
    pub fn start(database: &Database, file: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let index = Arc::new(RwLock::new(RunIndex::new()));
        let (announce, applied) = watch::channel(None);
        let wanted = Arc::new(Notify::new());
        let (database, head) = (database.clone(), database.head());
        let saved = Saved { file: IndexFile::new(file), clock, position: EventSeq(0), saving: None };
        let keeping = Keeping { database, index: Arc::clone(&index), announce, wanted: wanted.clone() };
        tokio::spawn(keeping.run(saved));
        Self { index, head, applied, wanted }
    }
}

#[async_trait]
impl RunSearch for RunIndexKeeper {
    async fn search(&self, query: &RunQuery) -> Result<Page<RunSummary>, TrackingError> {
        let head = *self.head.borrow();
        let mut applied = self.applied.clone();
        let is_reached = |applied: &Option<EventSeq>| applied.is_some_and(|applied| applied >= head);
        if !is_reached(&applied.borrow()) {
            self.wanted.notify_one();
        }
        let reached = applied.wait_for(is_reached).await;
        let stopped = |_| StorageError::Unavailable("the index of runs has stopped".into());
        drop(reached.map_err(stopped)?);
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let RunQuery { workspace, experiments, view, filter, order, page } = query;
        let Page { items, next } = index.search((workspace, experiments), *view, filter, order, page)?;
        Ok(Page { items: items.into_iter().filter_map(|id| index.summary(id)).collect(), next })
    }
}

struct Keeping {
    database: Database,
    index: Arc<RwLock<RunIndex>>,
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
                *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
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

    /// Reads all summaries into a new index. The position is that of the first chunk: what came
    /// meanwhile is applied once more, which does no harm.
    async fn fill(&self) -> Result<EventSeq, StorageError> {
        let (mut index, mut last, mut position) = (RunIndex::new(), None, None);
        loop {
            let (chunk, head) = self.database.reader.summaries(last, CHUNK).await?;
            let position = *position.get_or_insert(head);
            let Some(end) = chunk.last() else {
                *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
                return Ok(position);
            };
            last = Some(end.run.id);
            for summary in chunk {
                index.put(summary);
            }
        }
    }
}
