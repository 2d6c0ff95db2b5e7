//! Model definitions are made, changed and removed.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::{Value, json};

use super::existing_definition;
use crate::Stamps;
use crate::error::GatewayError;
use crate::id::{ModelDefinitionId, SecretId};
use crate::model_definition::{ModelCard, ModelDefinition, model_definition_subject};
use crate::port::GatewayTx;
use crate::secret::SecretName;

fn scope(workspace: &Name, id: ModelDefinitionId) -> Scope {
    Scope::new(workspace.clone(), model_definition_subject(id))
}

pub(crate) fn told(definition: &ModelDefinition) -> Value {
    json!({
        "name": definition.card.name,
        "provider": definition.card.provider,
        "model": definition.card.model,
        "secret": definition.secret.as_ref().map(|(id, _)| id.to_string()),
    })
}

async fn named(tx: &mut dyn GatewayTx, id: SecretId) -> Result<(SecretId, SecretName), GatewayError> {
    let secret = tx.secret(id).await?.ok_or(GatewayError::NoSecret(id))?;
    Ok((secret.id, secret.name))
}

/// Refuses a name that another definition has.
async fn check_free(tx: &mut dyn GatewayTx, name: &str, own: ModelDefinitionId) -> Result<(), GatewayError> {
    match tx.model_definition_named(name).await? {
        Some(other) if other != own => Err(GatewayError::ModelDefinitionExists(name.to_owned())),
        _ => Ok(()),
    }
}

/// Makes a model definition. Event: `gateway_model.created`.
#[derive(Debug, Clone)]
pub struct CreateModelDefinition {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: ModelDefinitionId,
    /// What is said of it.
    pub card: ModelCard,
    /// By which secret it is reached.
    pub secret: SecretId,
}

#[async_trait]
impl Command for CreateModelDefinition {
    type Tx = dyn GatewayTx;
    type Out = ModelDefinition;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<ModelDefinition, GatewayError> {
        let secret = Some(named(tx, self.secret).await?);
        check_free(tx, &self.card.name, self.id).await?;
        let stamps = Stamps::new(tx.now(), tx.actor().user_name());
        let definition = ModelDefinition { id: self.id, card: self.card.clone(), secret, stamps };
        tx.insert_model_definition(&definition).await?;
        let subject = model_definition_subject(self.id);
        tx.record(Event::new("gateway_model.created", subject, told(&definition)));
        Ok(definition)
    }
}

/// What of a model definition is replaced; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ModelDefinitionChange {
    /// The name.
    pub name: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// What the provider calls the model.
    pub model: Option<String>,
    /// The secret.
    pub secret: Option<SecretId>,
}

/// Changes a model definition, wherever it is attached. Event: `gateway_model.changed`.
#[derive(Debug, Clone)]
pub struct UpdateModelDefinition {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: ModelDefinitionId,
    /// What is different.
    pub change: ModelDefinitionChange,
}

#[async_trait]
impl Command for UpdateModelDefinition {
    type Tx = dyn GatewayTx;
    type Out = ModelDefinition;
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<ModelDefinition, GatewayError> {
        let old = existing_definition(tx, self.id).await?;
        let change = self.change.clone();
        let card = ModelCard::new(
            change.name.unwrap_or(old.card.name),
            change.provider.unwrap_or(old.card.provider),
            change.model.unwrap_or(old.card.model),
        )?;
        check_free(tx, &card.name, self.id).await?;
        let secret = match change.secret {
            Some(id) => Some(named(tx, id).await?),
            None => old.secret,
        };
        let stamps = old.stamps.touched(tx.now(), tx.actor().user_name());
        let definition = ModelDefinition { id: self.id, card, secret, stamps };
        tx.update_model_definition(&definition).await?;
        let subject = model_definition_subject(self.id);
        tx.record(Event::new("gateway_model.changed", subject, told(&definition)));
        Ok(definition)
    }
}

/// Removes a model definition that no endpoint uses. Event: `gateway_model.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteModelDefinition {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: ModelDefinitionId,
}

#[async_trait]
impl Command for DeleteModelDefinition {
    type Tx = dyn GatewayTx;
    type Out = ();
    type Error = GatewayError;

    fn action(&self) -> Action {
        Action::GatewayManage
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace, self.id)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GatewayError> {
        let definition = existing_definition(tx, self.id).await?;
        if tx.is_attached(self.id).await? {
            return Err(GatewayError::InUse);
        }
        tx.delete_model_definition(self.id).await?;
        let body = json!({ "name": definition.card.name });
        tx.record(Event::new("gateway_model.deleted", model_definition_subject(self.id), body));
        Ok(())
    }
}
