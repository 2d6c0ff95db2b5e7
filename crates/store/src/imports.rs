//! How far imports are, and the blocks of metric points as whoever checks an import reads them.

use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_tracking::block;
use mainstay_tracking::metric::Point;

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;

const BLOCKS_AFTER: &str = "SELECT number, block FROM metric_blocks WHERE run = $1 AND key = $2 AND number > $3 \
    ORDER BY number LIMIT $4";

impl StoreTx {
    /// Notes how far the import from `source` is. What it says is the importer's own matter.
    pub async fn put_import(&mut self, source: &str, state: &str) -> Result<(), StorageError> {
        let sql = "INSERT INTO imports (source, state) VALUES ($1, $2) \
            ON CONFLICT (source) DO UPDATE SET state = excluded.state";
        self.execute(sql, params![source, state]).await.map(drop)
    }
}

/// Some points of a metric, in the order in which they were stored.
#[derive(Debug, Default)]
pub struct PointChunk {
    /// The points.
    pub points: Vec<Point>,
    /// Where the next chunk begins.
    pub after: u64,
}

impl Reader {
    /// How far the import from `source` is; `None` if there never was one.
    pub async fn import(&self, source: &str) -> Result<Option<String>, StorageError> {
        let rows = self.rows("SELECT state FROM imports WHERE source = $1", params![source]).await?;
        rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    /// The points of a metric in its next `blocks` blocks behind block `after`; without points at the end.
    pub async fn points_after(
        &self,
        run: RunId,
        key: &str,
        after: u64,
        blocks: usize,
    ) -> Result<PointChunk, StorageError> {
        let rows = self.rows(BLOCKS_AFTER, params![run.to_string(), key, after, blocks as u64]).await?;
        let mut chunk = PointChunk { points: Vec::new(), after };
        for row in rows {
            chunk.after = row.count(0)?;
            block::decode(row.blob(1)?, &mut chunk.points)?;
        }
        Ok(chunk)
    }
}
