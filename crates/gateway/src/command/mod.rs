//! Every change of the gateway. Each is one event; none holds a secret.

pub mod attachment;
pub mod binding;
pub mod endpoint;
pub mod model_definition;
pub mod secret;
pub mod tag;

use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use crate::endpoint::{EndpointDetail, endpoint_subject};
use crate::error::GatewayError;
use crate::id::{EndpointId, ModelDefinitionId};
use crate::model_definition::ModelDefinition;
use crate::port::GatewayTx;

fn endpoint_scope(workspace: &Name, id: EndpointId) -> Scope {
    Scope::new(workspace.clone(), endpoint_subject(id))
}

async fn existing_endpoint(tx: &mut dyn GatewayTx, id: EndpointId) -> Result<EndpointDetail, GatewayError> {
    tx.gateway_endpoint(id).await?.ok_or(GatewayError::NoEndpoint(id))
}

async fn existing_definition(
    tx: &mut dyn GatewayTx,
    id: ModelDefinitionId,
) -> Result<ModelDefinition, GatewayError> {
    tx.model_definition(id).await?.ok_or(GatewayError::NoModelDefinition(id))
}
