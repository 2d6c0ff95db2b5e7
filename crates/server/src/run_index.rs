//! Keeps the index of runs in memory: filled from the tables, then fed from the log of events.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::page::Page;
use mainstay_store::Database;
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::index::{RunIndex, RunSummary, changes_of};
use mainstay_tracking::port::{RunQuery, RunSearch, TrackingReader as _};
use tokio::sync::{Notify, watch};

/// How many runs, or events, are read at once.
const CHUNK: usize = 1_000;
/// How long to wait before trying again when the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long events gather before they are read together, unless a search waits for them.
const GATHER: Duration = Duration::from_millis(100);

/// The index, and how far in the log it is.
pub struct RunIndexKeeper {
    index: Arc<RwLock<RunIndex>>,
    head: watch::Receiver<EventSeq>,
    applied: watch::Receiver<Option<EventSeq>>,
    wanted: Arc<Notify>,
}

impl RunIndexKeeper {
    /// Starts to fill the index; searches wait for it. The task ends with the database's writer.
    pub fn start(database: &Database) -> Self {
        let index = Arc::new(RwLock::new(RunIndex::new()));
        let (announce, applied) = watch::channel(None);
        let wanted = Arc::new(Notify::new());
        let (database, head) = (database.clone(), database.head());
        let keeping = Keeping { database, index: Arc::clone(&index), announce, wanted: wanted.clone() };
        tokio::spawn(keeping.run());
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

impl Keeping {
    async fn run(self) {
        // An event that cannot be read (erased, say) is passed over by filling the index anew.
        while let Err(error) = self.keep().await {
            tracing::warn!(%error, "the index of runs is built anew");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Fills the index and follows the log until the writer stops.
    async fn keep(&self) -> Result<(), StorageError> {
        let mut applied = self.fill().await?;
        self.announce.send_replace(Some(applied));
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
