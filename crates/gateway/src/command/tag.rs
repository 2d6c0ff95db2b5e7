//! Tags of an endpoint are set and removed.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{endpoint_scope, existing_endpoint};
use crate::endpoint::{Tag, endpoint_subject};
use crate::error::GatewayError;
use crate::id::EndpointId;
use crate::port::GatewayTx;

/// Sets a tag. Event: `gateway_endpoint.tag_set`.
#[derive(Debug, Clone)]
pub struct SetEndpointTag {
    /// Where.
    pub workspace: Name,
    /// Of which endpoint.
    pub endpoint: EndpointId,
    /// The tag.
    pub tag: Tag,
}

#[async_trait]
impl Command for SetEndpointTag {
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
        existing_endpoint(tx, self.endpoint).await?;
        tx.put_gateway_endpoint_tag(self.endpoint, &self.tag).await?;
        let body = json!({ "key": self.tag.key, "value": self.tag.value });
        tx.record(Event::new("gateway_endpoint.tag_set", endpoint_subject(self.endpoint), body));
        Ok(())
    }
}

/// Removes a tag; nothing happens if there is none. Event: `gateway_endpoint.tag_deleted`.
#[derive(Debug, Clone)]
pub struct DeleteEndpointTag {
    /// Where.
    pub workspace: Name,
    /// Of which endpoint.
    pub endpoint: EndpointId,
    /// The key.
    pub key: String,
}

#[async_trait]
impl Command for DeleteEndpointTag {
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
        existing_endpoint(tx, self.endpoint).await?;
        if tx.delete_gateway_endpoint_tag(self.endpoint, &self.key).await? {
            let body = json!({ "key": self.key });
            tx.record(Event::new("gateway_endpoint.tag_deleted", endpoint_subject(self.endpoint), body));
        }
        Ok(())
    }
}
