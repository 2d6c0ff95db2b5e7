//! What charts show: from the topmost nodes down to single points.

use std::ops::{Range, RangeInclusive};

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_tracking::block;
use mainstay_tracking::metric::Point;
use mainstay_tracking::series::axis::{Coordinate, Extent};
use mainstay_tracking::series::compaction::{Compaction, Shape, below, highest_tier, topmost};
use mainstay_tracking::series::distinct::Distinct;
use mainstay_tracking::series::drawing::{Drawing, Drawn};
use mainstay_tracking::series::port::{Due, SeriesReader};
use mainstay_tracking::series::query::{Found, Series, SeriesAnswer, SeriesQuery, Wanted};
use mainstay_tracking::series::segment::{decode_repeats, without_repeats};
use mainstay_tracking::series::summary::Summary;

use super::{MEETING, PAGE, blocks_after, compact, sealed};
use crate::params;
use crate::reader::{ReadTx, Reader};
use crate::value::Row;

const START: &str = "SELECT start_ms FROM runs WHERE id = $1 AND workspace = $2";
const CALLS: &str = "SELECT COALESCE(MAX(number), 0) FROM metric_blocks WHERE run = $1 AND key = $2";
const EXTENT: &str = "SELECT MIN(min_step), MAX(max_step), MIN(min_ms), MAX(max_ms) FROM metric_segments \
    WHERE run = $1 AND key = $2";
const NODES_BY_STEP: &str = "SELECT ordinal, steps FROM metric_summaries WHERE run = $1 AND key = $2 \
    AND tier = $3 AND ordinal >= $4 AND ordinal < $5 AND max_step >= $6 AND min_step <= $7 ORDER BY ordinal";
const NODES_BY_TIME: &str = "SELECT ordinal, elapsed FROM metric_summaries WHERE run = $1 AND key = $2 \
    AND tier = $3 AND ordinal >= $4 AND ordinal < $5 AND max_ms >= $6 AND min_ms <= $7 ORDER BY ordinal";
const SEGMENTS_BY_STEP: &str = "SELECT s.repeats, b.block FROM metric_segments s JOIN metric_blocks b \
    ON b.run = s.run AND b.key = s.key AND b.number = s.number WHERE s.run = $1 AND s.key = $2 \
    AND s.ordinal >= $3 AND s.ordinal < $4 AND s.max_step >= $5 AND s.min_step <= $6 ORDER BY s.ordinal";
const SEGMENTS_BY_TIME: &str = "SELECT s.repeats, b.block FROM metric_segments s JOIN metric_blocks b \
    ON b.run = s.run AND b.key = s.key AND b.number = s.number WHERE s.run = $1 AND s.key = $2 \
    AND s.ordinal >= $3 AND s.ordinal < $4 AND s.max_ms >= $5 AND s.min_ms <= $6 ORDER BY s.ordinal";

#[async_trait]
impl SeriesReader for Reader {
    async fn series(&self, workspace: &Name, query: &SeriesQuery) -> Result<SeriesAnswer, StorageError> {
        let (workspace, query) = (workspace.clone(), query.clone());
        self.read(move |tx| Box::pin(async move { answer(tx, &workspace, &query).await })).await
    }

    async fn due(&self, after: Option<(RunId, String)>, limit: usize) -> Result<Vec<Due>, StorageError> {
        self.read(move |tx| Box::pin(async move { compact::due(tx, after.as_ref(), limit).await })).await
    }

    async fn compaction(&self, due: &Due, shape: Shape) -> Result<Option<Compaction>, StorageError> {
        let due = due.clone();
        self.read(move |tx| Box::pin(async move { compact::prepare(tx, &due, shape).await })).await
    }
}

async fn answer(
    tx: &mut ReadTx,
    workspace: &Name,
    query: &SeriesQuery,
) -> Result<SeriesAnswer, StorageError> {
    let (mut metrics, mut found) = (Vec::new(), Vec::new());
    for wanted in &query.wanted {
        let metric = find(tx, workspace, wanted).await?;
        found.push(metric.as_ref().map(|metric| metric.found.clone()));
        metrics.push(metric);
    }
    let frame = query.frame(&found);
    let mut series = Vec::with_capacity(metrics.len());
    for (metric, wanted) in metrics.into_iter().zip(&query.wanted) {
        let Some(metric) = metric else {
            series.push(Series::Empty);
            continue;
        };
        let (grid, version) = query.grid(&frame, &metric.found);
        if wanted.known.as_ref() == Some(&version) {
            series.push(Series::Unchanged { version });
            continue;
        }
        let start_ms = metric.found.start_ms;
        let drawn = match grid {
            None => Drawn::Points(Vec::new()),
            Some(grid) => {
                let drawing = Drawing::new(query.axis.coordinate(), start_ms, grid, query.buckets);
                draw(tx, &metric, drawing).await?
            }
        };
        series.push(Series::Drawn { version, start_ms, drawn });
    }
    Ok(SeriesAnswer { frame, series })
}

/// A metric that has points.
struct Metric {
    run: String,
    key: String,
    found: Found,
    /// How many segments it has.
    segments: u64,
    /// The number of the last one's block; blocks behind it are in no segment yet.
    through: u64,
}

