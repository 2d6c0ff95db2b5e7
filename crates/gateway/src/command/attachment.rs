//! Single models are attached to an endpoint, and detached.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use super::endpoint::told;
use super::{endpoint_scope, existing_definition, existing_endpoint};
use crate::Stamps;
use crate::endpoint::{Attachment, Endpoint, MAX_MODELS, Mapping, endpoint_subject};
use crate::error::GatewayError;
use crate::id::{EndpointId, ModelDefinitionId};
use crate::port::GatewayTx;

/// Notes who changed the endpoint, and records how it is now.
async fn conclude(tx: &mut dyn GatewayTx, old: Endpoint) -> Result<(), GatewayError> {
    let stamps = old.stamps.touched(tx.now(), tx.actor().user_name());
    let id = old.id;
    tx.update_gateway_endpoint(&Endpoint { stamps, ..old }).await?;
    let detail = existing_endpoint(tx, id).await?;
    tx.record(Event::new("gateway_endpoint.changed", endpoint_subject(id), told(&detail)));
    Ok(())
}

/// Attaches a model. Event: `gateway_endpoint.changed`.
#[derive(Debug, Clone)]
pub struct AttachModel {
    /// Where.
    pub workspace: Name,
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// What.
    pub attachment: Attachment,
}

#[async_trait]
impl Command for AttachModel {
    type Tx = dyn GatewayTx;
    type Out = Mapping;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Mapping, GatewayError> {
        let detail = existing_endpoint(tx, self.endpoint).await?;
        let attachment = self.attachment.checked()?;
        let definition = existing_definition(tx, attachment.definition).await?;
        let is_same = |mapping: &Mapping| {
            let there = &mapping.attachment;
            there.definition == attachment.definition && there.linkage == attachment.linkage
        };
        if detail.mappings.iter().any(is_same) {
            return Err(GatewayError::AlreadyAttached {
                definition: attachment.definition,
                endpoint: self.endpoint,
            });
        }
        if detail.mappings.len() >= MAX_MODELS {
            return Err(GatewayError::TooManyModels(MAX_MODELS));
        }
        let stamps = Stamps::new(tx.now(), tx.actor().user_name());
        tx.attach(self.endpoint, &attachment, &stamps).await?;
        conclude(tx, detail.endpoint).await?;
        Ok(Mapping { attachment, endpoint: self.endpoint, definition, stamps })
    }
}

/// Detaches a model, in all that it does for the endpoint. The last one can go: then the endpoint answers nothing.
/// Event: `gateway_endpoint.changed`.
#[derive(Debug, Clone)]
pub struct DetachModel {
    /// Where.
    pub workspace: Name,
    /// From which endpoint.
    pub endpoint: EndpointId,
    /// Which model.
    pub definition: ModelDefinitionId,
}

#[async_trait]
impl Command for DetachModel {
    type Tx = dyn GatewayTx;
    type Out = ();
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GatewayError> {
        let (endpoint, definition) = (self.endpoint, self.definition);
        let detail = existing_endpoint(tx, endpoint).await?;
        let of_model = |mapping: &&Mapping| mapping.attachment.definition == definition;
        let ids: Vec<_> =
            detail.mappings.iter().filter(of_model).map(|mapping| mapping.attachment.id).collect();
        if ids.is_empty() {
            return Err(GatewayError::NotAttached { definition, endpoint });
        }
        for id in ids {
            tx.detach(id).await?;
        }
        conclude(tx, detail.endpoint).await
    }
}
