//! Tags of registered models and of their versions.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_registry::command::{DeleteModelTag, DeleteVersionTag, SetModelTag, SetVersionTag};
use mainstay_registry::name::Tag;
use serde::Deserialize;

use crate::body::Call;
use crate::model_version::version_number;
use crate::registered_model::model_name;
use crate::table::Table;
use crate::wire::{Empty, required};
use crate::{Error, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let write = Action::ModelWrite;
    Table::v2()
        .post("registered-models/set-tag", write, set_model_tag)
        .delete("registered-models/delete-tag", write, delete_model_tag)
        .post("model-versions/set-tag", write, set_version_tag)
        .delete("model-versions/delete-tag", Action::ModelDelete, delete_version_tag)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
    version: Option<String>,
    key: Option<String>,
    value: Option<String>,
}

async fn set_model_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let name = model_name(request.name)?;
    let tag = Tag::new(required("key", request.key)?, request.value.unwrap_or_default())?;
    state.registry.run(&caller.principal, SetModelTag { workspace: caller.workspace, name, tag }).await?;
    Ok(Json(Empty {}))
}

async fn delete_model_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let (name, key) = (model_name(request.name)?, required("key", request.key)?);
    state.registry.run(&caller.principal, DeleteModelTag { workspace: caller.workspace, name, key }).await?;
    Ok(Json(Empty {}))
}

async fn set_version_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let name = model_name(request.name)?;
    let number = version_number(&name, request.version)?;
    let tag = Tag::new(required("key", request.key)?, request.value.unwrap_or_default())?;
    let command = SetVersionTag { workspace: caller.workspace, name, number, tag };
    state.registry.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete_version_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let name = model_name(request.name)?;
    let number = version_number(&name, request.version)?;
    let key = required("key", request.key)?;
    let command = DeleteVersionTag { workspace: caller.workspace, name, number, key };
    state.registry.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
