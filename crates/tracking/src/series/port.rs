//! What series need of a store.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;

use super::compaction::{Compaction, Merged, Shape};
use super::query::{SeriesAnswer, SeriesQuery};
use super::segment::{Node, Segment};

/// A metric whose blocks are to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Where its run is.
    pub workspace: Name,
    /// Whose.
    pub run: RunId,
    /// When the run started, in milliseconds since 1970.
    pub start_ms: i64,
    /// Which.
    pub key: String,
}

/// What readers of series ask.
#[async_trait]
pub trait SeriesReader: Send + Sync {
    /// Metrics for a chart: one committed state. A run that is not in the workspace has no points.
    async fn series(&self, workspace: &Name, query: &SeriesQuery) -> Result<SeriesAnswer, StorageError>;

    /// Metrics of all workspaces whose blocks are to be looked at: the first so many behind `after`, by run and key.
    async fn due(&self, after: Option<(RunId, String)>, limit: usize) -> Result<Vec<Due>, StorageError>;

    /// What is to be done next with a metric's blocks; `None` if nothing. Memory is bounded by the shape.
    async fn compaction(&self, due: &Due, shape: Shape) -> Result<Option<Compaction>, StorageError>;
}

/// What compaction writes through. None of this changes a point, so none of it leaves an event.
#[async_trait]
pub trait SeriesTx: Journal {
    /// How many segments a metric has.
    async fn segments(&mut self, run: RunId, key: &str) -> Result<u64, StorageError>;

    /// Removes the blocks from one number to another, both included; how many those were.
    async fn remove_blocks(
        &mut self,
        run: RunId,
        key: &str,
        numbers: (u64, u64),
    ) -> Result<u64, StorageError>;

    /// Puts a merged block where those were that it stands for.
    async fn put_merged(&mut self, run: RunId, key: &str, merged: &Merged) -> Result<(), StorageError>;

    /// Adds a segment.
    async fn insert_segment(&mut self, run: RunId, key: &str, segment: &Segment) -> Result<(), StorageError>;

    /// Adds a node.
    async fn insert_node(&mut self, run: RunId, key: &str, node: &Node) -> Result<(), StorageError>;

    /// Notes that a metric's blocks need not be looked at before more is logged.
    async fn settle_due(&mut self, run: RunId, key: &str) -> Result<(), StorageError>;
}
