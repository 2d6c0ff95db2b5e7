//! The port of the LLM gateway: secrets, sealed; model definitions; endpoints with what is attached to them.

mod read;
mod write;

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;
use mainstay_gateway::Stamps;
use mainstay_gateway::binding::{Binding, BindingKey, ResourceType};
use mainstay_gateway::endpoint::{
    Attachment, Endpoint, EndpointDetail, EndpointName, Fallback, FallbackStrategy, Linkage, Mapping,
    RoutingStrategy,
};
use mainstay_gateway::id::EndpointId;
use mainstay_gateway::model_definition::{ModelCard, ModelDefinition};
use mainstay_gateway::secret::{AuthConfig, Secret, SecretName};

use crate::value::Row;

/// Columns of a secret, without its value.
const SECRETS: &str = "SELECT id, created, updated, created_by, updated_by, name, masked, provider, auth_config \
    FROM gateway_secrets WHERE workspace = $1 AND ($2 = '' OR id = $2) ORDER BY created, id";
/// Columns of a model definition, with the name of its secret.
const MODELS: &str = "SELECT m.id, m.created, m.updated, m.created_by, m.updated_by, m.name, m.provider, m.model, \
    m.secret, s.name FROM gateway_models m LEFT JOIN gateway_secrets s ON s.id = m.secret \
    WHERE m.workspace = $1 AND ($2 = '' OR m.id = $2) ORDER BY m.created, m.id";
/// Columns of an endpoint.
const ENDPOINTS: &str = "SELECT id, created, updated, created_by, updated_by, name, routing, falls_back, \
    fallback_strategy, fallback_attempts, experiment, tracks_usage FROM gateway_endpoints \
    WHERE workspace = $1 AND ($2 = '' OR id = $2) ORDER BY created, id";
/// What is attached, with the columns of the model definition first.
const ATTACHMENTS: &str = "SELECT m.id, m.created, m.updated, m.created_by, m.updated_by, m.name, m.provider, \
    m.model, m.secret, s.name, a.id, a.endpoint, a.linkage, a.weight, a.fallback_order, a.created, a.created_by \
    FROM gateway_attachments a JOIN gateway_endpoints e ON e.id = a.endpoint \
    JOIN gateway_models m ON m.id = a.model LEFT JOIN gateway_secrets s ON s.id = m.secret \
    WHERE e.workspace = $1 AND ($2 = '' OR e.id = $2) ORDER BY a.endpoint, a.position";
/// Tags of endpoints.
const TAGS: &str = "SELECT t.endpoint, t.key, t.value FROM gateway_endpoint_tags t \
    JOIN gateway_endpoints e ON e.id = t.endpoint \
    WHERE e.workspace = $1 AND ($2 = '' OR e.id = $2) ORDER BY t.endpoint, t.key";

fn stored<T>(found: Option<T>, what: &str) -> Result<T, StorageError> {
    found.ok_or_else(|| StorageError::Corrupt(format!("a row of the gateway holds no {what}")))
}

/// `created, updated, created_by, updated_by` from the second column on.
fn stamps(row: &Row) -> Result<Stamps, StorageError> {
    Ok(Stamps {
        created: MachineTime::from_micros(row.int(1)?),
        updated: MachineTime::from_micros(row.int(2)?),
        created_by: row.opt_text(3)?.map(str::to_owned),
        updated_by: row.opt_text(4)?.map(str::to_owned),
    })
}

fn secret(row: &Row) -> Result<Secret, StorageError> {
    Ok(Secret {
        id: row.parsed(0)?,
        name: SecretName::stored(row.text(5)?),
        masked: row.json(6)?,
        provider: row.opt_text(7)?.map(str::to_owned),
        auth_config: AuthConfig::stored(row.json(8)?),
        stamps: stamps(row)?,
    })
}

fn model_definition(row: &Row) -> Result<ModelDefinition, StorageError> {
    let secret = match (row.opt_text(8)?, row.opt_text(9)?) {
        (Some(_), Some(name)) => Some((row.parsed(8)?, SecretName::stored(name))),
        _ => None,
    };
    Ok(ModelDefinition {
        id: row.parsed(0)?,
        card: ModelCard {
            name: row.text(5)?.to_owned(),
            provider: row.text(6)?.to_owned(),
            model: row.text(7)?.to_owned(),
        },
        secret,
        stamps: stamps(row)?,
    })
}

fn small(number: i64) -> Result<i32, StorageError> {
    stored(i32::try_from(number).ok(), "small number")
}

fn endpoint(row: &Row) -> Result<Endpoint, StorageError> {
    let routing = row.opt_text(6)?.map(|text| stored(RoutingStrategy::named(text), "routing strategy"));
    let strategy = row.opt_text(8)?.map(|text| stored(FallbackStrategy::named(text), "fallback strategy"));
    let fallback =
        Fallback { strategy: strategy.transpose()?, max_attempts: row.opt_int(9)?.map(small).transpose()? };
    Ok(Endpoint {
        id: row.parsed(0)?,
        name: EndpointName::stored(row.text(5)?),
        routing: routing.transpose()?,
        fallback: row.flag(7)?.then_some(fallback),
        experiment: row.opt_int(10)?.map(|_| row.count(10)).transpose()?,
        tracks_usage: row.flag(11)?,
        stamps: stamps(row)?,
    })
}

fn mapping(row: &Row) -> Result<Mapping, StorageError> {
    let definition = model_definition(row)?;
    let created = MachineTime::from_micros(row.int(15)?);
    Ok(Mapping {
        attachment: Attachment {
            id: row.parsed(10)?,
            definition: definition.id,
            linkage: stored(Linkage::named(row.text(12)?), "linkage")?,
            weight: row.real(13)?,
            order: row.opt_int(14)?.map(small).transpose()?,
        },
        endpoint: row.parsed(11)?,
        definition,
        stamps: Stamps::new(created, row.opt_text(16)?),
    })
}

/// Endpoints with what is attached to them and with their tags.
fn details(
    endpoints: &[Row],
    attachments: &[Row],
    tags: &[Row],
) -> Result<Vec<EndpointDetail>, StorageError> {
    let mut mappings_of: BTreeMap<EndpointId, Vec<Mapping>> = BTreeMap::new();
    for row in attachments {
        let mapping = mapping(row)?;
        mappings_of.entry(mapping.endpoint).or_default().push(mapping);
    }
    let mut tags_of: BTreeMap<EndpointId, BTreeMap<String, String>> = BTreeMap::new();
    for row in tags {
        let of_endpoint = tags_of.entry(row.parsed(0)?).or_default();
        of_endpoint.insert(row.text(1)?.to_owned(), row.text(2)?.to_owned());
    }
    let detail = |row| {
        let endpoint = endpoint(row)?;
        Ok(EndpointDetail {
            mappings: mappings_of.remove(&endpoint.id).unwrap_or_default(),
            tags: tags_of.remove(&endpoint.id).unwrap_or_default(),
            endpoint,
        })
    };
    endpoints.iter().map(detail).collect()
}

/// `endpoint, resource_type, resource_id, display_name, created, created_by`.
fn binding(row: &Row) -> Result<Binding, StorageError> {
    Ok(Binding {
        key: BindingKey {
            endpoint: row.parsed(0)?,
            resource_type: stored(ResourceType::named(row.text(1)?), "kind of resource")?,
            resource_id: row.text(2)?.to_owned(),
        },
        display_name: row.opt_text(3)?.map(str::to_owned),
        stamps: Stamps::new(MachineTime::from_micros(row.int(4)?), row.opt_text(5)?),
    })
}
