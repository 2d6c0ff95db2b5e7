//! Runs: create, get, update, delete, restore.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::id::RunId;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::TextError;
use mainstay_tracking::command::{CreateRun, DeleteRun, RestoreRun, UpdateRun, resolve_name};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::run::{RunDetail, RunStatus};
use mainstay_tracking::text::{Overlong, Pair};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::run_body::{RunBody, RunInfo};
use crate::table::Table;
use crate::wire::{Choice, Empty, KeyValue, int64, list, required};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let write = Action::RunWrite;
    let writing = Table::v2()
        .post("runs/create", write, create)
        .post("runs/update", write, update)
        .post("runs/delete", Action::RunDelete, delete)
        .post("runs/restore", Action::RunDelete, restore)
        .brief();
    // A run has as many parameters as anybody gave it.
    let reading = Table::v2().get("runs/get", Action::RunRead, get);
    [writing, reading].into_iter().flat_map(Table::rows).collect()
}

/// The run that a message names, by its new field or its old one.
pub(crate) fn run_id(run_id: Option<String>, run_uuid: Option<String>) -> Result<RunId, Error> {
    Ok(parse_run_id(&run_named(run_id, run_uuid)?)?)
}

/// How a message names a run. Whether that can be an id is looked at once all fields are known to be there.
pub(crate) fn run_named(run_id: Option<String>, run_uuid: Option<String>) -> Result<String, MlflowError> {
    required("run_id", run_id.filter(|id| !id.is_empty()).or(run_uuid))
}

/// Reads a run id. A text that cannot be one names no run, which is what clients expect to hear.
pub(crate) fn parse_run_id(text: &str) -> Result<RunId, MlflowError> {
    text.parse().map_err(|_| MlflowError::NoRun(text.chars().take(100).collect()))
}

/// A run of this workspace with everything that hangs on it, if the caller may do to its experiment what the route
/// does.
pub(crate) async fn existing(state: &Mlflow, caller: &Caller, id: RunId) -> Result<RunDetail, Error> {
    let found = state.tracked.runs(&caller.workspace, &[id]).await?.into_iter().next();
    let found = found.ok_or(TrackingError::NoRun(id))?;
    caller.admitted(ResourceKind::Experiment, found.run.experiment)?;
    Ok(found)
}

/// Refuses if there is one of these runs to whose experiment the caller may not do what the route does.
pub(crate) async fn admit(state: &Mlflow, caller: &Caller, ids: &[RunId]) -> Result<(), Error> {
    if caller.is_confined() {
        for found in state.tracked.runs(&caller.workspace, ids).await? {
            caller.admitted(ResourceKind::Experiment, found.run.experiment)?;
        }
    }
    Ok(())
}

/// Checks tags; a value that is too long is cut, as a stock server does.
pub(crate) fn run_tags(tags: Vec<KeyValue>) -> Result<Vec<Pair>, TextError> {
    tags.into_iter().map(|tag| Pair::tag(tag.key, tag.value, Overlong::Truncate)).collect()
}

#[derive(Debug, Serialize)]
pub(crate) struct One {
    run: RunBody,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
}

pub(crate) async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    shown(&state, &caller, run_id(request.run_id, request.run_uuid)?).await
}

/// A run as it is answered.
pub(crate) async fn shown(state: &Mlflow, caller: &Caller, id: RunId) -> Result<Json<One>, Error> {
    Ok(Json(One { run: existing(state, caller, id).await?.into() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    #[serde(alias = "userId")]
    user_id: Option<String>,
    #[serde(alias = "runName")]
    run_name: Option<String>,
    #[serde(alias = "startTime", deserialize_with = "int64")]
    start_time: Option<i64>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
}

/// The experiment of a new run: the default one if none is named.
fn experiment_of(id: Option<String>) -> Result<ExperimentId, ExperimentError> {
    id.filter(|id| !id.is_empty()).map_or(Ok(ExperimentId::DEFAULT), |id| ExperimentId::parse(&id))
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Create>,
) -> Result<Json<One>, Error> {
    let tags = run_tags(request.tags)?;
    let command = CreateRun {
        workspace: caller.workspace.clone(),
        id: RunId::draw(&*state.entropy),
        experiment: experiment_of(request.experiment_id)?,
        name: resolve_name(request.run_name.as_deref(), &tags, &*state.entropy)?,
        user: request.user_id.unwrap_or_default(),
        start_ms: request.start_time.unwrap_or_else(|| state.clock.now().millis()),
        tags,
    };
    let made = state.tracking.run(&caller.principal, command).await?;
    Ok(Json(One { run: made.into() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
    status: Option<Choice>,
    #[serde(alias = "endTime", deserialize_with = "int64")]
    end_time: Option<i64>,
    #[serde(alias = "runName")]
    run_name: Option<String>,
}

#[derive(Debug, Serialize)]
struct Updated {
    run_info: RunInfo,
}

fn status(choice: Choice) -> Result<RunStatus, TrackingError> {
    match choice {
        Choice::Name(name) => RunStatus::parse(&name),
        Choice::Number(_) => {
            let names = RunStatus::ALL.map(RunStatus::as_str);
            RunStatus::parse(choice.name(&names, 1).unwrap_or("a number that stands for none"))
        }
    }
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Update>,
) -> Result<Json<Updated>, Error> {
    let command = UpdateRun {
        workspace: caller.workspace,
        id: run_id(request.run_id, request.run_uuid)?,
        status: request.status.map(status).transpose()?,
        end_ms: request.end_time,
        name: request.run_name,
    };
    let run = state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Updated { run_info: run.into() }))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteRun { workspace: caller.workspace, id: run_id(request.run_id, request.run_uuid)? };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn restore(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let command = RestoreRun { workspace: caller.workspace, id: run_id(request.run_id, request.run_uuid)? };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
