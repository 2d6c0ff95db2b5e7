//! Registered models: create, get, describe, rename, delete, and the newest versions of each stage.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_registry::command::{CreateModel, DeleteModel, DescribeModel, RenameModel};
use mainstay_registry::error::RegistryError;
use mainstay_registry::model::{ModelDetail, Stage};
use mainstay_registry::name::{ModelName, Tag};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::model_body::{ModelBody, VersionBody};
use crate::table::Table;
use crate::wire::{Empty, KeyValue, list, required};
use crate::{Error, Mlflow, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::ModelRead, Action::ModelWrite);
    let (creation, removal) = (Action::ModelCreate, Action::ModelDelete);
    Table::v2()
        .post("registered-models/create", creation, create)
        .get("registered-models/get", read, get)
        .patch("registered-models/update", write, update)
        .post("registered-models/rename", write, rename)
        .delete("registered-models/delete", removal, delete)
        .get("registered-models/get-latest-versions", read, latest_versions)
        .post("registered-models/get-latest-versions", read, latest_versions)
        .rows()
}

/// The model that a message names.
pub(crate) fn model_name(name: Option<String>) -> Result<ModelName, Error> {
    Ok(ModelName::new(required("name", name)?)?)
}

/// Checks tags of a model or version.
pub(crate) fn registry_tags(tags: Vec<KeyValue>) -> Result<Vec<Tag>, RegistryError> {
    tags.into_iter().map(|tag| Tag::new(tag.key, tag.value)).collect()
}

/// A model of this workspace.
pub(crate) async fn existing(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
) -> Result<ModelDetail, Error> {
    let found = state.registered.model(workspace, name).await?;
    Ok(found.ok_or_else(|| RegistryError::NoModel(name.clone()))?)
}

#[derive(Debug, Serialize)]
struct One {
    registered_model: ModelBody,
}

async fn one(state: &Mlflow, workspace: &Name, name: &ModelName) -> Result<Json<One>, Error> {
    let detail = existing(state, workspace, name).await?;
    let versions = state.registered.latest_versions(workspace, std::slice::from_ref(name)).await?;
    Ok(Json(One { registered_model: ModelBody::new(detail, versions) }))
}

/// A message that names a model, and what some of them carry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
    #[serde(alias = "newName")]
    new_name: Option<String>,
    description: Option<String>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
    #[serde(deserialize_with = "list")]
    stages: Vec<String>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let command = CreateModel {
        workspace: caller.workspace.clone(),
        name: model_name(request.name)?,
        description: request.description.unwrap_or_default(),
        tags: registry_tags(request.tags)?,
    };
    let model = state.registry.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, &model.name).await
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let name = model_name(request.name)?;
    caller.admitted(ResourceKind::Model, &name)?;
    one(&state, &caller.workspace, &name).await
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let name = model_name(request.name)?;
    let description = request.description.unwrap_or_default();
    let command = DescribeModel { workspace: caller.workspace.clone(), name: name.clone(), description };
    state.registry.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, &name).await
}

async fn rename(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let to = ModelName::new(required("new_name", request.new_name)?)?;
    let workspace = caller.workspace.clone();
    let command = RenameModel { workspace, from: model_name(request.name)?, to: to.clone() };
    state.registry.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, &to).await
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteModel { workspace: caller.workspace, name: model_name(request.name)? };
    state.registry.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Serialize)]
struct LatestVersions {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_versions: Vec<VersionBody>,
}

async fn latest_versions(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<LatestVersions>, Error> {
    let name = model_name(request.name)?;
    caller.admitted(ResourceKind::Model, &name)?;
    existing(&state, &caller.workspace, &name).await?;
    let stages: Vec<Stage> =
        request.stages.iter().map(|stage| Stage::choice(stage)).collect::<Result<_, _>>()?;
    let names = std::slice::from_ref(&name);
    let mut latest = state.registered.latest_versions(&caller.workspace, names).await?;
    latest.retain(|one| stages.is_empty() || stages.contains(&one.version.stage));
    Ok(Json(LatestVersions { model_versions: latest.into_iter().map(VersionBody::from).collect() }))
}
