//! Logging to a run: metric, parameter, tag, and batches of them. Each is one batch, so it is logged
//! whole or not at all; a stock server may keep half of one.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::text::TextError;
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{DeleteRunTag, LogBatch};
use mainstay_tracking::metric::Point;
use mainstay_tracking::text::{Overlong, Pair};
use serde::Deserialize;

use crate::body::Call;
use crate::run::{parse_run_id, run_named, run_tags};
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
    /// Checks a point; `missing` says what field is not there.
    fn checked(self, missing: impl Fn(&'static str) -> MlflowError) -> Result<LoggedMetric, Error> {
        let key = self.key.filter(|key| !key.is_empty()).ok_or_else(|| missing("key"))?;
        let value = self.value.ok_or_else(|| missing("value"))?;
        let timestamp_ms = self.timestamp.ok_or_else(|| missing("timestamp"))?;
        let point = Point { step: self.step.unwrap_or(0), timestamp_ms, value };
        let metric = LoggedMetric::new(key, point)?;
        let Some(model) = self.model_id.filter(|id| !id.is_empty()) else { return Ok(metric) };
        let dataset = self.dataset_name.filter(|name| !name.is_empty());
        let dataset = dataset.map(|name| (name, self.dataset_digest.unwrap_or_default()));
        Ok(metric.of_model(model.parse()?, dataset)?)
    }
}

/// `run_id` beside the fields of a [`MetricMessage`]. They are written out: a flattened message is read twice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogMetric {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
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

impl LogMetric {
    fn checked(self) -> Result<(RunId, LoggedMetric), Error> {
        let Self { run_id, run_uuid, key, value, timestamp, step, model_id, dataset_name, dataset_digest } =
            self;
        let run = run_named(run_id, run_uuid)?;
        let metric = MetricMessage { key, value, timestamp, step, model_id, dataset_name, dataset_digest };
        let metric = metric.checked(MlflowError::Missing)?;
        Ok((parse_run_id(&run)?, metric))
    }
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
    let (run, metric) = request.checked()?;
    log(&state, caller, run, Batch::new(vec![metric], Vec::new(), Vec::new())?).await
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

impl PairMessage {
    /// The run, the key and the value.
    fn checked(self) -> Result<(RunId, String, String), Error> {
        let run = run_named(self.run_id, self.run_uuid)?;
        let key = required("key", self.key)?;
        Ok((parse_run_id(&run)?, key, self.value.unwrap_or_default()))
    }
}

fn param(key: String, value: String) -> Result<Pair, TextError> {
    Pair::param(key, value, Overlong::Truncate)
}

async fn log_param(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<PairMessage>,
) -> Result<Json<Empty>, Error> {
    let (run, key, value) = request.checked()?;
    let param = param(key, value)?;
    log(&state, caller, run, Batch::new(Vec::new(), vec![param], Vec::new())?).await
}

async fn set_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<PairMessage>,
) -> Result<Json<Empty>, Error> {
    let (run, key, value) = request.checked()?;
    let tag = Pair::tag(key, value, Overlong::Truncate)?;
    log(&state, caller, run, Batch::new(Vec::new(), Vec::new(), vec![tag])?).await
}

async fn delete_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<PairMessage>,
) -> Result<Json<Empty>, Error> {
    let (run, key, _) = request.checked()?;
    let command = DeleteRunTag { workspace: caller.workspace, run, key };
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

/// Refuses pairs of a list without a key.
fn keyed(list: &'static str, pairs: &[KeyValue]) -> Result<(), MlflowError> {
    let nameless = pairs.iter().position(|pair| pair.key.is_empty());
    nameless.map_or(Ok(()), |at| Err(MlflowError::MissingIn { list, at, field: "key" }))
}

impl LogBatchMessage {
    fn checked(self) -> Result<(RunId, Batch), Error> {
        let run = run_named(self.run_id, None)?;
        let metric = |(at, metric): (usize, MetricMessage)| {
            metric.checked(|field| MlflowError::MissingIn { list: "metrics", at, field })
        };
        let metrics = self.metrics.into_iter().enumerate().map(metric).collect::<Result<_, _>>()?;
        keyed("params", &self.params)?;
        keyed("tags", &self.tags)?;
        let params = self.params.into_iter().map(|pair| param(pair.key, pair.value));
        let batch = Batch::new(metrics, params.collect::<Result<_, _>>()?, run_tags(self.tags)?)?;
        Ok((parse_run_id(&run)?, batch))
    }
}

async fn log_batch(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LogBatchMessage>,
) -> Result<Json<Empty>, Error> {
    let (run, batch) = request.checked()?;
    log(&state, caller, run, batch).await
}
