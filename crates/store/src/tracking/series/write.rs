//! The writing side.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_tracking::series::compaction::Merged;
use mainstay_tracking::series::port::SeriesTx;
use mainstay_tracking::series::segment::{Node, Segment, encode_repeats};

use crate::params;
use crate::tx::StoreTx;

const SEGMENTS: &str =
    "SELECT COALESCE(MAX(ordinal), -1) + 1 FROM metric_segments WHERE run = $1 AND key = $2";
const REMOVE_BLOCKS: &str =
    "DELETE FROM metric_blocks WHERE run = $1 AND key = $2 AND number >= $3 AND number <= $4";
const PUT_BLOCK: &str =
    "INSERT INTO metric_blocks (run, key, number, points, block) VALUES ($1, $2, $3, $4, $5)";
const INSERT_SEGMENT: &str = "INSERT INTO metric_segments (run, key, ordinal, number, min_step, max_step, \
    min_ms, max_ms, repeats) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const INSERT_NODE: &str = "INSERT INTO metric_summaries (run, key, tier, ordinal, min_step, max_step, min_ms, \
    max_ms, steps, elapsed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const SETTLE_DUE: &str = "DELETE FROM metric_due WHERE run = $1 AND key = $2";

#[async_trait]
impl SeriesTx for StoreTx {
    async fn segments(&mut self, run: RunId, key: &str) -> Result<u64, StorageError> {
        let row = self.query_one(SEGMENTS, params![run.to_string(), key]).await?;
        row.map_or(Ok(0), |row| row.count(0))
    }

    async fn remove_blocks(
        &mut self,
        run: RunId,
        key: &str,
        (first, last): (u64, u64),
    ) -> Result<u64, StorageError> {
        self.execute(REMOVE_BLOCKS, params![run.to_string(), key, first, last]).await
    }

    async fn put_merged(&mut self, run: RunId, key: &str, merged: &Merged) -> Result<(), StorageError> {
        let row = params![run.to_string(), key, merged.number, merged.points, merged.block.as_slice()];
        self.execute(PUT_BLOCK, row).await.map(drop)
    }

    async fn insert_segment(&mut self, run: RunId, key: &str, segment: &Segment) -> Result<(), StorageError> {
        let (steps, times) = (&segment.extent.steps, &segment.extent.times);
        let row = params![
            run.to_string(),
            key,
            segment.ordinal,
            segment.number,
            *steps.start(),
            *steps.end(),
            *times.start(),
            *times.end(),
            encode_repeats(&segment.repeats),
        ];
        self.execute(INSERT_SEGMENT, row).await.map(drop)
    }

    async fn insert_node(&mut self, run: RunId, key: &str, node: &Node) -> Result<(), StorageError> {
        let (steps, times) = (&node.extent.steps, &node.extent.times);
        let row = params![
            run.to_string(),
            key,
            node.tier,
            node.ordinal,
            *steps.start(),
            *steps.end(),
            *times.start(),
            *times.end(),
            node.steps.encode(),
            node.elapsed.encode(),
        ];
        self.execute(INSERT_NODE, row).await.map(drop)
    }

    async fn settle_due(&mut self, run: RunId, key: &str) -> Result<(), StorageError> {
        self.execute(SETTLE_DUE, params![run.to_string(), key]).await.map(drop)
    }
}
