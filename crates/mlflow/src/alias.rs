//! Aliases: set, get, delete. Moving one that an endpoint follows is a promotion: the endpoint is revised
//! with it, and it is refused here too unless the version's gates have passed.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::command::CommandError;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_registry::command::{DeleteAlias, PromoteAlias, SetAlias};
use mainstay_registry::error::RegistryError;
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::{Alias, ModelName};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::model_body::VersionBody;
use crate::model_source;
use crate::model_version::version_number;
use crate::registered_model::{existing, model_name};
use crate::table::Table;
use crate::wire::{Empty, required};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2()
        .get("registered-models/alias", Action::ModelRead, get)
        .post("registered-models/alias", Action::ModelWrite, set)
        .delete("registered-models/alias", Action::ModelDelete, delete)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
    alias: Option<String>,
    version: Option<String>,
}

async fn set(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let name = model_name(request.name)?;
    let alias = Alias::new(required("alias", request.alias)?)?;
    let number = version_number(&name, request.version)?;
    let set = SetAlias { workspace: caller.workspace, name, alias, number };
    match state.registry.run(&caller.principal, set.clone()).await {
        Err(CommandError::Refused(RegistryError::Governed { .. })) => {
            state.endpoints.promote(&caller.principal, PromoteAlias { set }).await?;
        }
        done => done?,
    }
    Ok(Json(Empty {}))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let (name, alias) = (model_name(request.name)?, Alias::new(required("alias", request.alias)?));
    if matches!(alias, Err(RegistryError::ReservedAlias(_))) {
        // Nobody can have set it; what is not there is as good as removed, with this as with any other.
        caller.admitted(ResourceKind::Model, &name)?;
        existing(&state, &caller.workspace, &name).await?;
        return Ok(Json(Empty {}));
    }
    let command = DeleteAlias { workspace: caller.workspace, name, alias: alias? };
    state.registry.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Serialize)]
struct One {
    model_version: VersionBody,
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let (name, alias) = (model_name(request.name)?, required("alias", request.alias)?);
    caller.admitted(ResourceKind::Model, &name)?;
    Ok(Json(One { model_version: pointed(&state, &caller.workspace, &name, alias).await?.into() }))
}

/// The version that an alias points at; `latest`, in any case, is the newest there is.
pub(crate) async fn pointed(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    alias: String,
) -> Result<VersionDetail, Error> {
    let detail = existing(state, workspace, name).await?;
    if alias.eq_ignore_ascii_case("latest") {
        let all = state.registered.latest_versions(workspace, std::slice::from_ref(name)).await?;
        let newest = all.into_iter().max_by_key(|detail| detail.version.number);
        return newest.ok_or_else(|| MlflowError::NoLatest(name.clone()).into());
    }
    let found = detail.aliases.iter().find(|(known, _)| known.as_str() == alias);
    let number = *found.ok_or(MlflowError::NoAlias(alias))?.1;
    model_source::existing(state, workspace, name, number).await
}
