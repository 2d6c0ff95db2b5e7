//! Endpoints: create, get, update, delete, list.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_gateway::command::endpoint::{CreateEndpoint, DeleteEndpoint, EndpointChange, UpdateEndpoint};
use mainstay_gateway::endpoint::{
    Attachments, EndpointDetail, EndpointName, Fallback, FallbackStrategy, RoutingStrategy,
};
use mainstay_gateway::error::GatewayError;
use mainstay_gateway::id::EndpointId;
use serde::{Deserialize, Serialize};

use crate::attachment::ModelConfig;
use crate::body::EndpointBody;
use crate::error::CallError;
use crate::trace_experiment::{existing, made_for};
use crate::{filled, id, none_named, none_of};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Choice, Empty, int64, list as list_of, required};
use mainstay_mlflow::{Error, Mlflow, MlflowError, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, manage) = (Action::GatewayRead, Action::GatewayManage);
    Table::v3()
        .post("gateway/endpoints/create", manage, create)
        .get("gateway/endpoints/get", read, get)
        .post("gateway/endpoints/update", manage, update)
        .delete("gateway/endpoints/delete", manage, delete)
        .get("gateway/endpoints/list", read, list)
        .rows()
}

#[derive(Debug, Serialize)]
struct One {
    endpoint: EndpointBody,
}

fn one(detail: EndpointDetail) -> Json<One> {
    Json(One { endpoint: detail.into() })
}

/// `FallbackConfig`, as it comes in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FallbackMessage {
    strategy: Option<Choice>,
    #[serde(alias = "maxAttempts", deserialize_with = "int64")]
    max_attempts: Option<i64>,
}

impl FallbackMessage {
    fn read(self) -> Result<Fallback, Error> {
        let names: Vec<_> = FallbackStrategy::ALL.iter().map(|one| one.as_str()).collect();
        let strategy =
            chosen("strategy", self.strategy, &names)?.and_then(|name| FallbackStrategy::named(&name));
        let attempts = self.max_attempts.map(|number| {
            i32::try_from(number)
                .map_err(|_| MlflowError::invalid("max_attempts", number, "it is a 32-bit number"))
        });
        Ok(Fallback::new(strategy, attempts.transpose()?)?)
    }
}

/// The name of a value of an enumeration whose number 0 says nothing.
fn chosen(
    field: &'static str,
    choice: Option<Choice>,
    names: &[&str],
) -> Result<Option<String>, MlflowError> {
    match choice {
        None | Some(Choice::Number(0)) => Ok(None),
        Some(Choice::Name(name)) if name.is_empty() || name.ends_with("_UNSPECIFIED") => Ok(None),
        Some(choice) => match choice.name(names, 1) {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(MlflowError::invalid(field, choice, format!("use {}", names.join(" or ")))),
        },
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(alias = "endpointId")]
    endpoint_id: Option<String>,
    name: Option<String>,
    #[serde(alias = "modelConfigs", deserialize_with = "list_of")]
    model_configs: Vec<ModelConfig>,
    #[serde(alias = "routingStrategy")]
    routing_strategy: Option<Choice>,
    #[serde(alias = "fallbackConfig")]
    fallback_config: Option<FallbackMessage>,
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    #[serde(alias = "usageTracking")]
    usage_tracking: Option<bool>,
}

impl Message {
    fn attachments(&mut self, state: &Mlflow, id: EndpointId) -> Result<Attachments, Error> {
        let configs = std::mem::take(&mut self.model_configs).into_iter().enumerate();
        let read = configs.map(|(at, config)| config.read(Some(at), &*state.entropy));
        Ok(Attachments::new(id, read.collect::<Result<_, _>>()?)?)
    }

    fn routing(&mut self) -> Result<Option<RoutingStrategy>, Error> {
        let names: Vec<_> = RoutingStrategy::ALL.iter().map(|one| one.as_str()).collect();
        let name = chosen("routing_strategy", self.routing_strategy.take(), &names)?;
        Ok(name.and_then(|name| RoutingStrategy::named(&name)))
    }
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Message>,
) -> Result<Json<One>, Error> {
    let name = EndpointName::new(required("name", request.name.take())?)?;
    if request.model_configs.is_empty() {
        return Err(MlflowError::Missing("model_configs").into());
    }
    let id = EndpointId::draw(&*state.entropy);
    let attachments = request.attachments(&state, id)?;
    let routing = request.routing()?;
    let fallback = request.fallback_config.take().map(FallbackMessage::read).transpose()?;
    let tracks_usage = request.usage_tracking.unwrap_or(true);
    let experiment = match filled(request.experiment_id) {
        Some(text) => Some(existing(&state, &caller, &text).await?),
        None if tracks_usage => {
            check_new(&state, &caller, &name, &attachments).await?;
            Some(made_for(&state, &caller, id, &name).await?)
        }
        None => None,
    };
    let workspace = caller.workspace;
    let command =
        CreateEndpoint { workspace, id, name, attachments, routing, fallback, experiment, tracks_usage };
    Ok(one(state.gateway.run(&caller.principal, command).await?))
}

