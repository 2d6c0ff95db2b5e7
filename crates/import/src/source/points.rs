//! `metrics`: all points of all metrics, run by run.

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_store::params;
use mainstay_store::value::Row;
use mainstay_tracking::import::Series;
use mainstay_tracking::metric::Point;
use mainstay_tracking::text::checked_key;
use serde::{Deserialize, Serialize};

use super::runs::point;
use super::{Page, Stock};
use crate::error::ImportError;

/// Most points of a page, but for those of one query.
const POINTS: usize = 65_536;
/// Most points of a query.
const QUERY: u64 = 32_768;
/// Most runs of a page.
const RUNS: u64 = 1_000;

const RUN_IDS: &str = "SELECT r.run_uuid FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id \
    WHERE e.workspace = $1 AND r.run_uuid > $2 ORDER BY r.run_uuid LIMIT $3";
const FIRST: &str = "SELECT m.key, m.step, m.timestamp, m.value, CASE WHEN m.is_nan THEN 1 ELSE 0 END FROM metrics m \
    WHERE m.run_uuid = $1 \
    ORDER BY m.key, m.step, m.timestamp, m.value, CASE WHEN m.is_nan THEN 1 ELSE 0 END LIMIT $2";
const NEXT: &str = "SELECT m.key, m.step, m.timestamp, m.value, CASE WHEN m.is_nan THEN 1 ELSE 0 END FROM metrics m \
    WHERE m.run_uuid = $1 AND (m.key, m.step, m.timestamp, m.value, CASE WHEN m.is_nan THEN 1 ELSE 0 END) \
    > ($2, $3, $4, $5, $6) \
    ORDER BY m.key, m.step, m.timestamp, m.value, CASE WHEN m.is_nan THEN 1 ELSE 0 END LIMIT $7";

/// A point among those of its run: key, step, timestamp, bits of the value, and whether it is NaN.
type Place = (String, i64, i64, u64, i64);

/// Where points go on: behind a run, or behind a point of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointKey {
    /// The run.
    run: String,
    /// The last point of it that is done; all of them if there is none.
    point: Option<Place>,
}

impl Stock {
    /// The next points of the runs of a workspace; `findings` stays empty, as metrics that cannot be kept are found
    /// with their runs.
    pub async fn points(
        &mut self,
        workspace: &Name,
        after: Option<PointKey>,
    ) -> Result<Page<Series, PointKey>, ImportError> {
        let mut series: Vec<Series> = Vec::new();
        let mut count = 0;
        let mut at = after;
        if let Some(PointKey { run, point: Some(_) }) = &at {
            let run = run.clone();
            at = Some(self.points_of(&run, at.and_then(|at| at.point), &mut series, &mut count).await?);
        }
        let behind = at.as_ref().map_or("", |at| at.run.as_str()).to_owned();
        let is_done = at.as_ref().is_none_or(|at| at.point.is_none());
        if is_done && count < POINTS {
            let ids = self.query(RUN_IDS, params![workspace.as_str(), &behind, RUNS]).await?;
            for id in &ids {
                let id = id.text(0).map_err(ImportError::Source)?;
                let reached = self.points_of(id, None, &mut series, &mut count).await?;
                let is_done = reached.point.is_none();
                at = Some(reached);
                if !is_done || count >= POINTS {
                    break;
                }
            }
            if ids.is_empty() && count == 0 {
                return Ok(Page::end());
            }
        }
        Ok(Page { items: series, findings: Vec::new(), last: at })
    }

    /// Points of one run behind a point, until the page is full or there are no more.
    async fn points_of(
        &mut self,
        run: &str,
        mut after: Option<Place>,
        series: &mut Vec<Series>,
        count: &mut usize,
    ) -> Result<PointKey, ImportError> {
        // Runs that cannot be kept were found before, and their points with them.
        let Ok(id) = run.parse() else { return Ok(PointKey { run: run.to_owned(), point: None }) };
        loop {
            let rows = match &after {
                None => self.query(FIRST, params![run, QUERY]).await?,
                Some((key, step, timestamp, value, is_nan)) => {
                    let value = f64::from_bits(*value);
                    let key = params![run, key.as_str(), *step, *timestamp, value, *is_nan, QUERY];
                    self.query(NEXT, key).await?
                }
            };
            for row in &rows {
                let (key, point) = keyed(row).map_err(ImportError::Source)?;
                let is_same = |last: &&mut Series| last.run == id && last.key == key;
                match series.last_mut().filter(is_same) {
                    Some(last) => last.points.push(point),
                    None if checked_key(key.to_owned()).is_err() => continue,
                    None => series.push(Series { run: id, key: key.to_owned(), points: vec![point] }),
                }
                *count += 1;
            }
            if (rows.len() as u64) < QUERY {
                return Ok(PointKey { run: run.to_owned(), point: None });
            }
            after = rows.last().map(last).transpose().map_err(ImportError::Source)?;
            if *count >= POINTS {
                return Ok(PointKey { run: run.to_owned(), point: after });
            }
        }
    }
}

fn keyed(row: &Row) -> Result<(&str, Point), StorageError> {
    Ok((row.text(0)?, point(row, 1)?))
}

fn last(row: &Row) -> Result<Place, StorageError> {
    Ok((row.text(0)?.to_owned(), row.int(1)?, row.int(2)?, row.real(3)?.to_bits(), row.int(4)?))
}
