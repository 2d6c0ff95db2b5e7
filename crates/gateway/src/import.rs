//! What another gateway kept, brought in whole: with its own ids and times, and with events that say that it was
//! imported and not made here.
//!
//! Whoever calls has checked names and values by the rules of this crate, and has sealed what is secret; what is
//! there already is [`StorageError::Contended`], as in every insert.

use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use serde_json::{Value, json};

use crate::Stamps;
use crate::binding::Binding;
use crate::command::{endpoint, model_definition, secret};
use crate::endpoint::{EndpointDetail, Tag, endpoint_subject};
use crate::model_definition::{ModelDefinition, model_definition_subject};
use crate::port::GatewayTx;
use crate::sealing::Sealed;
use crate::secret::{Secret, secret_subject};

/// A secret of elsewhere, sealed anew. One whose value could not be opened there has no fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedSecret {
    /// What is told of it.
    pub secret: Secret,
    /// Its value, under this server's key.
    pub sealed: Sealed,
}

/// An endpoint of elsewhere with all that hangs on it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedEndpoint {
    /// The endpoint, its models and its tags.
    pub detail: EndpointDetail,
    /// What uses it.
    pub bindings: Vec<Binding>,
}

/// What a command's event says, and when and by whom the thing was made and changed elsewhere.
fn with_stamps(mut body: Value, stamps: &Stamps) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.insert("created".to_owned(), json!(stamps.created));
        fields.insert("updated".to_owned(), json!(stamps.updated));
        fields.insert("created_by".to_owned(), json!(stamps.created_by));
        fields.insert("updated_by".to_owned(), json!(stamps.updated_by));
    }
    body
}

/// Adds a secret. Event: `gateway_secret.imported`.
pub async fn put_secret(tx: &mut dyn GatewayTx, imported: &ImportedSecret) -> Result<(), StorageError> {
    let ImportedSecret { secret, sealed } = imported;
    tx.insert_secret(secret, sealed).await?;
    let body = with_stamps(secret::told(secret, Some(sealed)), &secret.stamps);
    tx.record(Event::new("gateway_secret.imported", secret_subject(secret.id), body));
    Ok(())
}

/// Adds a model definition, whose secret is there. Event: `gateway_model.imported`.
pub async fn put_model_definition(
    tx: &mut dyn GatewayTx,
    definition: &ModelDefinition,
) -> Result<(), StorageError> {
    tx.insert_model_definition(definition).await?;
    let body = with_stamps(model_definition::told(definition), &definition.stamps);
    tx.record(Event::new("gateway_model.imported", model_definition_subject(definition.id), body));
    Ok(())
}

/// Adds an endpoint with its models, which are there, its tags, and what uses it. Event:
/// `gateway_endpoint.imported`.
pub async fn put_endpoint(tx: &mut dyn GatewayTx, imported: &ImportedEndpoint) -> Result<(), StorageError> {
    let ImportedEndpoint { detail, bindings } = imported;
    let EndpointDetail { endpoint, mappings, tags } = detail;
    tx.insert_gateway_endpoint(endpoint).await?;
    for mapping in mappings {
        tx.attach(endpoint.id, &mapping.attachment, &mapping.stamps).await?;
    }
    for (key, value) in tags {
        let tag = Tag { key: key.clone(), value: value.clone() };
        tx.put_gateway_endpoint_tag(endpoint.id, &tag).await?;
    }
    for binding in bindings {
        tx.insert_binding(binding).await?;
    }
    let mut body = with_stamps(endpoint::told(detail), &endpoint.stamps);
    if let Value::Object(fields) = &mut body {
        let bound = |binding: &Binding| {
            let key = &binding.key;
            json!({"resource_type": key.resource_type.as_str(), "resource_id": key.resource_id})
        };
        fields.insert("tags".to_owned(), json!(tags));
        fields.insert("bindings".to_owned(), bindings.iter().map(bound).collect());
    }
    tx.record(Event::new("gateway_endpoint.imported", endpoint_subject(endpoint.id), body));
    Ok(())
}
