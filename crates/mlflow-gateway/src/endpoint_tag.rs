//! Tags of endpoints.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_gateway::command::tag::{DeleteEndpointTag, SetEndpointTag};
use mainstay_gateway::endpoint::Tag;
use serde::Deserialize;

use crate::id;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, required};
use mainstay_mlflow::{Error, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3()
        .post("gateway/endpoints/set-tag", Action::GatewayManage, set)
        .delete("gateway/endpoints/delete-tag", Action::GatewayManage, delete)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(alias = "endpointId")]
    endpoint_id: Option<String>,
    key: Option<String>,
    value: Option<String>,
}

async fn set(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Empty>, Error> {
    let endpoint = id(request.endpoint_id)?;
    let tag = Tag::new(required("key", request.key)?, request.value.unwrap_or_default())?;
    let command = SetEndpointTag { workspace: caller.workspace, endpoint, tag };
    state.gateway.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Empty>, Error> {
    let endpoint = id(request.endpoint_id)?;
    let key = required("key", request.key)?;
    let command = DeleteEndpointTag { workspace: caller.workspace, endpoint, key };
    state.gateway.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
