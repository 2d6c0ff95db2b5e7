//! Logging to a run: metric, parameter, tag, and batches of them. Each is one batch, so it is logged
//! whole or not at all; a stock server may keep half of one.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{DeleteRunTag, LogBatch};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::metric::Point;
use mainstay_tracking::text::{Overlong, Pair};
use serde::Deserialize;

use crate::body::Call;
use crate::run::{run_id, run_tags};
use crate::table::Table;
use crate::wire::{Empty, KeyValue, double, int64, list, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let write = Action::RunWrite;
    Table::v2()
        .post("runs/log-metric", write, log_metric)
        .post("runs/log-parameter", write, log_param)
        .post("runs/log-batch", write, log_batch)
        .post("runs/set-tag", write, set_tag)
        .post("runs/delete-tag", write, delete_tag)
        .brief()
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetricMessage {
    key: Option<String>,
    #[serde(deserialize_with = "double")]
    value: Option<f64>,
    #[serde(deserialize_with = "int64")]
    timestamp: Option<i64>,
    #[serde(deserialize_with = "int64")]
    step: Option<i64>,
    #[serde(alias = "modelId")]
    model_id: Option<String>,
    #[serde(alias = "datasetName")]
    dataset_name: Option<String>,
    #[serde(alias = "datasetDigest")]
    dataset_digest: Option<String>,
}

impl MetricMessage {
    fn checked(self) -> Result<LoggedMetric, Error> {
        let point = Point {
            step: self.step.unwrap_or(0),
            timestamp_ms: self.timestamp.ok_or(MlflowError::Missing("timestamp"))?,
            value: self.value.ok_or(MlflowError::Missing("value"))?,
        };
        let metric = LoggedMetric::new(required("key", self.key)?, point)?;
        let Some(model) = self.model_id.filter(|id| !id.is_empty()) else { return Ok(metric) };
        let dataset = self.dataset_name.filter(|name| !name.is_empty());
        let dataset = dataset.map(|name| (name, self.dataset_digest.unwrap_or_default()));
        Ok(metric.of_model(model.parse()?, dataset)?)
    }
}

/// `run_id` beside the fields of a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogMetric {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
    #[serde(flatten)]
    metric: MetricMessage,
}

async fn log(state: &MlflowState, caller: Caller, run: RunId, batch: Batch) -> Result<Json<Empty>, Error> {
    let command = LogBatch { workspace: caller.workspace, run, batch };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn log_metric(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LogMetric>,
) -> Result<Json<Empty>, Error> {
    let run = run_id(request.run_id, request.run_uuid)?;
    let batch = Batch::new(vec![request.metric.checked()?], Vec::new(), Vec::new())?;
    log(&state, caller, run, batch).await
}

/// A pair for a run: a parameter or a tag.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PairMessage {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
    key: Option<String>,
    value: Option<String>,
}

fn param(key: String, value: String) -> Result<Pair, TrackingError> {
    Pair::param(key, value, Overlong::Truncate)
}

async fn log_param(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<PairMessage>,
) -> Result<Json<Empty>, Error> {
    let run = run_id(request.run_id, request.run_uuid)?;
    let param = param(required("key", request.key)?, request.value.unwrap_or_default())?;
    log(&state, caller, run, Batch::new(Vec::new(), vec![param], Vec::new())?).await
}

async fn set_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<PairMessage>,
) -> Result<Json<Empty>, Error> {
    let run = run_id(request.run_id, request.run_uuid)?;
    let (key, value) = (required("key", request.key)?, request.value.unwrap_or_default());
    let tag = Pair::tag(key, value, Overlong::Truncate)?;
    log(&state, caller, run, Batch::new(Vec::new(), Vec::new(), vec![tag])?).await
}

async fn delete_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<PairMessage>,
) -> Result<Json<Empty>, Error> {
    let run = run_id(request.run_id, request.run_uuid)?;
    let command = DeleteRunTag { workspace: caller.workspace, run, key: required("key", request.key)? };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogBatchMessage {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(deserialize_with = "list")]
    metrics: Vec<MetricMessage>,
    #[serde(deserialize_with = "list")]
    params: Vec<KeyValue>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
}

async fn log_batch(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LogBatchMessage>,
) -> Result<Json<Empty>, Error> {
    let run = run_id(request.run_id, None)?;
    let metrics = request.metrics.into_iter().map(MetricMessage::checked).collect::<Result<_, _>>()?;
    let params = request.params.into_iter().map(|pair| param(pair.key, pair.value));
    let batch = Batch::new(metrics, params.collect::<Result<_, _>>()?, run_tags(request.tags)?)?;
    log(&state, caller, run, batch).await
}
