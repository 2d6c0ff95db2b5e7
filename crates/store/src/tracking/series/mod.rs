//! The port of series: blocks and what they come to. What is done with them is said in
//! [`mainstay_tracking::series`].

mod compact;
pub(super) mod history;
mod read;
mod write;

use mainstay_core::error::StorageError;

use crate::params;
use crate::reader::ReadTx;

/// Blocks of one read.
const PAGE: u64 = 64;

const BLOCKS: &str = "SELECT number, block FROM metric_blocks WHERE run = $1 AND key = $2 AND number > $3 \
    ORDER BY number LIMIT $4";
const LAST_SEGMENT: &str = "SELECT ordinal, number FROM metric_segments WHERE run = $1 AND key = $2 \
    ORDER BY ordinal DESC LIMIT 1";
const MEETING: &str = "SELECT s.ordinal, b.block FROM metric_segments s JOIN metric_blocks b ON b.run = s.run \
    AND b.key = s.key AND b.number = s.number WHERE s.run = $1 AND s.key = $2 AND s.ordinal >= $3 \
    AND s.max_step >= $4 AND s.min_step <= $5 AND s.max_ms >= $6 AND s.min_ms <= $7 ORDER BY s.ordinal LIMIT $8";

/// How many segments a metric has, and the number of the last one's block: blocks behind it are in no segment yet.
async fn sealed(tx: &mut ReadTx, run: &str, key: &str) -> Result<(u64, u64), StorageError> {
    let last = tx.query_one(LAST_SEGMENT, params![run, key]).await?;
    last.map_or(Ok((0, 0)), |row| Ok((row.count(0)? + 1, row.count(1)?)))
}

/// Hands out the blocks of a metric behind a number, in their order, a few at a time.
pub(super) async fn blocks_after(
    tx: &mut ReadTx,
    run: &str,
    key: &str,
    mut number: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), StorageError> + Send,
) -> Result<(), StorageError> {
    loop {
        let rows = tx.query(BLOCKS, params![run, key, number, PAGE]).await?;
        for row in &rows {
            number = row.count(0)?;
            take(row.blob(1)?)?;
        }
        if (rows.len() as u64) < PAGE {
            return Ok(());
        }
    }
}
