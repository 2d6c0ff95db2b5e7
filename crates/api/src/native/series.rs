//! `POST /api/v1/runs/series`: metrics for a chart, cut into buckets, however many points there are.
//!
//! The body says which: `{"runs": [id, …], "metrics": [key, …]}` asks for each metric of each run, `axis` by what
//! they are drawn (`step`, `time` in milliseconds since 1970, or `relative_time` since the start of the run), `from`
//! and `to` for which part of it, both included, `points` for how many buckets at most, and `width` for how long
//! these are at least, a power of two. Whoever sends the versions of what it holds as `known`, `{run: {metric:
//! version}}`, is told of what is still right that it is `unchanged`.
//!
//! What buckets are is said in [`mainstay_tracking::series`], and of their figures in
//! `docs/reference/statistics.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::RunId;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::metric::Point;
use mainstay_tracking::port::TrackingReader;
use mainstay_tracking::series::axis::Axis;
use mainstay_tracking::series::bucket::Bucket;
use mainstay_tracking::series::drawing::Drawn;
use mainstay_tracking::series::port::SeriesReader;
use mainstay_tracking::series::query::{FEWEST_BUCKETS, MOST_BUCKETS, Series, SeriesQuery, Wanted};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error as ThisError;

use super::Error;
use super::request::JsonBody;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// Buckets of a metric where a request does not say.
const DEFAULT_BUCKETS: usize = 1_000;
/// Most metrics of a request, each of each run counted.
const MAX_SERIES: usize = 1_000;
/// Most buckets of all metrics of a request together.
const MAX_ALL: usize = 200_000;

/// What the handler here needs.
#[derive(Clone)]
pub struct SeriesState {
    /// Metrics of runs.
    pub reader: Arc<dyn SeriesReader>,
    /// Whose runs they are.
    pub tracked: Arc<dyn TrackingReader>,
}

/// The table.
pub fn routes() -> Vec<Route<SeriesState>> {
    let read = (Action::RunRead, RouteScope::Workspace);
    vec![Route::new(Protocol::Native, (Method::POST, "/api/v1/runs/series"), read, series).for_levels()]
}

/// What cannot be drawn.
#[derive(Debug, ThisError)]
enum SeriesError {
    #[error("name at least one run in 'runs' and one metric in 'metrics'")]
    Nothing,
    #[error(
        "{0} metrics of runs were asked for, and a request takes {MAX_SERIES}; name fewer runs or metrics, in \
         several requests"
    )]
    TooMany(usize),
    #[error(
        "{0} buckets were asked for over all metrics of all runs, and a request takes {MAX_ALL}; lower 'points', or \
         name fewer runs or metrics"
    )]
    TooFine(usize),
    #[error("'points' is a whole number from {FEWEST_BUCKETS} to {MOST_BUCKETS}")]
    Points,
    #[error("'from' must not lie behind 'to'")]
    Backwards,
    #[error("'width' is a power of two up to 2^62")]
    Width,
    #[error("the key of a metric has no U+0000")]
    Key,
}

impl Coded for SeriesError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum AxisName {
    #[default]
    Step,
    Time,
    RelativeTime,
}

impl From<AxisName> for Axis {
    fn from(name: AxisName) -> Self {
        match name {
            AxisName::Step => Self::Step,
            AxisName::Time => Self::Time,
            AxisName::RelativeTime => Self::RelativeTime,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesRequest {
    #[serde(default)]
    runs: Vec<RunId>,
    #[serde(default)]
    metrics: Vec<String>,
    #[serde(default)]
    axis: AxisName,
    from: Option<i64>,
    to: Option<i64>,
    points: Option<usize>,
    width: Option<u64>,
    #[serde(default)]
    known: BTreeMap<RunId, BTreeMap<String, String>>,
}

impl SeriesRequest {
    fn query(&self) -> Result<SeriesQuery, SeriesError> {
        if self.runs.is_empty() || self.metrics.is_empty() {
            return Err(SeriesError::Nothing);
        }
        if self.metrics.iter().any(|key| key.contains('\0')) {
            return Err(SeriesError::Key);
        }
        let count = self.runs.len().saturating_mul(self.metrics.len());
        if count > MAX_SERIES {
            return Err(SeriesError::TooMany(count));
        }
        let buckets = self.points.unwrap_or(DEFAULT_BUCKETS);
        if !(FEWEST_BUCKETS..=MOST_BUCKETS).contains(&buckets) {
            return Err(SeriesError::Points);
        }
        if count * buckets > MAX_ALL {
            return Err(SeriesError::TooFine(count * buckets));
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| from > to) {
            return Err(SeriesError::Backwards);
        }
        let width = self.width.unwrap_or(1);
        if !width.is_power_of_two() || width > 1 << 62 {
            return Err(SeriesError::Width);
        }
        let known = |run: &RunId, key: &String| self.known.get(run)?.get(key).cloned();
        let of_run = |run: &RunId| {
            let wanted = |key: &String| Wanted { run: *run, key: key.clone(), known: known(run, key) };
            self.metrics.iter().map(wanted).collect::<Vec<_>>()
        };
        Ok(SeriesQuery {
            wanted: self.runs.iter().flat_map(of_run).collect(),
            axis: self.axis.into(),
            from: self.from,
            to: self.to,
            buckets,
            least_level: width.trailing_zeros(),
        })
    }
}

/// A value, of which JSON has no NaN: a number, or one of the texts `NaN`, `Infinity`, `-Infinity`.
#[derive(Debug, Clone, Copy)]
struct AnyValue(f64);

impl Serialize for AnyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            value => serializer.serialize_f64(value),
        }
    }
}

