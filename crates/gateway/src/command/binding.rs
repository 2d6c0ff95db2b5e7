//! Bindings are made and removed.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::{Value, json};

use super::{endpoint_scope, existing_endpoint};
use crate::Stamps;
use crate::binding::{Binding, BindingKey};
use crate::endpoint::endpoint_subject;
use crate::error::GatewayError;
use crate::port::GatewayTx;

fn told(key: &BindingKey) -> Value {
    json!({ "resource_type": key.resource_type.as_str(), "resource_id": key.resource_id })
}

/// Says that a thing uses an endpoint. Event: `gateway_endpoint.bound`.
#[derive(Debug, Clone)]
pub struct CreateBinding {
    /// Where.
    pub workspace: Name,
    /// What uses what.
    pub key: BindingKey,
}

#[async_trait]
impl Command for CreateBinding {
    type Tx = dyn GatewayTx;
    type Out = Binding;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, self.key.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Binding, GatewayError> {
        let key = self.key.clone();
        existing_endpoint(tx, key.endpoint).await?;
        if tx.is_bound(&key).await? {
            return Err(GatewayError::AlreadyBound {
                endpoint: key.endpoint,
                resource_type: key.resource_type.as_str(),
                resource_id: key.resource_id,
            });
        }
        let stamps = Stamps::new(tx.now(), tx.actor().user_name());
        let binding = Binding { key, display_name: None, stamps };
        tx.insert_binding(&binding).await?;
        let subject = endpoint_subject(self.key.endpoint);
        tx.record(Event::new("gateway_endpoint.bound", subject, told(&self.key)));
        Ok(binding)
    }
}

/// Says that a thing uses an endpoint no more. Event: `gateway_endpoint.unbound`.
#[derive(Debug, Clone)]
pub struct DeleteBinding {
    /// Where.
    pub workspace: Name,
    /// What used what.
    pub key: BindingKey,
}

#[async_trait]
impl Command for DeleteBinding {
    type Tx = dyn GatewayTx;
    type Out = ();
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, self.key.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GatewayError> {
        if !tx.is_bound(&self.key).await? {
            return Err(GatewayError::NoBinding {
                endpoint: self.key.endpoint,
                resource_type: self.key.resource_type.as_str(),
                resource_id: self.key.resource_id.clone(),
            });
        }
        tx.delete_binding(&self.key).await?;
        let subject = endpoint_subject(self.key.endpoint);
        tx.record(Event::new("gateway_endpoint.unbound", subject, told(&self.key)));
        Ok(())
    }
}
