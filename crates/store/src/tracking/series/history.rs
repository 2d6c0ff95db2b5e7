//! Histories page by page: of the blocks that are not touched again, only those that a page can need are read.

use mainstay_core::error::StorageError;
use mainstay_tracking::block;
use mainstay_tracking::metric::{Point, history, history_order};
use mainstay_tracking::series::segment::{decode_repeats, without_repeats};

use super::{blocks_after, sealed};
use crate::params;
use crate::reader::ReadTx;

const BY_TIME: &str = "SELECT ordinal, min_ms FROM metric_segments WHERE run = $1 AND key = $2 AND max_ms >= $3 \
    ORDER BY min_ms, ordinal";
const SEGMENT: &str = "SELECT s.repeats, b.block FROM metric_segments s JOIN metric_blocks b ON b.run = s.run \
    AND b.key = s.key AND b.number = s.number WHERE s.run = $1 AND s.key = $2 AND s.ordinal = $3";

/// The first so many points of a history behind one of them.
pub(in crate::tracking) async fn history_after(
    tx: &mut ReadTx,
    (run, key): (&str, &str),
    after: Option<Point>,
    limit: usize,
) -> Result<Vec<Point>, StorageError> {
    let is_behind = |point: &Point| after.as_ref().is_none_or(|after| history_order(point, after).is_gt());
    let (_, through) = sealed(tx, run, key).await?;
    let mut found = Vec::new();
    blocks_after(tx, run, key, through, |block| {
        let mut points = Vec::new();
        block::decode(block, &mut points)?;
        found.extend(points.into_iter().filter(is_behind));
        Ok(())
    })
    .await?;
    let from = after.map_or(i64::MIN, |after| after.timestamp_ms);
    for segment in tx.query(BY_TIME, params![run, key, from]).await? {
        let (ordinal, begins) = (segment.count(0)?, segment.int(1)?);
        if found.len() > limit {
            found = history(found);
            // No later segment has a point before this time.
            if found.partition_point(|point| point.timestamp_ms < begins) >= limit {
                break;
            }
        }
        let Some(row) = tx.query_one(SEGMENT, params![run, key, ordinal]).await? else { continue };
        let mut points = Vec::new();
        block::decode(row.blob(1)?, &mut points)?;
        let points = without_repeats(points, &decode_repeats(row.blob(0)?)?);
        found.extend(points.into_iter().filter(is_behind));
    }
    let mut found = history(found);
    found.truncate(limit);
    Ok(found)
}
