//! What went into a run and what came out: datasets and models.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_tracking::command::{LogInputs, LogOutputs, RecordModelHistory};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::input::{Dataset, DatasetInput, ModelOutput};
use serde::Deserialize;
use serde_json::Value;

use crate::body::Call;
use crate::run::{parse_run_id, run_id, run_named};
use crate::table::Table;
use crate::wire::{Empty, KeyValue, int64, list, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let write = Action::RunWrite;
    Table::v2()
        .post("runs/log-inputs", write, log_inputs)
        .post("runs/outputs", write, log_outputs)
        .post("runs/log-model", write, log_model)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DatasetMessage {
    name: Option<String>,
    digest: Option<String>,
    #[serde(alias = "sourceType")]
    source_type: Option<String>,
    source: Option<String>,
    schema: Option<String>,
    profile: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DatasetInputMessage {
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
    dataset: DatasetMessage,
}

impl DatasetInputMessage {
    fn checked(self) -> Result<DatasetInput, Error> {
        let dataset = Dataset {
            name: required("name", self.dataset.name)?,
            digest: required("digest", self.dataset.digest)?,
            source_type: required("source_type", self.dataset.source_type)?,
            source: self.dataset.source.unwrap_or_default(),
            schema: self.dataset.schema,
            profile: self.dataset.profile,
        };
        let tags = self.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        Ok(DatasetInput { dataset, tags }.checked()?)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ModelMessage {
    #[serde(alias = "modelId")]
    model_id: String,
    #[serde(deserialize_with = "int64")]
    step: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogInputsMessage {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(deserialize_with = "list")]
    datasets: Vec<DatasetInputMessage>,
    #[serde(deserialize_with = "list")]
    models: Vec<ModelMessage>,
}

async fn log_inputs(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LogInputsMessage>,
) -> Result<Json<Empty>, Error> {
    let datasets = request.datasets.into_iter().map(DatasetInputMessage::checked);
    let models = request.models.into_iter().map(|model| model.model_id.parse());
    let command = LogInputs {
        workspace: caller.workspace,
        run: run_id(request.run_id, None)?,
        datasets: datasets.collect::<Result<_, _>>()?,
        models: models.collect::<Result<_, TrackingError>>()?,
    };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogOutputsMessage {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(deserialize_with = "list")]
    models: Vec<ModelMessage>,
}

async fn log_outputs(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LogOutputsMessage>,
) -> Result<Json<Empty>, Error> {
    let models = request
        .models
        .into_iter()
        .map(|model| Ok(ModelOutput { model: model.model_id.parse()?, step: model.step.unwrap_or(0) }));
    let command = LogOutputs {
        workspace: caller.workspace,
        run: run_id(request.run_id, None)?,
        models: models.collect::<Result<_, TrackingError>>()?,
    };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogModelMessage {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "modelJson")]
    model_json: Option<String>,
}

/// Reads the description of a model, which must have the fields that a stock server asks for.
fn described(text: &str) -> Result<Value, MlflowError> {
    let model: Value = serde_json::from_str(text)
        .map_err(|_| MlflowError::MalformedModel(text.chars().take(1_000).collect()))?;
    let missing: Vec<String> = ["artifact_path", "flavors", "utc_time_created", "run_id"]
        .into_iter()
        .filter(|field| model.get(field).is_none())
        .map(|field| format!("'{field}'"))
        .collect();
    if missing.is_empty() { Ok(model) } else { Err(MlflowError::IncompleteModel(missing.join(", "))) }
}

/// What clients before version 3 call once a model's files are there.
async fn log_model(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LogModelMessage>,
) -> Result<Json<Empty>, Error> {
    let run = run_named(request.run_id, None)?;
    let model = described(&required("model_json", request.model_json)?)?;
    let command = RecordModelHistory { workspace: caller.workspace, run: parse_run_id(&run)?, model };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
