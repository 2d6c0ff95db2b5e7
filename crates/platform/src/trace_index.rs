//! Searches over traces, asked of their index in memory, and of their spans.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventSeq, RecordedEvent};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_store::Database;
use mainstay_store::reader::Reader;
use mainstay_traces::correlation::{Counts, Overlap};
use mainstay_traces::error::TraceError;
use mainstay_traces::id::TraceId;
use mainstay_traces::index::{ColumnKind, TraceIndex, Values, Vocabulary, touched_by};
use mainstay_traces::metrics::{DataPoint, MetricQuery, Table, View};
use mainstay_traces::port::{TraceQuery, TraceReader as _, TraceScope, TraceSearch, TraceTable};
use mainstay_traces::search::{TraceFilter, ValueColumn};

use crate::kept_index::{CHUNK, IndexSource, KeptIndex, locked};
use crate::span_scan::{SpanScan, blocking};

/// How many traces are looked at first where spans are asked for.
const FIRST_PART: usize = 500;
/// The most that are put in order at once.
const LAST_PART: usize = 50_000;
/// Answers searches over traces.
pub struct TraceIndexKeeper {
    index: KeptIndex<TraceIndex>,
    spans: SpanScan,
}

impl TraceIndexKeeper {
    /// Starts to fill the index; searches wait for it. The task ends with the database's writer.
    pub fn start(database: &Database) -> Self {
        let index = KeptIndex::start(database, TraceSource { reader: database.reader.clone() });
        Self { index, spans: SpanScan::new(database.reader.clone()) }
    }

    /// The traces that match in all; their spans are read if anything is asked of them.
    async fn matching(&self, scope: &TraceScope, filter: &TraceFilter) -> Result<Vec<TraceId>, StorageError> {
        let ids = self.index.ask(|index| index.wanted(scope, filter)).await?;
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
            let Page { items, next } = self.index.ask(|index| index.search(&part)).await??;
            // One more than the page, to learn whether there is a further one.
            let missing = limit.saturating_add(1).saturating_sub(found.len());
            found.extend(self.spans.having(items, query.filter.spans(), missing).await?);
            if found.len() > limit {
                found.truncate(limit);
                let next = match found.last() {
                    Some(last) => self.index.ask(|index| index.token_after(&query.order, last)).await?,
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
            return Ok(self.index.ask(|index| index.search(query)).await??);
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
            let traces = self.index.ask(|index| index.metric_traces(query)).await?;
            table = self.spans.observed(traces, query, table).await?;
        } else {
            let (index, query) = (Arc::clone(self.index.reached().await?), query.clone());
            // Many traces take a while, and whoever answers requests must not wait for them.
            let observing = blocking(move || locked(&index).observe(&query, &mut table).map(|()| table));
            table = observing.await??;
        }
        Ok(table.points(query))
    }
}

#[async_trait]
impl TraceTable for TraceIndexKeeper {
    async fn experiments_with_traces(&self, workspace: &Name) -> Result<Vec<ExperimentId>, StorageError> {
        self.index.ask(|index| index.experiments_of(workspace)).await
    }

    async fn count(&self, scope: &TraceScope, filter: &TraceFilter) -> Result<Option<usize>, StorageError> {
        if filter.spans().is_empty() {
            self.index.ask(|index| Some(index.count(scope, filter))).await
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
        self.index.ask(|index| index.vocabulary(scope, filter, kinds, prefix, limit)).await
    }

    async fn values(
        &self,
        scope: &TraceScope,
        filter: &TraceFilter,
        column: &ValueColumn,
        prefix: &str,
        limit: usize,
    ) -> Result<Values, StorageError> {
        self.index.ask(|index| index.values(scope, filter, column, prefix, limit)).await
    }
}

/// All traces, of which events tell only which are to be read again.
struct TraceSource {
    reader: Reader,
}

#[async_trait]
impl IndexSource for TraceSource {
    type Index = TraceIndex;
    type Id = TraceId;
    const WHAT: &'static str = "traces";

    async fn read(
        &self,
        index: &mut TraceIndex,
        after: Option<TraceId>,
    ) -> Result<(Option<TraceId>, EventSeq), StorageError> {
        let (chunk, head) = self.reader.all_indexed(after.as_ref(), CHUNK).await?;
        let last = chunk.last().map(|trace| trace.trace.info.id.clone());
        for trace in chunk {
            index.put(trace);
        }
        Ok((last, head))
    }

    /// Reads traces as they are now; those that are not there are gone.
    async fn apply(&self, index: &RwLock<TraceIndex>, events: &[RecordedEvent]) -> Result<(), StorageError> {
        let mut touched = Vec::new();
        for event in events {
            touched.extend(touched_by(event)?);
        }
        touched.sort_unstable();
        touched.dedup();
        for ids in touched.chunks(CHUNK) {
            let found = self.reader.indexed(ids).await?;
            let is_found = |id: &TraceId| found.binary_search_by(|known| known.trace.info.id.cmp(id)).is_ok();
            let gone: Vec<TraceId> = ids.iter().filter(|id| !is_found(id)).cloned().collect();
            let mut index = index.write().unwrap_or_else(PoisonError::into_inner);
            index.remove(&gone);
            for trace in found {
                index.put(trace);
            }
        }
        Ok(())
    }
}
