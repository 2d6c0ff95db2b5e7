//! Reads the spans of many traces, for what is asked of spans: they are not in memory.

use std::sync::Arc;

use mainstay_core::error::StorageError;
use mainstay_store::reader::Reader;
use mainstay_traces::error::TraceError;
use mainstay_traces::id::TraceId;
use mainstay_traces::metrics::{MetricQuery, Table};
use mainstay_traces::port::TraceReader as _;
use mainstay_traces::search::SpanFilter;
use mainstay_traces::stored::StoredSpans;
use tokio::sync::Semaphore;

/// How many traces are read at once.
const CHUNK: usize = 200;
/// How many questions read spans at once: each keeps a core and a connection busy.
const AT_ONCE: usize = 2;

/// Reads spans.
pub(crate) struct SpanScan {
    reader: Reader,
    turns: Semaphore,
}

impl SpanScan {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, turns: Semaphore::new(AT_ONCE) }
    }

    /// Those of the traces, in order, that have a span that is wanted: the first `most` of them.
    pub(crate) async fn having(
        &self,
        traces: Vec<TraceId>,
        filter: &SpanFilter,
        most: usize,
    ) -> Result<Vec<TraceId>, StorageError> {
        let _turn = self.turn().await?;
        let (filter, mut found) = (Arc::new(filter.clone()), Vec::new());
        for ids in traces.chunks(CHUNK) {
            if found.len() >= most {
                break;
            }
            let (spans, filter) = (self.reader.spans(ids).await?, Arc::clone(&filter));
            let chosen = blocking(move || wanted(&filter, spans)).await?;
            found.extend(chosen?);
        }
        found.truncate(most);
        Ok(found)
    }

    /// The table, with all spans of the traces.
    pub(crate) async fn observed(
        &self,
        traces: Vec<TraceId>,
        query: &MetricQuery,
        mut table: Table,
    ) -> Result<Table, TraceError> {
        let _turn = self.turn().await?;
        let query = Arc::new(query.clone());
        for ids in traces.chunks(CHUNK) {
            let (spans, query) = (self.reader.spans(ids).await?, Arc::clone(&query));
            let observing = blocking(move || {
                for (trace, spans) in spans {
                    table.observe_spans(&query, &trace, &spans)?;
                }
                Ok::<_, TraceError>(table)
            });
            table = observing.await??;
        }
        Ok(table)
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, StorageError> {
        self.turns.acquire().await.map_err(|error| StorageError::Failed(error.into()))
    }
}

fn wanted(filter: &SpanFilter, spans: Vec<(TraceId, StoredSpans)>) -> Result<Vec<TraceId>, StorageError> {
    let mut found = Vec::new();
    for (trace, spans) in spans {
        if filter.is_in(&trace, &spans)? {
            found.push(trace);
        }
    }
    Ok(found)
}

/// Unpacking takes a while, and whoever answers requests must not wait for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StorageError::Failed(error.into()))
}
