//! What uses an endpoint: create, delete, list.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_gateway::binding::{Binding, BindingKey, ResourceType};
use mainstay_gateway::command::binding::{CreateBinding, DeleteBinding};
use serde::{Deserialize, Serialize};

use crate::body::BindingBody;
use crate::{filled, id};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, required};
use mainstay_mlflow::{Error, MlflowError, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, manage) = (Action::GatewayRead, Action::GatewayManage);
    Table::v3()
        .post("gateway/endpoints/bindings/create", manage, create)
        .delete("gateway/endpoints/bindings/delete", manage, delete)
        .get("gateway/endpoints/bindings/list", read, list)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(alias = "endpointId")]
    endpoint_id: Option<String>,
    #[serde(alias = "resourceType")]
    resource_type: Option<String>,
    #[serde(alias = "resourceId")]
    resource_id: Option<String>,
}

impl Message {
    fn key(self) -> Result<BindingKey, Error> {
        let endpoint = id(self.endpoint_id)?;
        let kind = required("resource_type", self.resource_type)?;
        let resource = required("resource_id", self.resource_id)?;
        let known = ResourceType::named(&kind);
        let known = known.ok_or_else(|| MlflowError::invalid("resource_type", kind, "use scorer"))?;
        Ok(BindingKey::new(endpoint, known, resource)?)
    }
}

#[derive(Debug, Serialize)]
struct One {
    binding: BindingBody,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let command = CreateBinding { workspace: caller.workspace, key: request.key()? };
    Ok(Json(One { binding: state.gateway.run(&caller.principal, command).await?.into() }))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteBinding { workspace: caller.workspace, key: request.key()? };
    state.gateway.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Serialize)]
struct Many {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bindings: Vec<BindingBody>,
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Many>, Error> {
    let [endpoint, kind, resource] =
        [request.endpoint_id, request.resource_type, request.resource_id].map(filled);
    let wanted = |binding: &Binding| {
        let key = &binding.key;
        endpoint.as_ref().is_none_or(|endpoint| *endpoint == key.endpoint.to_string())
            && kind.as_ref().is_none_or(|kind| kind == key.resource_type.as_str())
            && resource.as_ref().is_none_or(|resource| *resource == key.resource_id)
    };
    let all = state.gateway_reader.bindings(&caller.workspace).await?.into_iter();
    Ok(Json(Many { bindings: all.filter(wanted).map(BindingBody::from).collect() }))
}
