//! `GET metrics/get-history-bulk` and `GET metrics/get-history-bulk-interval`: one metric of many runs, whole or
//! sampled. Runs that are not there have no points.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_tracking::metric::{Point, history, sampled};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::long::Long;
use crate::run::admit;
use crate::run_body::MetricBody;
use crate::table::Table;
use crate::wire::{int64, list, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Most runs in one call (`MAX_RUNS_GET_METRIC_HISTORY_BULK`).
const MAX_RUNS: usize = 100;
/// Most points of all runs together (`MAX_HISTORY_RESULTS`).
const MAX_POINTS: usize = 25_000;
/// Most points of each run in a sample (`MAX_RESULTS_PER_RUN`).
const MAX_SAMPLE: usize = 2_500;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2()
        .get("metrics/get-history-bulk", Action::RunRead, get_history_bulk)
        .get("metrics/get-history-bulk-interval", Action::RunRead, get_history_bulk_interval)
        .rows()
}

/// A point of one of the runs.
fn point_of(run: RunId, key: &str, point: Point) -> MetricBody {
    MetricBody { run_id: Some(run.to_string()), ..MetricBody::new(key, point) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GetHistoryBulk {
    #[serde(alias = "runId", deserialize_with = "list")]
    run_id: Vec<String>,
    #[serde(alias = "metricKey")]
    metric_key: Option<String>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Histories {
    metrics: Vec<MetricBody>,
}

async fn get_history_bulk(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<GetHistoryBulk>,
) -> Result<Long<Histories>, Error> {
    let wrong = |rule: String| MlflowError::Bulk { call: "GetMetricHistoryBulk", rule };
    let asked = request.run_id.len();
    if asked == 0 {
        return Err(wrong("must specify at least one run_id.".to_owned()).into());
    }
    if asked > MAX_RUNS {
        let rule = format!("cannot specify more than {MAX_RUNS} run_ids. Received {asked} run_ids.");
        return Err(wrong(rule).into());
    }
    let key = request.metric_key.ok_or_else(|| wrong("must specify a metric_key.".to_owned()))?;
    let limit = request.max_results.map_or(MAX_POINTS, |wanted| usize::try_from(wanted).unwrap_or(0));
    let mut left = limit.min(MAX_POINTS);
    let mut runs: Vec<RunId> = request.run_id.iter().filter_map(|id| id.parse().ok()).collect();
    runs.sort_unstable();
    runs.dedup();
    admit(&state, &caller, &runs).await?;
    let mut metrics = Vec::new();
    for run in runs {
        if left == 0 {
            break;
        }
        let points = history(state.tracked.points(&caller.workspace, run, &key).await?);
        let shown = points.into_iter().take(left).map(|point| point_of(run, &key, point));
        let before = metrics.len();
        metrics.extend(shown);
        left -= metrics.len() - before;
    }
    Ok(Long(Histories { metrics }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GetHistoryBulkInterval {
    #[serde(alias = "runIds", deserialize_with = "list")]
    run_ids: Vec<String>,
    #[serde(alias = "metricKey")]
    metric_key: Option<String>,
    #[serde(alias = "startStep", deserialize_with = "int64")]
    start_step: Option<i64>,
    #[serde(alias = "endStep", deserialize_with = "int64")]
    end_step: Option<i64>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Samples {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricBody>,
}

pub(crate) async fn get_history_bulk_interval(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<GetHistoryBulkInterval>,
) -> Result<Json<Samples>, Error> {
    let asked = request.run_ids.len();
    if asked == 0 {
        return Err(MlflowError::Missing("run_ids").into());
    }
    if asked > MAX_RUNS {
        let rule = format!(
            "must specify at most {MAX_RUNS} run_ids. Received {asked} run_ids. \
             See the API docs for more information about request parameters."
        );
        return Err(MlflowError::Bulk { call: "GetMetricHistoryBulkInterval", rule }.into());
    }
    let key = required("metric_key", request.metric_key)?;
    let most = match request.max_results {
        None => MAX_SAMPLE,
        Some(wanted) => {
            let wanted = usize::try_from(wanted).ok().filter(|wanted| (1..=MAX_SAMPLE).contains(wanted));
            wanted.ok_or(MlflowError::SampleSize(MAX_SAMPLE))?
        }
    };
    let steps = match (request.start_step, request.end_step) {
        (None, None) => i64::MIN..=i64::MAX,
        (Some(start), Some(end)) if start > end => {
            return Err(MlflowError::StepsBackwards { start, end }.into());
        }
        (Some(start), Some(end)) => start..=end,
        _ => return Err(MlflowError::HalfSteps.into()),
    };
    let runs: Vec<RunId> = request.run_ids.iter().filter_map(|id| id.parse().ok()).collect();
    admit(&state, &caller, &runs).await?;
    let mut metrics = Vec::new();
    for run in runs {
        let points = state.tracked.points(&caller.workspace, run, &key).await?;
        let shown = sampled(points, steps.clone(), most);
        metrics.extend(shown.into_iter().map(|point| point_of(run, &key, point)));
    }
    Ok(Json(Samples { metrics }))
}
