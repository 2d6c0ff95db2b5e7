//! Model definitions: a model of a provider, with the secret by which it is reached.

use mainstay_core::scope::{ResourceKind, Subject};

use crate::Stamps;
use crate::error::GatewayError;
use crate::id::{ModelDefinitionId, SecretId};
use crate::secret::{SecretName, provider_name};
use crate::text::{MAX_MODEL, MAX_NAME, name};

/// What its maker says of a model definition, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCard {
    /// What it is called here, unique in the workspace.
    pub name: String,
    /// Whose model it is.
    pub provider: String,
    /// What the provider calls it.
    pub model: String,
}

impl ModelCard {
    /// Checks the texts.
    pub fn new(title: String, provider: String, model: String) -> Result<Self, GatewayError> {
        Ok(Self {
            name: name("name", title, MAX_NAME)?,
            provider: provider_name(provider)?,
            model: name("model_name", model, MAX_MODEL)?,
        })
    }
}

/// A model definition. Its secret is gone once that was deleted: then it cannot be called until it has another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDefinition {
    /// The id.
    pub id: ModelDefinitionId,
    /// What its maker says of it.
    pub card: ModelCard,
    /// By which secret it is reached, and what that is called.
    pub secret: Option<(SecretId, SecretName)>,
    /// Who made and changed it.
    pub stamps: Stamps,
}

/// How the record names a model definition.
pub fn model_definition_subject(id: ModelDefinitionId) -> Subject {
    Subject::new(ResourceKind::GatewayModel, id)
}
