//! The AI gateway's administration: secrets, model definitions, endpoints. No request goes to a provider here: what
//! would send one is answered with 501.

mod attachment;
mod binding;
mod body;
mod endpoint;
mod endpoint_tag;
mod error;
mod model_definition;
mod provider;
mod proxy;
mod secret;
mod trace_experiment;
mod unsupported;

use std::str::FromStr;

use mainstay_core::text::clip;
use mainstay_gateway::id::{EndpointId, ModelDefinitionId, SecretId};

use crate::error::CallError;
use mainstay_api::route::Route;
use mainstay_mlflow::wire::required;
use mainstay_mlflow::{Error, MlflowState};

/// The table.
pub fn routes() -> Vec<Route<MlflowState>> {
    [
        secret::routes(),
        model_definition::routes(),
        endpoint::routes(),
        endpoint_tag::routes(),
        attachment::routes(),
        binding::routes(),
        provider::routes(),
        proxy::routes(),
        unsupported::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is named by an id: its name in errors, and the field.
trait Named: FromStr {
    const KIND: &'static str;
    const FIELD: &'static str;
}

impl Named for SecretId {
    const KIND: &'static str = "GatewaySecret";
    const FIELD: &'static str = "secret_id";
}

impl Named for ModelDefinitionId {
    const KIND: &'static str = "GatewayModelDefinition";
    const FIELD: &'static str = "model_definition_id";
}

impl Named for EndpointId {
    const KIND: &'static str = "GatewayEndpoint";
    const FIELD: &'static str = "endpoint_id";
}

/// Nothing is named by that text.
fn none_of<T: Named>(text: &str) -> CallError {
    none_named::<T>(T::FIELD, text)
}

fn none_named<T: Named>(field: &'static str, text: &str) -> CallError {
    CallError::NotFound { kind: T::KIND, field, value: clip(text) }
}

/// The id in a field that must be there.
fn id<T: Named>(text: Option<String>) -> Result<T, Error> {
    parse(&required(T::FIELD, text)?)
}

/// An id; a text that is none names nothing.
fn parse<T: Named>(text: &str) -> Result<T, Error> {
    Ok(text.parse().map_err(|_| none_of::<T>(text))?)
}

/// A text, unless it is empty: as good as none in a message of protobuf.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
