//! `traces/metrics` and `traces/calculate-filter-correlation`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_traces::correlation::Overlap;
use mainstay_traces::metrics::{Aggregation, Asked, Bounds, DataPoint, MetricQuery, MetricsError, View};
use serde::{Deserialize, Serialize};

use crate::search::scope;
use crate::time::timestamp;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Choice, double, int64, list, required};
use mainstay_mlflow::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3()
        .post("traces/metrics", Action::RunRead, metrics)
        .post("traces/calculate-filter-correlation", Action::RunRead, correlation)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    #[serde(alias = "experimentIds")]
    experiment_ids: Option<Vec<String>>,
    #[serde(alias = "viewType")]
    view_type: Option<Choice>,
    #[serde(alias = "metricName")]
    metric_name: Option<String>,
    aggregations: Option<Vec<AggregationMessage>>,
    #[serde(deserialize_with = "list")]
    dimensions: Vec<String>,
    #[serde(deserialize_with = "list")]
    filters: Vec<String>,
    #[serde(alias = "timeIntervalSeconds", deserialize_with = "int64")]
    time_interval_seconds: Option<i64>,
    #[serde(alias = "startTimeMs", deserialize_with = "int64")]
    start_time_ms: Option<i64>,
    #[serde(alias = "endTimeMs", deserialize_with = "int64")]
    end_time_ms: Option<i64>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AggregationMessage {
    #[serde(alias = "aggregationType")]
    aggregation_type: Option<Choice>,
    #[serde(alias = "percentileValue", deserialize_with = "double")]
    percentile_value: Option<f64>,
}

impl AggregationMessage {
    fn aggregation(&self) -> Result<Aggregation, Error> {
        let told = self.aggregation_type.as_ref().ok_or(MlflowError::Missing("aggregation_type"))?;
        let plain = match told.name(&Aggregation::NAMES, 1) {
            Some("COUNT") => Aggregation::Count,
            Some("SUM") => Aggregation::Sum,
            Some("AVG") => Aggregation::Avg,
            Some("MIN") => Aggregation::Min,
            Some("MAX") => Aggregation::Max,
            Some("PERCENTILE") => {
                let percent = self.percentile_value.filter(|percent| (0.0..=100.0).contains(percent));
                return Ok(Aggregation::Percentile(percent.ok_or(MetricsError::Percentile)?));
            }
            _ => {
                let hint = "use COUNT, SUM, AVG, MIN, MAX or PERCENTILE";
                return Err(MlflowError::invalid("aggregation_type", told.clone(), hint).into());
            }
        };
        match self.percentile_value {
            None => Ok(plain),
            Some(_) => Err(MetricsError::Percentile.into()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Points {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data_points: Vec<PointBody>,
}

#[derive(Debug, Serialize)]
struct PointBody {
    metric_name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dimensions: BTreeMap<&'static str, String>,
    values: BTreeMap<String, f64>,
}

impl PointBody {
    fn new(metric: &str, point: DataPoint) -> Self {
        let mut dimensions: BTreeMap<_, _> =
            point.dimensions.into_iter().map(|(dimension, value)| (dimension.as_str(), value)).collect();
        if let Some(ms) = point.interval_ms {
            // As Python writes an instant of UTC.
            dimensions.insert("time_bucket", timestamp(ms).replace('Z', "+00:00"));
        }
        let values = point.values.into_iter().map(|(aggregation, value)| (aggregation.label(), value));
        Self { metric_name: metric.to_owned(), dimensions, values: values.collect() }
    }
}

async fn metrics(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Query>,
) -> Result<Json<Points>, Error> {
    let scope = scope(&caller, &request.experiment_ids.ok_or(MlflowError::Missing("experiment_ids"))?)?;
    let view = request.view_type.as_ref().ok_or(MlflowError::Missing("view_type"))?;
    let known = View::ALL
        .into_iter()
        .find(|known| Some(known.as_str()) == view.name(&View::ALL.map(View::as_str), 1));
    let unknown = || MlflowError::invalid("view_type", view.clone(), "use TRACES, SPANS or ASSESSMENTS");
    let metric = required("metric_name", request.metric_name)?;
    let aggregations = request.aggregations.ok_or(MlflowError::Missing("aggregations"))?;
    let asked = Asked {
        view: known.ok_or_else(unknown)?,
        metric: &metric,
        aggregations: aggregations.iter().map(AggregationMessage::aggregation).collect::<Result<_, _>>()?,
        dimensions: &request.dimensions,
        filters: &request.filters,
        bounds: Bounds::new(request.start_time_ms, request.end_time_ms, request.time_interval_seconds)?,
        limit: request.max_results,
    };
    let points = state.trace_search.metrics(&MetricQuery::new(scope, asked)?).await?;
    let data_points = points.into_iter().map(|point| PointBody::new(&metric, point)).collect();
    Ok(Json(Points { data_points }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Correlate {
    #[serde(alias = "experimentIds")]
    experiment_ids: Option<Vec<String>>,
    #[serde(alias = "filterString1")]
    filter_string1: Option<String>,
    #[serde(alias = "filterString2")]
    filter_string2: Option<String>,
    #[serde(alias = "baseFilter")]
    base_filter: Option<String>,
}

/// What is undefined is left out.
#[derive(Debug, Serialize)]
struct Correlation {
    #[serde(skip_serializing_if = "Option::is_none")]
    npmi: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    npmi_smoothed: Option<f64>,
    filter1_count: u64,
    filter2_count: u64,
    joint_count: u64,
    total_count: u64,
}

async fn correlation(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Correlate>,
) -> Result<Json<Correlation>, Error> {
    let scope = scope(&caller, &request.experiment_ids.ok_or(MlflowError::Missing("experiment_ids"))?)?;
    let first = required("filter_string1", request.filter_string1)?;
    let second = required("filter_string2", request.filter_string2)?;
    let question = Overlap::new(scope, request.base_filter.as_deref().unwrap_or_default(), &first, &second)?;
    let counts = state.trace_search.overlap(&question).await?;
    Ok(Json(Correlation {
        npmi: counts.npmi(),
        npmi_smoothed: counts.npmi_smoothed(),
        filter1_count: counts.first,
        filter2_count: counts.second,
        joint_count: counts.joint,
        total_count: counts.total,
    }))
}
