//! Keeps the index of traces in memory: filled from the tables, then fed from the log of events.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::page::Page;
use mainstay_store::Database;
use mainstay_tracking::trace::error::TraceError;
use mainstay_tracking::trace::id::TraceId;
use mainstay_tracking::trace::index::{TraceIndex, touched_by};
use mainstay_tracking::trace::port::{TraceQuery, TraceReader as _, TraceSearch};
use tokio::sync::{Notify, watch};

/// How many traces, or events, are read at once.
const CHUNK: usize = 1_000;
/// How long to wait before trying again when the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long events gather before they are read together, unless a search waits for them.
const GATHER: Duration = Duration::from_millis(100);

/// The index, and how far in the log it is.
pub struct TraceIndexKeeper {
    index: Arc<RwLock<TraceIndex>>,
    head: watch::Receiver<EventSeq>,
    applied: watch::Receiver<Option<EventSeq>>,
    wanted: Arc<Notify>,
}

impl TraceIndexKeeper {
    /// Starts to fill the index; searches wait for it. The task ends with the database's writer.
    pub fn start(database: &Database) -> Self {
        let index = Arc::new(RwLock::new(TraceIndex::new()));
        let (announce, applied) = watch::channel(None);
        let wanted = Arc::new(Notify::new());
        let (database, head) = (database.clone(), database.head());
        let keeping = Keeping { database, index: Arc::clone(&index), announce, wanted: wanted.clone() };
        tokio::spawn(keeping.run());
        Self { index, head, applied, wanted }
    }
}

#[async_trait]
impl TraceSearch for TraceIndexKeeper {
    async fn search(&self, query: &TraceQuery) -> Result<Page<TraceId>, TraceError> {
        let head = *self.head.borrow();
        let mut applied = self.applied.clone();
        let is_reached = |applied: &Option<EventSeq>| applied.is_some_and(|applied| applied >= head);
        if !is_reached(&applied.borrow()) {
            self.wanted.notify_one();
        }
        let reached = applied.wait_for(is_reached).await;
        let stopped = |_| StorageError::Unavailable("the index of traces has stopped".into());
        drop(reached.map_err(stopped)?);
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        Ok(index.search(query)?)
    }
}

struct Keeping {
    database: Database,
    index: Arc<RwLock<TraceIndex>>,
    announce: watch::Sender<Option<EventSeq>>,
    /// Told by a search that waits.
    wanted: Arc<Notify>,
}

impl Keeping {
    async fn run(self) {
        // An event that cannot be read (erased, say) is passed over by filling the index anew.
        while let Err(error) = self.keep().await {
            tracing::warn!(%error, "the index of traces is built anew");
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
            let mut touched = Vec::new();
            for event in &events {
                touched.extend(touched_by(event)?);
            }
            applied = events.last().map_or(applied, |event| event.seq);
            is_behind = events.len() == CHUNK;
            self.read_again(touched).await?;
            self.announce.send_replace(Some(applied));
        }
        Ok(())
    }

    /// Reads traces as they are now; those that are not there are gone.
    async fn read_again(&self, mut touched: Vec<TraceId>) -> Result<(), StorageError> {
        touched.sort_unstable();
        touched.dedup();
        for ids in touched.chunks(CHUNK) {
            let found = self.database.reader.indexed(ids).await?;
            let is_found = |id: &TraceId| found.binary_search_by(|trace| trace.info.id.cmp(id)).is_ok();
            let gone: Vec<TraceId> = ids.iter().filter(|id| !is_found(id)).cloned().collect();
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            index.remove(&gone);
            for trace in found {
                index.put(trace);
            }
        }
        Ok(())
    }

    /// Reads all traces into a new index. The position is that of the first chunk: what came meanwhile is read
    /// once more, which does no harm.
    async fn fill(&self) -> Result<EventSeq, StorageError> {
        let (mut index, mut last, mut position) = (TraceIndex::new(), None, None);
        loop {
            let (chunk, head) = self.database.reader.all_indexed(last.as_ref(), CHUNK).await?;
            let position = *position.get_or_insert(head);
            let Some(end) = chunk.last() else {
                *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
                return Ok(position);
            };
            last = Some(end.info.id.clone());
            for trace in chunk {
                index.put(trace);
            }
        }
    }
}
