//! What traces need of a store. `None` means that there is no such thing.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};

use crate::assessment::{AssessedTrace, Assessment, AssessmentId};
use crate::batch::Block;
use crate::correlation::{Counts, Overlap};
use crate::error::TraceError;
use crate::id::TraceId;
use crate::index::{ColumnKind, IndexedTrace, Values, Vocabulary};
use crate::info::{Pairs, TraceInfo};
use crate::metrics::{DataPoint, MetricQuery};
use crate::search::{TraceFilter, TraceOrder, ValueColumn};
use crate::stored::StoredSpans;
use crate::usage::Node;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::{ExperimentError, ExperimentTx};

/// What the commands on traces write through.
///
/// A trace is looked up in whatever workspace it is, since its id is taken everywhere; the commands ask
/// [`ExperimentTx::experiment`] whether it is theirs to touch.
#[async_trait]
pub trait TraceTx: ExperimentTx {
    /// A trace, with its tags and metadata.
    async fn trace(&mut self, id: &TraceId) -> Result<Option<TraceInfo>, StorageError>;
    /// Adds a trace, if there may be one more, or replaces it; but for its tags and metadata. It is one of this
    /// workspace.
    async fn put_trace(&mut self, info: &TraceInfo) -> Result<(), ExperimentError>;
    /// Sets tags.
    async fn put_trace_tags(&mut self, id: &TraceId, tags: &Pairs) -> Result<(), StorageError>;
    /// Removes a tag; `false` if there was none.
    async fn delete_trace_tag(&mut self, id: &TraceId, key: &str) -> Result<bool, StorageError>;
    /// Sets metadata.
    async fn put_trace_metadata(&mut self, id: &TraceId, metadata: &Pairs) -> Result<(), StorageError>;
    /// Appends encoded spans.
    async fn append_spans(&mut self, id: &TraceId, block: &Block) -> Result<(), StorageError>;
    /// What sums need of all spans that a trace has, in the order in which they came.
    async fn span_outlines(&mut self, id: &TraceId) -> Result<Vec<Node>, StorageError>;
    /// Notes that a trace belongs to a run, whether or not either exists.
    async fn link_trace_to_run(&mut self, id: &TraceId, run: &str) -> Result<(), StorageError>;
    /// Notes that a trace used a version of a prompt: `name/version`.
    async fn link_trace_to_prompt(&mut self, id: &TraceId, prompt: &str) -> Result<(), StorageError>;
    /// What is said of a trace, in the order in which it was said.
    async fn assessments(&mut self, trace: &TraceId) -> Result<Vec<Assessment>, StorageError>;
    /// One of them.
    async fn assessment(
        &mut self,
        trace: &TraceId,
        id: &AssessmentId,
    ) -> Result<Option<Assessment>, StorageError>;
    /// Adds an assessment, or replaces it; it keeps its place.
    async fn put_assessment(&mut self, assessment: &Assessment) -> Result<(), StorageError>;
    /// Removes an assessment, if it is there.
    async fn delete_assessment(&mut self, trace: &TraceId, id: &AssessmentId) -> Result<(), StorageError>;
    /// The traces of an experiment that began no later than that, the oldest first.
    async fn traces_until(
        &mut self,
        experiment: ExperimentId,
        max_ms: i64,
        limit: usize,
    ) -> Result<Vec<TraceId>, StorageError>;
    /// Removes a trace of an experiment, with all that hangs on it; `false` if there was none.
    async fn delete_trace(&mut self, experiment: ExperimentId, id: &TraceId) -> Result<bool, StorageError>;
}

/// What readers of traces ask.
#[async_trait]
pub trait TraceReader: Send + Sync {
    /// Traces by id, in the order asked for; those that do not exist in this workspace are left out.
    async fn traces(&self, workspace: &Name, ids: &[TraceId]) -> Result<Vec<AssessedTrace>, StorageError>;
    /// A trace with its spans; both of one state.
    async fn trace_with_spans(
        &self,
        workspace: &Name,
        id: &TraceId,
    ) -> Result<Option<(AssessedTrace, StoredSpans)>, StorageError>;
    /// The spans of these traces, in all workspaces; those that have none are left out.
    async fn spans(&self, ids: &[TraceId]) -> Result<Vec<(TraceId, StoredSpans)>, StorageError>;
    /// What the index knows of these traces, in all workspaces; those that do not exist are left out.
    async fn indexed(&self, ids: &[TraceId]) -> Result<Vec<IndexedTrace>, StorageError>;
    /// What the index knows of all traces in all workspaces, in chunks, for building it, with the position in
    /// the log that they reflect at least.
    async fn all_indexed(
        &self,
        after: Option<&TraceId>,
        limit: usize,
    ) -> Result<(Vec<IndexedTrace>, EventSeq), StorageError>;
}

/// Among which traces is looked.
#[derive(Debug, Clone)]
pub struct TraceScope {
    /// Those of this workspace.
    pub workspace: Name,
    /// Of these experiments.
    pub experiments: Vec<ExperimentId>,
}

/// Which traces are wanted, and how.
#[derive(Debug, Clone)]
pub struct TraceQuery {
    /// Among which.
    pub scope: TraceScope,
    /// Which.
    pub filter: TraceFilter,
    /// In which order.
    pub order: TraceOrder,
    /// Which part of them.
    pub page: PageRequest,
}

/// Searches over all traces, as [`TraceIndex`](super::index::TraceIndex) does.
#[async_trait]
pub trait TraceSearch: Send + Sync {
    /// One page of the ids of traces. Whatever was committed before the call is in it.
    async fn search(&self, query: &TraceQuery) -> Result<Page<TraceId>, TraceError>;
    /// How many traces match two filters, and both.
    async fn overlap(&self, question: &Overlap) -> Result<Counts, TraceError>;
    /// Sums over traces, spans or assessments.
    async fn metrics(&self, query: &MetricQuery) -> Result<Vec<DataPoint>, TraceError>;
}

/// Searches over all traces, and what a search box completes; what is asked of spans is not looked at there.
#[async_trait]
pub trait TraceTable: TraceSearch {
    /// The experiments of a workspace that have traces.
    async fn experiments_with_traces(&self, workspace: &Name) -> Result<Vec<ExperimentId>, StorageError>;
    /// How many traces are wanted; `None` if spans would have to be read to know.
    async fn count(&self, scope: &TraceScope, filter: &TraceFilter) -> Result<Option<usize>, StorageError>;
    /// The columns of these kinds that wanted traces have, whose keys begin so; at most so many.
    async fn vocabulary(
        &self,
        scope: &TraceScope,
        filter: &TraceFilter,
        kinds: &[ColumnKind],
        prefix: &str,
        limit: usize,
    ) -> Result<Vocabulary, StorageError>;
    /// The values of a column that wanted traces have and that begin so; at most so many.
    async fn values(
        &self,
        scope: &TraceScope,
        filter: &TraceFilter,
        column: &ValueColumn,
        prefix: &str,
        limit: usize,
    ) -> Result<Values, StorageError>;
}
