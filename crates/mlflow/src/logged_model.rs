//! Logged models: create, get, finalize, delete, parameters and tags.

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::TextError;
use mainstay_tracking::command::{
    CreateLoggedModel, DeleteLoggedModel, DeleteLoggedModelTag, FinalizeLoggedModel, LogLoggedModelParams,
    SetLoggedModelTags,
};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::logged_model::{LoggedModelDetail, LoggedModelId, LoggedModelStatus};
use mainstay_tracking::run::Lifecycle;
use mainstay_tracking::run_name;
use mainstay_tracking::text::Pair;
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::logged_model_body::{LoggedModelBody, STATUSES};
use crate::model_source::known_run;
use crate::table::Table;
use crate::wire::{Choice, Empty, KeyValue, list, required};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let write = Action::RunWrite;
    Table::v2()
        .post("logged-models", write, create)
        .get("logged-models/{model_id}", Action::RunRead, get)
        .patch("logged-models/{model_id}", write, finalize)
        .delete("logged-models/{model_id}", Action::RunDelete, delete)
        .post("logged-models/{model_id}/params", write, log_params)
        .patch("logged-models/{model_id}/tags", write, set_tags)
        .delete("logged-models/{model_id}/tags/{key}", Action::RunDelete, delete_tag)
        .rows()
}

#[derive(Debug, Serialize)]
struct One {
    model: LoggedModelBody,
}

/// A logged model of this workspace, unless it was deleted.
pub(crate) async fn existing(
    state: &Mlflow,
    workspace: &Name,
    id: LoggedModelId,
) -> Result<LoggedModelDetail, Error> {
    let found = state.tracked.logged_models(workspace, &[id]).await?.into_iter().next();
    let alive = found.filter(|detail| detail.model.lifecycle == Lifecycle::Active);
    Ok(alive.ok_or(TrackingError::NoLoggedModel(id))?)
}

/// A logged model of this workspace, if the caller may do to its experiment what the route does.
pub(crate) async fn admitted(
    state: &Mlflow,
    caller: &Caller,
    id: LoggedModelId,
) -> Result<LoggedModelDetail, Error> {
    let found = existing(state, &caller.workspace, id).await?;
    caller.admitted(ResourceKind::Experiment, found.model.experiment)?;
    Ok(found)
}

/// A logged model that was just written, deleted or not.
async fn one(state: &Mlflow, workspace: &Name, id: LoggedModelId) -> Result<Json<One>, Error> {
    let found = state.tracked.logged_models(workspace, &[id]).await?.into_iter().next();
    Ok(Json(One { model: found.ok_or(TrackingError::NoLoggedModel(id))?.into() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    name: Option<String>,
    #[serde(alias = "modelType")]
    model_type: Option<String>,
    #[serde(alias = "sourceRunId")]
    source_run_id: Option<String>,
    #[serde(deserialize_with = "list")]
    params: Vec<KeyValue>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
}

fn params(params: Vec<KeyValue>) -> Result<Vec<Pair>, TextError> {
    params.into_iter().map(|param| Pair::model_param(param.key, param.value)).collect()
}

fn tags(tags: Vec<KeyValue>) -> Result<Vec<Pair>, TextError> {
    tags.into_iter().map(|tag| Pair::model_tag(tag.key, tag.value)).collect()
}

/// Checks a name, which must be able to stand in a path and in a URI (`_validate_logged_model_name`).
fn checked_name(name: String) -> Result<String, MlflowError> {
    if name.contains(['/', ':', '.', '%', '"', '\'']) {
        return Err(MlflowError::ModelName(name.chars().take(500).collect()));
    }
    Ok(name)
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Create>,
) -> Result<Json<One>, Error> {
    let source_run = request.source_run_id.filter(|id| !id.is_empty());
    let name = request.name.filter(|name| !name.is_empty());
    let source_run = source_run.map(RunRef::new).transpose()?;
    if caller.holds_levels() {
        known_run(&state, &caller, source_run.as_ref()).await?;
    }
    let command = CreateLoggedModel {
        workspace: caller.workspace.clone(),
        id: LoggedModelId::draw(&*state.entropy),
        experiment: ExperimentId::parse(&required("experiment_id", request.experiment_id)?)?,
        name: match name {
            Some(name) => checked_name(name)?,
            None => run_name::draw(&*state.entropy),
        },
        model_type: request.model_type.unwrap_or_default(),
        source_run,
        params: params(request.params)?,
        tags: tags(request.tags)?,
    };
    let model = state.tracking.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, model.id).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Get {
    #[serde(alias = "allowDeleted")]
    allow_deleted: Option<bool>,
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(model_id): Path<String>,
    Call(request): Call<Get>,
) -> Result<Json<One>, Error> {
    let id = model_id.parse()?;
    if request.allow_deleted != Some(true) {
        return Ok(Json(One { model: admitted(&state, &caller, id).await?.into() }));
    }
    let found = state.tracked.logged_models(&caller.workspace, &[id]).await?.into_iter().next();
    let found = found.ok_or(TrackingError::NoLoggedModel(id))?;
    caller.admitted(ResourceKind::Experiment, found.model.experiment)?;
    Ok(Json(One { model: found.into() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Finalize {
    status: Option<Choice>,
}

async fn finalize(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(model_id): Path<String>,
    Call(request): Call<Finalize>,
) -> Result<Json<One>, Error> {
    let choice = request.status.ok_or(MlflowError::Missing("status"))?;
    let status = match choice.name(&STATUSES, 0) {
        Some("LOGGED_MODEL_PENDING") => LoggedModelStatus::Pending,
        Some("LOGGED_MODEL_READY") => LoggedModelStatus::Ready,
        Some("LOGGED_MODEL_UPLOAD_FAILED") => LoggedModelStatus::Failed,
        _ => {
            let hint = "use LOGGED_MODEL_PENDING, LOGGED_MODEL_READY or LOGGED_MODEL_UPLOAD_FAILED";
            return Err(MlflowError::invalid("status", choice, hint).into());
        }
    };
    let id = model_id.parse()?;
    let command = FinalizeLoggedModel { workspace: caller.workspace.clone(), id, status };
    state.tracking.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, id).await
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(model_id): Path<String>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteLoggedModel { workspace: caller.workspace, id: model_id.parse()? };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pairs {
    #[serde(deserialize_with = "list")]
    params: Vec<KeyValue>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
}

async fn log_params(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(model_id): Path<String>,
    Call(request): Call<Pairs>,
) -> Result<Json<Empty>, Error> {
    let (id, params) = (model_id.parse()?, params(request.params)?);
    let command = LogLoggedModelParams { workspace: caller.workspace, id, params };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn set_tags(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(model_id): Path<String>,
    Call(request): Call<Pairs>,
) -> Result<Json<One>, Error> {
    let (id, tags) = (model_id.parse()?, tags(request.tags)?);
    let command = SetLoggedModelTags { workspace: caller.workspace.clone(), id, tags };
    state.tracking.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, id).await
}

async fn delete_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Path((model_id, key)): Path<(String, String)>,
) -> Result<Json<Empty>, Error> {
    let (id, key) = (model_id.parse()?, required("tag_key", Some(key))?);
    let command = DeleteLoggedModelTag { workspace: caller.workspace, id, key };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
