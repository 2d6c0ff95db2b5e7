//! The gateway's things on the wire.

use std::collections::BTreeMap;

use mainstay_gateway::Stamps;
use mainstay_gateway::binding::Binding;
use mainstay_gateway::endpoint::{EndpointDetail, Fallback, FallbackStrategy, Mapping, RoutingStrategy};
use mainstay_gateway::model_definition::ModelDefinition;
use mainstay_gateway::secret::Secret;
use serde::Serialize;

use mainstay_mlflow::wire::{KeyValue, pairs};

/// The four fields that all of them have.
#[derive(Debug, Serialize)]
struct StampsBody {
    created_at: i64,
    last_updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_by: Option<String>,
}

impl From<Stamps> for StampsBody {
    fn from(stamps: Stamps) -> Self {
        Self {
            created_at: stamps.created.millis(),
            last_updated_at: stamps.updated.millis(),
            created_by: stamps.created_by,
            last_updated_by: stamps.updated_by,
        }
    }
}

/// `GatewaySecretInfo`: never a value.
#[derive(Debug, Serialize)]
pub(crate) struct SecretBody {
    secret_id: String,
    secret_name: String,
    masked_values: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    auth_config: BTreeMap<String, String>,
    #[serde(flatten)]
    stamps: StampsBody,
}

impl From<Secret> for SecretBody {
    fn from(secret: Secret) -> Self {
        Self {
            secret_id: secret.id.to_string(),
            secret_name: secret.name.as_str().to_owned(),
            masked_values: secret.masked,
            provider: secret.provider,
            auth_config: secret.auth_config.fields().clone(),
            stamps: secret.stamps.into(),
        }
    }
}

/// `GatewayModelDefinition`.
#[derive(Debug, Serialize)]
pub(crate) struct ModelDefinitionBody {
    model_definition_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_name: Option<String>,
    provider: String,
    model_name: String,
    #[serde(flatten)]
    stamps: StampsBody,
}

impl From<ModelDefinition> for ModelDefinitionBody {
    fn from(definition: ModelDefinition) -> Self {
        let (secret_id, secret_name) = definition.secret.unzip();
        Self {
            model_definition_id: definition.id.to_string(),
            name: definition.card.name,
            secret_id: secret_id.map(|id| id.to_string()),
            secret_name: secret_name.map(|name| name.as_str().to_owned()),
            provider: definition.card.provider,
            model_name: definition.card.model,
            stamps: definition.stamps.into(),
        }
    }
}

/// `GatewayEndpointModelMapping`.
#[derive(Debug, Serialize)]
pub(crate) struct MappingBody {
    mapping_id: String,
    endpoint_id: String,
    model_definition_id: String,
    model_definition: ModelDefinitionBody,
    weight: f64,
    linkage_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_order: Option<i32>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
}

impl From<Mapping> for MappingBody {
    fn from(mapping: Mapping) -> Self {
        Self {
            mapping_id: mapping.attachment.id.to_string(),
            endpoint_id: mapping.endpoint.to_string(),
            model_definition_id: mapping.attachment.definition.to_string(),
            model_definition: mapping.definition.into(),
            weight: mapping.attachment.weight,
            linkage_type: mapping.attachment.linkage.as_str(),
            fallback_order: mapping.attachment.order,
            created_at: mapping.stamps.created.millis(),
            created_by: mapping.stamps.created_by,
        }
    }
}

/// `FallbackConfig`.
#[derive(Debug, Serialize)]
struct FallbackBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<i32>,
}

impl From<Fallback> for FallbackBody {
    fn from(fallback: Fallback) -> Self {
        Self {
            strategy: fallback.strategy.map(FallbackStrategy::as_str),
            max_attempts: fallback.max_attempts,
        }
    }
}

/// `GatewayEndpoint`.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointBody {
    endpoint_id: String,
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_mappings: Vec<MappingBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_strategy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_config: Option<FallbackBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_id: Option<String>,
    usage_tracking: bool,
    #[serde(flatten)]
    stamps: StampsBody,
}

impl From<EndpointDetail> for EndpointBody {
    fn from(EndpointDetail { endpoint, mappings, tags }: EndpointDetail) -> Self {
        Self {
            endpoint_id: endpoint.id.to_string(),
            name: endpoint.name.as_str().to_owned(),
            model_mappings: mappings.into_iter().map(MappingBody::from).collect(),
            tags: pairs(tags),
            routing_strategy: endpoint.routing.map(RoutingStrategy::as_str),
            fallback_config: endpoint.fallback.map(FallbackBody::from),
            experiment_id: endpoint.experiment.map(|id| id.to_string()),
            usage_tracking: endpoint.tracks_usage,
            stamps: endpoint.stamps.into(),
        }
    }
}

/// `GatewayEndpointBinding`.
#[derive(Debug, Serialize)]
pub(crate) struct BindingBody {
    endpoint_id: String,
    resource_type: &'static str,
    resource_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(flatten)]
    stamps: StampsBody,
}

impl From<Binding> for BindingBody {
    fn from(binding: Binding) -> Self {
        Self {
            endpoint_id: binding.key.endpoint.to_string(),
            resource_type: binding.key.resource_type.as_str(),
            resource_id: binding.key.resource_id,
            display_name: binding.display_name,
            stamps: binding.stamps.into(),
        }
    }
}
