//! Endpoints are made, changed and removed.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::{Value, json};

use super::{endpoint_scope, existing_definition, existing_endpoint};
use crate::Stamps;
use crate::endpoint::{
    Attachments, Endpoint, EndpointDetail, EndpointName, Fallback, RoutingStrategy, endpoint_subject,
};
use crate::error::GatewayError;
use crate::id::EndpointId;
use crate::port::GatewayTx;

pub(crate) fn told(detail: &EndpointDetail) -> Value {
    let endpoint = &detail.endpoint;
    let models = detail.mappings.iter().map(|mapping| {
        json!({
            "model": mapping.attachment.definition.to_string(),
            "linkage": mapping.attachment.linkage.as_str(),
            "weight": mapping.attachment.weight,
            "order": mapping.attachment.order,
        })
    });
    json!({
        "name": endpoint.name.as_str(),
        "routing": endpoint.routing.map(RoutingStrategy::as_str),
        "fallback": endpoint.fallback.map(|fallback| json!({
            "strategy": fallback.strategy.map(crate::endpoint::FallbackStrategy::as_str),
            "max_attempts": fallback.max_attempts,
        })),
        "experiment": endpoint.experiment,
        "tracks_usage": endpoint.tracks_usage,
        "models": models.collect::<Vec<_>>(),
    })
}

/// Refuses a name that another endpoint has.
async fn check_free(
    tx: &mut dyn GatewayTx,
    name: &EndpointName,
    own: EndpointId,
) -> Result<(), GatewayError> {
    match tx.gateway_endpoint_named(name).await? {
        Some(other) if other != own => Err(GatewayError::EndpointExists(name.as_str().to_owned())),
        _ => Ok(()),
    }
}

/// Attaches models whose definitions all must be there.
async fn attach_all(
    tx: &mut dyn GatewayTx,
    id: EndpointId,
    attachments: &Attachments,
) -> Result<(), GatewayError> {
    let stamps = Stamps::new(tx.now(), tx.actor().user_name());
    for attachment in attachments.as_slice() {
        existing_definition(tx, attachment.definition).await?;
        tx.attach(id, attachment, &stamps).await?;
    }
    Ok(())
}

/// Makes an endpoint. Event: `gateway_endpoint.created`.
#[derive(Debug, Clone)]
pub struct CreateEndpoint {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: EndpointId,
    /// The name.
    pub name: EndpointName,
    /// Its models.
    pub attachments: Attachments,
    /// How requests are divided.
    pub routing: Option<RoutingStrategy>,
    /// How it falls back; it does if it has a fallback model, whether or not something is said.
    pub fallback: Option<Fallback>,
    /// In which experiment its traces go, which is there.
    pub experiment: Option<u64>,
    /// Whether its requests leave traces.
    pub tracks_usage: bool,
}

#[async_trait]
impl Command for CreateEndpoint {
    type Tx = dyn GatewayTx;
    type Out = EndpointDetail;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<EndpointDetail, GatewayError> {
        check_free(tx, &self.name, self.id).await?;
        let falls_back = self.attachments.has_fallback();
        let endpoint = Endpoint {
            id: self.id,
            name: self.name.clone(),
            routing: self.routing,
            fallback: self.fallback.or_else(|| falls_back.then(Fallback::default)),
            experiment: self.experiment,
            tracks_usage: self.tracks_usage,
            stamps: Stamps::new(tx.now(), tx.actor().user_name()),
        };
        tx.insert_gateway_endpoint(&endpoint).await?;
        attach_all(tx, self.id, &self.attachments).await?;
        let detail = existing_endpoint(tx, self.id).await?;
        tx.record(Event::new("gateway_endpoint.created", endpoint_subject(self.id), told(&detail)));
        Ok(detail)
    }
}

/// What of an endpoint is replaced; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct EndpointChange {
    /// The name.
    pub name: Option<EndpointName>,
    /// All its models, and with them how it falls back, if nothing is said of that.
    pub attachments: Option<Attachments>,
    /// How requests are divided.
    pub routing: Option<RoutingStrategy>,
    /// How it falls back.
    pub fallback: Option<Fallback>,
    /// In which experiment its traces go, which is there.
    pub experiment: Option<u64>,
    /// Whether its requests leave traces.
    pub tracks_usage: Option<bool>,
}

/// Changes an endpoint. Event: `gateway_endpoint.changed`.
#[derive(Debug, Clone)]
pub struct UpdateEndpoint {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: EndpointId,
    /// What is different.
    pub change: EndpointChange,
}

#[async_trait]
impl Command for UpdateEndpoint {
    type Tx = dyn GatewayTx;
    type Out = EndpointDetail;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<EndpointDetail, GatewayError> {
        let EndpointDetail { endpoint: old, mappings, .. } = existing_endpoint(tx, self.id).await?;
        let change = &self.change;
        let name = change.name.clone().unwrap_or_else(|| old.name.clone());
        check_free(tx, &name, self.id).await?;
        let fallback = change.fallback.or_else(|| match &change.attachments {
            Some(attachments) => attachments.has_fallback().then(Fallback::default),
            None => old.fallback,
        });
        let endpoint = Endpoint {
            id: self.id,
            name,
            routing: change.routing.or(old.routing),
            fallback,
            experiment: change.experiment.or(old.experiment),
            tracks_usage: change.tracks_usage.unwrap_or(old.tracks_usage),
            stamps: old.stamps.touched(tx.now(), tx.actor().user_name()),
        };
        tx.update_gateway_endpoint(&endpoint).await?;
        if let Some(attachments) = &change.attachments {
            for mapping in mappings {
                tx.detach(mapping.attachment.id).await?;
            }
            attach_all(tx, self.id, attachments).await?;
        }
        let detail = existing_endpoint(tx, self.id).await?;
        tx.record(Event::new("gateway_endpoint.changed", endpoint_subject(self.id), told(&detail)));
        Ok(detail)
    }
}

/// Removes an endpoint with its attachments, tags and bindings. Event: `gateway_endpoint.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteEndpoint {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: EndpointId,
}

#[async_trait]
impl Command for DeleteEndpoint {
    type Tx = dyn GatewayTx;
    type Out = ();
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GatewayError> {
        let detail = existing_endpoint(tx, self.id).await?;
        tx.delete_gateway_endpoint(self.id).await?;
        let body = json!({ "name": detail.endpoint.name.as_str() });
        tx.record(Event::new("gateway_endpoint.deleted", endpoint_subject(self.id), body));
        Ok(())
    }
}
