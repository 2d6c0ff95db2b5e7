//! Keeps the index of traces in memory: filled from the tables, then fed from the log of events.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_store::Database;
use mainstay_traces::correlation::{Counts, Overlap};
use mainstay_traces::error::TraceError;
use mainstay_traces::id::TraceId;
use mainstay_traces::index::{ColumnKind, TraceIndex, Values, Vocabulary, touched_by};
use mainstay_traces::metrics::{DataPoint, MetricQuery, Table, View};
use mainstay_traces::port::{TraceQuery, TraceReader as _, TraceScope, TraceSearch, TraceTable};
use mainstay_traces::search::{TraceFilter, ValueColumn};
use tokio::sync::{Notify, watch};

use crate::span_scan::{SpanScan, blocking};

/// How many traces, or events, are read at once.
const CHUNK: usize = 1_000;
/// How many traces are looked at first where spans are asked for.
const FIRST_PART: usize = 500;
/// The most that are put in order at once.
const LAST_PART: usize = 50_000;
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
    spans: SpanScan,
}

impl TraceIndexKeeper {
    /// Starts to fill the index; searches wait for it. The task ends with the database's writer.
    pub fn start(database: &Database) -> Self {
        let index = Arc::new(RwLock::new(TraceIndex::new()));
        let (announce, applied) = watch::channel(None);
        let wanted = Arc::new(Notify::new());
        let spans = SpanScan::new(database.reader.clone());
        let (database, head) = (database.clone(), database.head());
        let keeping = Keeping { database, index: Arc::clone(&index), announce, wanted: wanted.clone() };
        tokio::spawn(keeping.run());
        Self { index, head, applied, wanted, spans }
    }
}

impl TraceIndexKeeper {
    /// Asks the index, once it holds whatever was committed before.
    async fn ask<T>(&self, question: impl FnOnce(&TraceIndex) -> T + Send) -> Result<T, StorageError> {
        self.reached().await?;
        Ok(question(&self.index.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Waits until the index holds whatever was committed before.
    async fn reached(&self) -> Result<(), StorageError> {
        let head = *self.head.borrow();
        let mut applied = self.applied.clone();
        let is_reached = |applied: &Option<EventSeq>| applied.is_some_and(|applied| applied >= head);
        if !is_reached(&applied.borrow()) {
            self.wanted.notify_one();
        }
        let reached = applied.wait_for(is_reached).await;
        let stopped = |_| StorageError::Unavailable("the index of traces has stopped".into());
        reached.map(drop).map_err(stopped)
    }

    /// The traces that match in all; their spans are read if anything is asked of them.
    async fn matching(&self, scope: &TraceScope, filter: &TraceFilter) -> Result<Vec<TraceId>, StorageError> {
        let ids = self.ask(|index| index.wanted(scope, filter)).await?;
        if filter.spans().is_empty() {
            Ok(ids)
        } else {
            self.spans.having(ids, filter.spans(), usize::MAX).await
        }
    }

    /// A page of traces of whose spans something is asked: the index tells those that match otherwise, in order,
    /// and their spans are read until the page is full.
    async fn search_spans(&self, query: &TraceQuery) -> Result<Page<TraceId>, TraceError> {
        let (limit, mut found) = (query.page.limit, Vec::new());
        let mut part =
            TraceQuery { page: PageRequest { limit: FIRST_PART, ..query.page.clone() }, ..query.clone() };
        loop {
            let Page { items, next } = self.ask(|index| index.search(&part)).await??;
            // One more than the page, to learn whether there is a further one.
            let missing = limit.saturating_add(1).saturating_sub(found.len());
            found.extend(self.spans.having(items, query.filter.spans(), missing).await?);
            if found.len() > limit {
                found.truncate(limit);
                let next = match found.last() {
                    Some(last) => self.ask(|index| index.token_after(&query.order, last)).await?,
                    None => None,
                };
                return Ok(Page { items: found, next });
            }
            if next.is_none() {
                return Ok(Page { items: found, next: None });
            }
            part.page = PageRequest { limit: (part.page.limit * 10).min(LAST_PART), after: next };
        }
    }
}

#[async_trait]
impl TraceSearch for TraceIndexKeeper {
    async fn search(&self, query: &TraceQuery) -> Result<Page<TraceId>, TraceError> {
        if query.filter.spans().is_empty() {
            return Ok(self.ask(|index| index.search(query)).await??);
        }
        self.search_spans(query).await
    }

    async fn overlap(&self, question: &Overlap) -> Result<Counts, TraceError> {
        let total = self.matching(&question.scope, &question.base).await?;
        let first = self.matching(&question.scope, &question.first).await?;
        let second = self.matching(&question.scope, &question.second).await?;
        let both: HashSet<&TraceId> = first.iter().collect();
        Ok(Counts {
            total: total.len() as u64,
            first: first.len() as u64,
            second: second.len() as u64,
            joint: second.iter().filter(|id| both.contains(id)).count() as u64,
        })
    }

    async fn metrics(&self, query: &MetricQuery) -> Result<Vec<DataPoint>, TraceError> {
        let mut table = Table::default();
        if query.view == View::Spans {
            let traces = self.ask(|index| index.metric_traces(query)).await?;
            table = self.spans.observed(traces, query, table).await?;
        } else {
            self.reached().await?;
            let (index, query) = (Arc::clone(&self.index), query.clone());
            // Many traces take a while, and whoever answers requests must not wait for them.
            let observing = blocking(move || {
                let index = index.read().unwrap_or_else(PoisonError::into_inner);
                index.observe(&query, &mut table).map(|()| table)
            });
            table = observing.await??;
        }
        Ok(table.points(query))
    }
}

#[async_trait]
impl TraceTable for TraceIndexKeeper {
    async fn experiments_with_traces(&self, workspace: &Name) -> Result<Vec<ExperimentId>, StorageError> {
        self.ask(|index| index.experiments_of(workspace)).await
    }

    async fn count(&self, scope: &TraceScope, filter: &TraceFilter) -> Result<Option<usize>, StorageError> {
        if filter.spans().is_empty() {
            self.ask(|index| Some(index.count(scope, filter))).await
        } else {
            Ok(None)
        }
    }

    async fn vocabulary(
        &self,
        scope: &TraceScope,
        filter: &TraceFilter,
        kinds: &[ColumnKind],
        prefix: &str,
        limit: usize,
    ) -> Result<Vocabulary, StorageError> {
        self.ask(|index| index.vocabulary(scope, filter, kinds, prefix, limit)).await
    }

    async fn values(
        &self,
        scope: &TraceScope,
        filter: &TraceFilter,
        column: &ValueColumn,
        prefix: &str,
        limit: usize,
    ) -> Result<Values, StorageError> {
        self.ask(|index| index.values(scope, filter, column, prefix, limit)).await
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
            let is_found = |id: &TraceId| found.binary_search_by(|known| known.trace.info.id.cmp(id)).is_ok();
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
            last = Some(end.trace.info.id.clone());
            for trace in chunk {
                index.put(trace);
            }
        }
    }
}