/// What is known of a metric without drawing it; `None` if it has no point.
async fn find(tx: &mut ReadTx, workspace: &Name, wanted: &Wanted) -> Result<Option<Metric>, StorageError> {
    let (run, key) = (wanted.run.to_string(), wanted.key.clone());
    let Some(row) = tx.query_one(START, params![&run, workspace.as_str()]).await? else { return Ok(None) };
    let start_ms = row.int(0)?;
    let calls = tx.query_one(CALLS, params![&run, &key]).await?.map_or(Ok(0), |row| row.count(0))?;
    if calls == 0 {
        return Ok(None);
    }
    let (segments, through) = sealed(tx, &run, &key).await?;
    let mut extent = None;
    if segments > 0
        && let Some(row) = tx.query_one(EXTENT, params![&run, &key]).await?
    {
        extent = Some(Extent { steps: row.int(0)?..=row.int(1)?, times: row.int(2)?..=row.int(3)? });
    }
    blocks_after(tx, &run, &key, through, |block| {
        let mut points = Vec::new();
        block::decode(block, &mut points)?;
        let own = Extent::of(&points);
        extent = match (extent.take(), own) {
            (Some(extent), Some(own)) => Some(extent.with(&own)),
            (one, other) => one.or(other),
        };
        Ok(())
    })
    .await?;
    let found = extent.map(|extent| Found { start_ms, calls, extent });
    Ok(found.map(|found| Metric { run, key, found, segments, through }))
}

async fn draw(tx: &mut ReadTx, metric: &Metric, mut drawing: Drawing) -> Result<Drawn, StorageError> {
    let mut newest = Vec::new();
    blocks_after(tx, &metric.run, &metric.key, metric.through, |block| {
        let mut points = Vec::new();
        block::decode(block, &mut points)?;
        newest.extend(points.into_iter().filter(|point| drawing.shows(point)));
        Ok(())
    })
    .await?;
    let mut newest = Distinct::new(newest);
    if let Some(extent) = newest.extent().filter(|_| metric.segments > 0) {
        remove_known(tx, (metric.run.as_str(), metric.key.as_str()), &mut newest, &extent).await?;
    }
    drawing.add_points(newest.points());
    add_segments(tx, metric, &mut drawing).await?;
    if drawing.lacks_points() {
        drawing = drawing.of_points();
        drawing.add_points(newest.points());
        add_segments(tx, metric, &mut drawing).await?;
    }
    Ok(drawing.finish())
}

/// Takes out the points that are in segments. Looks at those alone that reach into both their steps and times: none,
/// if points are logged in any order that goes on.
pub(super) async fn remove_known(
    tx: &mut ReadTx,
    (run, key): (&str, &str),
    points: &mut Distinct,
    extent: &Extent,
) -> Result<(), StorageError> {
    let (steps, times) = (&extent.steps, &extent.times);
    let mut from = 0;
    loop {
        let values =
            params![run, key, from, *steps.start(), *steps.end(), *times.start(), *times.end(), PAGE];
        let rows = tx.query(MEETING, values).await?;
        for row in &rows {
            from = row.count(0)? + 1;
            let mut known = Vec::new();
            block::decode(row.blob(1)?, &mut known)?;
            points.remove(&known);
        }
        if (rows.len() as u64) < PAGE {
            return Ok(());
        }
    }
}

/// Adds what is in segments.
async fn add_segments(tx: &mut ReadTx, metric: &Metric, drawing: &mut Drawing) -> Result<(), StorageError> {
    let bounds = drawing.bounds();
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for tier in (1..=highest_tier(metric.segments)).rev() {
        add_range(&mut ranges, topmost(metric.segments, tier));
        let mut finer = Vec::new();
        for range in ranges {
            for row in nodes(tx, metric, tier, &range, drawing.coordinate(), &bounds).await? {
                let summary = Summary::decode(drawing.coordinate(), row.blob(1)?)?;
                if drawing.takes(summary.level()) {
                    drawing.add_summary(&summary);
                } else {
                    add_range(&mut finer, below(row.count(0)?));
                }
            }
        }
        ranges = finer;
    }
    add_range(&mut ranges, topmost(metric.segments, 0));
    for range in ranges {
        let mut from = range.start;
        while from < range.end {
            let to = range.end.min(from + PAGE);
            add_points(tx, metric, &(from..to), drawing, &bounds).await?;
            from = to;
        }
    }
    Ok(())
}

/// Adds a range behind others, which it may go on from.
fn add_range(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ if range.is_empty() => {}
        _ => ranges.push(range),
    }
}

/// Nodes that lie in bounds: their ordinals and summaries.
async fn nodes(
    tx: &mut ReadTx,
    metric: &Metric,
    tier: u32,
    range: &Range<u64>,
    coordinate: Coordinate,
    bounds: &RangeInclusive<i64>,
) -> Result<Vec<Row>, StorageError> {
    let sql = match coordinate {
        Coordinate::Step => NODES_BY_STEP,
        Coordinate::Elapsed => NODES_BY_TIME,
    };
    let (run, key) = (&metric.run, &metric.key);
    tx.query(sql, params![run, key, tier, range.start, range.end, *bounds.start(), *bounds.end()]).await
}

/// Adds the points of segments, those left out that were there before.
async fn add_points(
    tx: &mut ReadTx,
    metric: &Metric,
    range: &Range<u64>,
    drawing: &mut Drawing,
    bounds: &RangeInclusive<i64>,
) -> Result<(), StorageError> {
    let sql = match drawing.coordinate() {
        Coordinate::Step => SEGMENTS_BY_STEP,
        Coordinate::Elapsed => SEGMENTS_BY_TIME,
    };
    let (run, key) = (&metric.run, &metric.key);
    let values = params![run, key, range.start, range.end, *bounds.start(), *bounds.end()];
    for row in tx.query(sql, values).await? {
        let mut points: Vec<Point> = Vec::new();
        block::decode(row.blob(1)?, &mut points)?;
        drawing.add_points(&without_repeats(points, &decode_repeats(row.blob(0)?)?));
    }
    Ok(())
}
