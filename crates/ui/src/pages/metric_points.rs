//! `GET /api/v1/runs/{id}/metrics?key=…`: the points of one metric, as JSON or CSV.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use http::{Method, header};
use mainstay_api::dialect::{ApiError, BodyError, Native, Protocol};
use mainstay_api::route::RouteScope;
use mainstay_api::{Caller, Route};
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::metric::{Point, history};
use serde::{Deserialize, Serialize};

use super::Row;
use crate::State;
use crate::frame::Missing;

/// Points that an answer has where the question does not say: as many as a screen has columns.
const DRAWN: usize = 2_000;
/// Most points of an answer in JSON; CSV has all.
const MOST: usize = 100_000;

pub(super) fn routes() -> Vec<Row> {
    let run = RouteScope::Path(ResourceKind::Run, "id");
    let path = (Method::GET, "/api/v1/runs/{id}/metrics");
    vec![Route::new(Protocol::Native, path, (Action::RunRead, run), show).for_levels()]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    key: String,
    #[serde(default)]
    format: Format,
    points: Option<usize>,
}

/// The points by step; where there are more than asked for, those between which the line runs.
#[derive(Debug, Serialize)]
struct Points {
    run: String,
    key: String,
    /// How many there are.
    count: usize,
    /// Whether some were left out.
    thinned: bool,
    #[serde(rename = "points")]
    shown: Vec<Point>,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, ApiError<Native>> {
    let id: RunId = id.parse()?;
    let Query(wanted) = query.map_err(|rejection| BodyError::Malformed(rejection.body_text()))?;
    let found = console.tracked.runs(&caller.workspace, &[id]).await?.into_iter().next();
    let found = found.ok_or_else(|| Missing(format!("run {id}")))?;
    caller.admitted(ResourceKind::Experiment, found.run.experiment)?;
    if !found.metrics.contains_key(&wanted.key) {
        return Err(Missing(format!("metric {:?} in run {id}", wanted.key)).into());
    }
    let mut points = history(console.tracked.points(&caller.workspace, id, &wanted.key).await?);
    points.sort_by_key(|point| (point.step, point.timestamp_ms));
    Ok(match wanted.format {
        Format::Csv => csv(&points),
        Format::Json => {
            let shown = thin(&points, wanted.points.unwrap_or(DRAWN).min(MOST));
            let (count, thinned) = (points.len(), shown.len() < points.len());
            Json(Points { run: id.to_string(), key: wanted.key, count, thinned, shown }).into_response()
        }
    })
}

fn csv(points: &[Point]) -> Response {
    let mut text = String::from("step,timestamp_ms,value\n");
    for point in points {
        let Point { step, timestamp_ms, value } = point;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{step},{timestamp_ms},{value}");
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"metric.csv\""),
    ];
    (headers, text).into_response()
}

/// At most about `limit` points that draw the same line: of each stretch of equally many points its first,
/// least, greatest and last one, as in M4 (Jugel et al., "M4: A Visualization-Oriented Time Series Data
/// Aggregation", VLDB 2014).
fn thin(points: &[Point], limit: usize) -> Vec<Point> {
    if points.len() <= limit || limit < 4 {
        return points.iter().take(limit.max(1)).copied().collect();
    }
    let stretch = points.len().div_ceil(limit / 4);
    let mut kept = Vec::with_capacity(limit);
    for part in points.chunks(stretch) {
        let by_value = |at: &usize, other: &usize| {
            let value = |index: &usize| part.get(*index).map_or(f64::NAN, |point| point.value);
            value(at).total_cmp(&value(other))
        };
        let finite = || (0..part.len()).filter(|index| part.get(*index).is_some_and(|p| p.value.is_finite()));
        let mut chosen = vec![0, part.len() - 1];
        chosen.extend(finite().min_by(by_value));
        chosen.extend(finite().max_by(by_value));
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().filter_map(|index| part.get(index).copied()));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        let point = |(step, value)| Point { step, timestamp_ms: step, value };
        (0_i64..).zip(values).map(point).collect()
    }

    #[test]
    fn few_points_are_all_kept() {
        let few = points([1.0, 2.0, f64::NAN]);
        assert_eq!(thin(&few, 10), few);
        assert_eq!(thin(&[], 10), []);
    }

    #[test]
    fn a_spike_survives_thinning() {
        let mut values = vec![0.5; 100_000];
        values[54_321] = 99.0;
        values[12_345] = -99.0;
        let kept = thin(&points(values), 400);
        assert!(kept.len() <= 404, "{}", kept.len());
        assert!(
            kept.iter().any(|point| point.step == 54_321) && kept.iter().any(|point| point.step == 12_345)
        );
        assert_eq!((kept[0].step, kept[kept.len() - 1].step), (0, 99_999));
        assert!(kept.windows(2).all(|pair| pair[0].step < pair[1].step));
    }
}