/// Refuses what the command would refuse, before an experiment is made for it.
async fn check_new(
    state: &Mlflow,
    caller: &Caller,
    name: &EndpointName,
    attachments: &Attachments,
) -> Result<(), Error> {
    let endpoints = state.gateway_reader.gateway_endpoints(&caller.workspace).await?;
    if endpoints.iter().any(|detail| detail.endpoint.name == *name) {
        return Err(GatewayError::EndpointExists(name.as_str().to_owned()).into());
    }
    let definitions = state.gateway_reader.model_definitions(&caller.workspace).await?;
    for attachment in attachments.as_slice() {
        if definitions.iter().all(|definition| definition.id != attachment.definition) {
            return Err(GatewayError::NoModelDefinition(attachment.definition).into());
        }
    }
    Ok(())
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    let found = match (filled(request.endpoint_id), filled(request.name)) {
        (Some(_), Some(_)) | (None, None) => return Err(CallError::EndpointKey.into()),
        (None, Some(name)) => {
            let all = state.gateway_reader.gateway_endpoints(&caller.workspace).await?;
            let named = all.into_iter().find(|detail| detail.endpoint.name.as_str() == name);
            named.ok_or_else(|| none_named::<EndpointId>("name", &name))?
        }
        (text, None) => existing_endpoint(&state, &caller, id(text)?).await?,
    };
    Ok(one(found))
}

async fn existing_endpoint(state: &Mlflow, caller: &Caller, id: EndpointId) -> Result<EndpointDetail, Error> {
    let found = state.gateway_reader.gateway_endpoint(&caller.workspace, id).await?;
    Ok(found.ok_or_else(|| none_of::<EndpointId>(&id.to_string()))?)
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Message>,
) -> Result<Json<One>, Error> {
    let id: EndpointId = id(request.endpoint_id.take())?;
    let name = filled(request.name.take()).map(EndpointName::new).transpose()?;
    let replaces = !request.model_configs.is_empty();
    let attachments = replaces.then(|| request.attachments(&state, id)).transpose()?;
    let routing = request.routing()?;
    let fallback = request.fallback_config.take().map(FallbackMessage::read).transpose()?;
    let experiment = match filled(request.experiment_id) {
        Some(text) => Some(existing(&state, &caller, &text).await?),
        None if request.usage_tracking == Some(true) => {
            let now = existing_endpoint(&state, &caller, id).await?.endpoint;
            match now.experiment {
                Some(_) => None,
                None => Some(made_for(&state, &caller, id, name.as_ref().unwrap_or(&now.name)).await?),
            }
        }
        None => None,
    };
    let tracks_usage = request.usage_tracking;
    let change = EndpointChange { name, attachments, routing, fallback, experiment, tracks_usage };
    let command = UpdateEndpoint { workspace: caller.workspace, id, change };
    Ok(one(state.gateway.run(&caller.principal, command).await?))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteEndpoint { workspace: caller.workspace, id: id(request.endpoint_id)? };
    state.gateway.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    provider: Option<String>,
    #[serde(alias = "secretId")]
    secret_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Many {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<EndpointBody>,
}

/// Those with a model of the provider, and with one that is reached by the secret, where these are named.
async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Wanted>,
) -> Result<Json<Many>, Error> {
    let (provider, secret) = (filled(request.provider), filled(request.secret_id));
    let wanted = |detail: &EndpointDetail| {
        let fits = |mapping: &mainstay_gateway::endpoint::Mapping| {
            let definition = &mapping.definition;
            let of = definition.secret.as_ref().map(|(id, _)| id.to_string());
            provider.as_ref().is_none_or(|provider| *provider == definition.card.provider)
                && (secret.is_none() || of == secret)
        };
        provider.is_none() && secret.is_none() || detail.mappings.iter().any(fits)
    };
    let all = state.gateway_reader.gateway_endpoints(&caller.workspace).await?.into_iter();
    Ok(Json(Many { endpoints: all.filter(wanted).map(EndpointBody::from).collect() }))
}