#[derive(Debug, Serialize)]
struct Answer {
    axis: AxisName,
    from: Option<i64>,
    to: Option<i64>,
    /// The length of every bucket.
    width: u64,
    series: Vec<SeriesBody>,
}

#[derive(Debug, Serialize)]
struct SeriesBody {
    run: RunId,
    metric: String,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kind {
    Empty,
    Unchanged { version: String },
    Points(PointsBody),
    Buckets(BucketsBody),
}

#[derive(Debug, Serialize)]
struct PointsBody {
    version: String,
    /// The start of the run, in milliseconds since 1970.
    start: i64,
    total: usize,
    x: Vec<i64>,
    step: Vec<i64>,
    timestamp: Vec<i64>,
    value: Vec<AnyValue>,
}

#[derive(Debug, Serialize)]
struct BucketsBody {
    version: String,
    /// The start of the run, in milliseconds since 1970.
    start: i64,
    total: u64,
    /// Where each bucket begins.
    x: Vec<i64>,
    count: Vec<u64>,
    min: Vec<Option<f64>>,
    max: Vec<Option<f64>>,
    mean: Vec<Option<f64>>,
    first: Vec<AnyValue>,
    last: Vec<AnyValue>,
    #[serde(skip_serializing_if = "are_all_zero")]
    nan: Vec<u64>,
    #[serde(skip_serializing_if = "are_all_zero")]
    pos_inf: Vec<u64>,
    #[serde(skip_serializing_if = "are_all_zero")]
    neg_inf: Vec<u64>,
}

fn are_all_zero(counts: &[u64]) -> bool {
    counts.iter().all(|count| *count == 0)
}

impl Kind {
    fn of(series: Series, axis: Axis) -> Self {
        match series {
            Series::Empty => Self::Empty,
            Series::Unchanged { version } => Self::Unchanged { version },
            Series::Drawn { version, start_ms: start, drawn } => match drawn {
                Drawn::Points(points) => Self::Points(points_body(version, start, axis, &points)),
                Drawn::Buckets(buckets) => Self::Buckets(buckets_body(version, start, axis, &buckets)),
            },
        }
    }
}

fn points_body(version: String, start: i64, axis: Axis, points: &[Point]) -> PointsBody {
    let (coordinate, origin) = (axis.coordinate(), axis.origin(start));
    let x = |point: &Point| coordinate.of(point, start).saturating_add(origin);
    PointsBody {
        version,
        start,
        total: points.len(),
        x: points.iter().map(x).collect(),
        step: points.iter().map(|point| point.step).collect(),
        timestamp: points.iter().map(|point| point.timestamp_ms).collect(),
        value: points.iter().map(|point| AnyValue(point.value)).collect(),
    }
}

fn buckets_body(version: String, start: i64, axis: Axis, buckets: &[(i64, Bucket)]) -> BucketsBody {
    fn column<T>(buckets: &[(i64, Bucket)], of: impl Fn(&Bucket) -> T) -> Vec<T> {
        buckets.iter().map(|(_, bucket)| of(bucket)).collect()
    }
    let origin = axis.origin(start);
    BucketsBody {
        version,
        start,
        total: buckets.iter().map(|(_, bucket)| bucket.count).sum(),
        x: buckets.iter().map(|(begins, _)| begins.saturating_add(origin)).collect(),
        count: column(buckets, |bucket| bucket.count),
        min: column(buckets, Bucket::min),
        max: column(buckets, Bucket::max),
        mean: column(buckets, Bucket::mean),
        first: column(buckets, |bucket| AnyValue(bucket.first.value)),
        last: column(buckets, |bucket| AnyValue(bucket.last.value)),
        nan: column(buckets, |bucket| bucket.nan),
        pos_inf: column(buckets, |bucket| bucket.pos_inf),
        neg_inf: column(buckets, |bucket| bucket.neg_inf),
    }
}

async fn series(
    State(state): State<SeriesState>,
    caller: Caller,
    JsonBody(request): JsonBody<SeriesRequest>,
) -> Result<Json<Answer>, Error> {
    let query = request.query()?;
    if caller.is_confined() {
        for found in state.tracked.runs(&caller.workspace, &request.runs).await? {
            caller.admitted(ResourceKind::Experiment, found.run.experiment)?;
        }
    }
    let answer = state.reader.series(&caller.workspace, &query).await?;
    let (from, to) = answer.frame.range.map(std::ops::RangeInclusive::into_inner).unzip();
    let body = |(wanted, series)| {
        let Wanted { run, key, .. } = wanted;
        SeriesBody { run, metric: key, kind: Kind::of(series, query.axis) }
    };
    Ok(Json(Answer {
        axis: request.axis,
        from,
        to,
        width: 1 << answer.frame.level,
        series: query.wanted.into_iter().zip(answer.series).map(body).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const RUN: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

    fn query(fields: &Value) -> Result<SeriesQuery, String> {
        let mut body = json!({"runs": [RUN], "metrics": ["loss"]});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let request: SeriesRequest = serde_json::from_value(body).map_err(|error| error.to_string())?;
        request.query().map_err(|error| error.to_string())
    }

    #[test]
    fn requests_are_bounded() {
        let plain = query(&json!({})).unwrap();
        assert_eq!((plain.axis, plain.buckets, plain.least_level), (Axis::Step, 1_000, 0));
        let known =
            json!({"known": {RUN: {"loss": "v1"}}, "width": 1024, "axis": "relative_time", "from": -4});
        let full = query(&known).unwrap();
        assert_eq!((full.axis, full.least_level, full.from), (Axis::RelativeTime, 10, Some(-4)));
        assert_eq!(full.wanted[0].known.as_deref(), Some("v1"));
        for (bad, word) in [
            (json!({"runs": []}), "at least one run"),
            (json!({"metrics": []}), "at least one run"),
            (json!({"runs": ["x"]}), ""),
            (json!({"runs": vec![RUN; 101], "metrics": vec!["m"; 10]}), "1010"),
            (json!({"runs": vec![RUN; 101], "points": 2_000}), "202000"),
            (json!({"points": 1}), "'points'"),
            (json!({"points": 2_001}), "'points'"),
            (json!({"from": 2, "to": 1}), "'from'"),
            (json!({"width": 3}), "'width'"),
            (json!({"width": 0}), "'width'"),
            (json!({"metrics": ["a\u{0}"]}), "U+0000"),
            (json!({"axis": "epoch"}), "epoch"),
            (json!({"colour": "red"}), "colour"),
        ] {
            let error = query(&bad).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }

    fn drawn(drawn: Drawn, axis: Axis) -> Value {
        let series = Series::Drawn { version: "v".to_owned(), start_ms: 100, drawn };
        let body =
            SeriesBody { run: RUN.parse().unwrap(), metric: "loss".to_owned(), kind: Kind::of(series, axis) };
        serde_json::to_value(body).unwrap()
    }

    #[test]
    fn points_are_columns() {
        let points = vec![
            Point { step: 1, timestamp_ms: 150, value: 0.5 },
            Point { step: 2, timestamp_ms: 160, value: f64::NAN },
            Point { step: 2, timestamp_ms: 170, value: f64::NEG_INFINITY },
        ];
        let expected = |x: [i64; 3]| {
            json!({
                "run": RUN, "metric": "loss", "kind": "points", "version": "v", "start": 100, "total": 3,
                "x": x, "step": [1, 2, 2], "timestamp": [150, 160, 170], "value": [0.5, "NaN", "-Infinity"],
            })
        };
        assert_eq!(drawn(Drawn::Points(points.clone()), Axis::Step), expected([1, 2, 2]));
        assert_eq!(drawn(Drawn::Points(points.clone()), Axis::Time), expected([150, 160, 170]));
        assert_eq!(drawn(Drawn::Points(points), Axis::RelativeTime), expected([50, 60, 70]));
    }

    #[test]
    fn buckets_are_columns() {
        let bucket = |value| Bucket::of(Point { step: 0, timestamp_ms: 100, value });
        let buckets = vec![(0, bucket(0.5)), (64, bucket(f64::NAN))];
        let expected = json!({
            "run": RUN, "metric": "loss", "kind": "buckets", "version": "v", "start": 100, "total": 2,
            "x": [100, 164], "count": [1, 1], "min": [0.5, null], "max": [0.5, null], "mean": [0.5, null],
            "first": [0.5, "NaN"], "last": [0.5, "NaN"], "nan": [0, 1],
        });
        assert_eq!(drawn(Drawn::Buckets(buckets), Axis::Time), expected);
    }

    #[test]
    fn what_has_no_figures_says_so() {
        let kind = |series| serde_json::to_value(Kind::of(series, Axis::Step)).unwrap();
        assert_eq!(kind(Series::Empty), json!({"kind": "empty"}));
        let unchanged = Series::Unchanged { version: "v".to_owned() };
        assert_eq!(kind(unchanged), json!({"kind": "unchanged", "version": "v"}));
    }
}
