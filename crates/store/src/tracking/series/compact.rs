//! What is to be merged, read and prepared outside the writer.

use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_tracking::block::{self, Calls};
use mainstay_tracking::metric::Point;
use mainstay_tracking::series::axis::{Coordinate, Extent};
use mainstay_tracking::series::compaction::{Compaction, Merged, Plan, Shape, Waiting, below, completed_by};
use mainstay_tracking::series::distinct::Distinct;
use mainstay_tracking::series::port::Due;
use mainstay_tracking::series::segment::{Node, Segment, decode_repeats, without_repeats};
use mainstay_tracking::series::summary::Summary;

use super::read::remove_known;
use super::sealed;
use crate::params;
use crate::reader::ReadTx;
use crate::value::Row;

/// Most waiting blocks that are looked at together.
const MOST_WAITING: usize = 4_096;

const DUE: &str = "SELECT d.run, d.key, r.workspace, r.start_ms FROM metric_due d JOIN runs r ON r.id = d.run \
    WHERE d.run > $1 OR (d.run = $1 AND d.key > $2) ORDER BY d.run, d.key LIMIT $3";
const WAITING: &str = "SELECT number, points FROM metric_blocks WHERE run = $1 AND key = $2 AND number > $3 \
    ORDER BY number LIMIT $4";
const BETWEEN: &str = "SELECT block FROM metric_blocks WHERE run = $1 AND key = $2 AND number >= $3 \
    AND number <= $4 ORDER BY number";
const SEGMENT: &str = "SELECT s.min_step, s.max_step, s.min_ms, s.max_ms, s.repeats, b.block \
    FROM metric_segments s JOIN metric_blocks b ON b.run = s.run AND b.key = s.key AND b.number = s.number \
    WHERE s.run = $1 AND s.key = $2 AND s.ordinal = $3";
const NODE: &str = "SELECT min_step, max_step, min_ms, max_ms, steps, elapsed FROM metric_summaries \
    WHERE run = $1 AND key = $2 AND tier = $3 AND ordinal = $4";

/// The metrics whose blocks are to be looked at, behind one of them.
pub(super) async fn due(
    tx: &mut ReadTx,
    after: Option<&(RunId, String)>,
    limit: usize,
) -> Result<Vec<Due>, StorageError> {
    // '' sorts before every id.
    let (run, key) = after.map_or((String::new(), ""), |(run, key)| (run.to_string(), key.as_str()));
    let rows = tx.query(DUE, params![run, key, limit as u64]).await?;
    let due = |row: &Row| {
        Ok(Due {
            run: row.parsed(0)?,
            key: row.text(1)?.to_owned(),
            workspace: row.parsed(2)?,
            start_ms: row.int(3)?,
        })
    };
    rows.iter().map(due).collect()
}

/// What is to be done next with a metric's blocks.
pub(super) async fn prepare(
    tx: &mut ReadTx,
    due: &Due,
    shape: Shape,
) -> Result<Option<Compaction>, StorageError> {
    let run = due.run.to_string();
    let (segments, through) = sealed(tx, &run, &due.key).await?;
    let mut metric = Metric { tx, run, due, shape };
    let waiting = metric.waiting(through).await?;
    let Some(plan) = shape.plan(&waiting) else { return Ok(None) };
    let range = plan.range();
    let taken = waiting.get(range.clone()).unwrap_or_default();
    let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return Ok(None) };
    let mut calls = metric.calls(first.number, last.number).await?;
    let (mut merged, mut sealing) = (Vec::new(), None);
    if let Plan::Seal(_) = plan {
        let front = calls.take_front(shape.seal);
        let number = last.number.saturating_sub(calls.count());
        merged.push(Merged::of(&front, number));
        sealing = Some(metric.seal(segments, number, front).await?);
    }
    if !calls.points().is_empty() {
        merged.push(Merged::of(&calls, last.number));
    }
    let left = merged.iter().skip(sealing.iter().len());
    let left = left.map(|merged| Waiting { number: merged.number, points: merged.points });
    let mut then = waiting.clone();
    drop(then.splice(range, left));
    let is_last = waiting.len() < MOST_WAITING && shape.plan(&then).is_none();
    let (replaced, count) = ((first.number, last.number), taken.len() as u64);
    Ok(Some(Compaction { segments, replaced, count, merged, sealed: sealing, is_last }))
}

