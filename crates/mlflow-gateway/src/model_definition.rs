//! Model definitions: create, get, update, delete, list.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_gateway::command::model_definition::{
    CreateModelDefinition, DeleteModelDefinition, ModelDefinitionChange, UpdateModelDefinition,
};
use mainstay_gateway::id::{ModelDefinitionId, SecretId};
use mainstay_gateway::model_definition::{ModelCard, ModelDefinition};
use serde::{Deserialize, Serialize};

use crate::body::ModelDefinitionBody;
use crate::{filled, id, none_of, parse};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, required};
use mainstay_mlflow::{Error, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, manage) = (Action::GatewayRead, Action::GatewayManage);
    Table::v3()
        .post("gateway/model-definitions/create", manage, create)
        .get("gateway/model-definitions/get", read, get)
        .post("gateway/model-definitions/update", manage, update)
        .delete("gateway/model-definitions/delete", manage, delete)
        .get("gateway/model-definitions/list", read, list)
        .rows()
}

#[derive(Debug, Serialize)]
struct One {
    model_definition: ModelDefinitionBody,
}

fn one(definition: ModelDefinition) -> Json<One> {
    Json(One { model_definition: definition.into() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(alias = "modelDefinitionId")]
    model_definition_id: Option<String>,
    name: Option<String>,
    #[serde(alias = "secretId")]
    secret_id: Option<String>,
    provider: Option<String>,
    #[serde(alias = "modelName")]
    model_name: Option<String>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let name = required("name", request.name)?;
    let secret: SecretId = id(request.secret_id)?;
    let provider = required("provider", request.provider)?;
    let card = ModelCard::new(name, provider, required("model_name", request.model_name)?)?;
    let id = ModelDefinitionId::draw(&*state.entropy);
    let command = CreateModelDefinition { workspace: caller.workspace, id, card, secret };
    Ok(one(state.gateway.run(&caller.principal, command).await?))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let id: ModelDefinitionId = id(request.model_definition_id)?;
    let found = state.gateway_reader.model_definition(&caller.workspace, id).await?;
    Ok(one(found.ok_or_else(|| none_of::<ModelDefinitionId>(&id.to_string()))?))
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let id: ModelDefinitionId = id(request.model_definition_id)?;
    let change = ModelDefinitionChange {
        name: filled(request.name),
        provider: filled(request.provider),
        model: filled(request.model_name),
        secret: filled(request.secret_id).map(|text| parse(&text)).transpose()?,
    };
    let command = UpdateModelDefinition { workspace: caller.workspace, id, change };
    Ok(one(state.gateway.run(&caller.principal, command).await?))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Empty>, Error> {
    let id = id(request.model_definition_id)?;
    let command = DeleteModelDefinition { workspace: caller.workspace, id };
    state.gateway.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Serialize)]
struct Many {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_definitions: Vec<ModelDefinitionBody>,
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Many>, Error> {
    let (provider, secret) = (filled(request.provider), filled(request.secret_id));
    let wanted = |definition: &ModelDefinition| {
        let of = definition.secret.as_ref().map(|(id, _)| id.to_string());
        provider.as_ref().is_none_or(|provider| *provider == definition.card.provider)
            && (secret.is_none() || of == secret)
    };
    let all = state.gateway_reader.model_definitions(&caller.workspace).await?.into_iter();
    Ok(Json(Many { model_definitions: all.filter(wanted).map(ModelDefinitionBody::from).collect() }))
}