struct Metric<'a> {
    tx: &'a mut ReadTx,
    run: String,
    due: &'a Due,
    shape: Shape,
}

impl Metric<'_> {
    async fn waiting(&mut self, through: u64) -> Result<Vec<Waiting>, StorageError> {
        let values = params![&self.run, &self.due.key, through, MOST_WAITING as u64];
        let rows = self.tx.query(WAITING, values).await?;
        let waiting = |row: &Row| Ok(Waiting { number: row.count(0)?, points: row.count(1)? });
        rows.iter().map(waiting).collect()
    }

    async fn calls(&mut self, first: u64, last: u64) -> Result<Calls, StorageError> {
        let mut calls = Calls::default();
        for row in self.tx.query(BETWEEN, params![&self.run, &self.due.key, first, last]).await? {
            calls.append(row.blob(0)?)?;
        }
        Ok(calls)
    }

    /// The segment that calls become, and the nodes that are whole with it.
    async fn seal(
        &mut self,
        ordinal: u64,
        number: u64,
        calls: Calls,
    ) -> Result<(Segment, Vec<Node>), StorageError> {
        let logged = calls.into_points();
        let nothing = || StorageError::Corrupt(format!("block {number} of a metric has no points"));
        let extent = Extent::of(&logged).ok_or_else(nothing)?;
        let mut own = Distinct::new(logged.clone());
        remove_known(self.tx, (self.run.as_str(), self.due.key.as_str()), &mut own, &extent).await?;
        let repeats = own.repeats_in(&logged);
        drop(logged);
        let segment = Segment { ordinal, number, extent, repeats };
        let mut nodes: Vec<Node> = Vec::new();
        for (tier, of_tier) in completed_by(ordinal) {
            let node = match nodes.last() {
                None => self.sum_up_segments(of_tier, &segment, own.points()).await?,
                Some(below) => self.sum_up_nodes(tier, of_tier, below.clone()).await?,
            };
            nodes.push(node);
        }
        Ok((segment, nodes))
    }

    async fn sum_up_segments(
        &mut self,
        ordinal: u64,
        newest: &Segment,
        own: &[Point],
    ) -> Result<Node, StorageError> {
        let (start_ms, most) = (self.due.start_ms, self.shape.most_buckets(1));
        let mut node = Node::new(1, ordinal, newest.extent.clone());
        node.add_points(own, &newest.extent, start_ms, most);
        for segment in below(ordinal).take_while(|segment| *segment < newest.ordinal) {
            let values = params![&self.run, &self.due.key, segment];
            let row = self.tx.query_one(SEGMENT, values).await?.ok_or_else(|| missing(0, segment))?;
            let mut points = Vec::new();
            block::decode(row.blob(5)?, &mut points)?;
            let points = without_repeats(points, &decode_repeats(row.blob(4)?)?);
            node.add_points(&points, &extent(&row)?, start_ms, most);
        }
        Ok(node)
    }

    async fn sum_up_nodes(&mut self, tier: u32, ordinal: u64, newest: Node) -> Result<Node, StorageError> {
        let most = self.shape.most_buckets(tier);
        let older = below(ordinal).take_while(|below| *below < newest.ordinal).collect::<Vec<_>>();
        let mut node = Node::new(tier, ordinal, newest.extent.clone());
        node.add(newest, most);
        for below in older {
            let values = params![&self.run, &self.due.key, tier - 1, below];
            let row = self.tx.query_one(NODE, values).await?.ok_or_else(|| missing(tier - 1, below))?;
            let steps = Summary::decode(Coordinate::Step, row.blob(4)?)?;
            let elapsed = Summary::decode(Coordinate::Elapsed, row.blob(5)?)?;
            node.add(Node { tier: tier - 1, ordinal: below, extent: extent(&row)?, steps, elapsed }, most);
        }
        Ok(node)
    }
}

/// `min_step, max_step, min_ms, max_ms` from the first column on.
fn extent(row: &Row) -> Result<Extent, StorageError> {
    Ok(Extent { steps: row.int(0)?..=row.int(1)?, times: row.int(2)?..=row.int(3)? })
}

fn missing(tier: u32, ordinal: u64) -> StorageError {
    StorageError::Corrupt(format!("of a metric's points, part {ordinal} of tier {tier} is not there"))
}
