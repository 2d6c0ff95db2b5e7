//! What the gateway needs of a store. `None` means that there is no such thing. Everything belongs to the
//! transaction's workspace, or the one given.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;

use crate::Stamps;
use crate::binding::{Binding, BindingKey};
use crate::endpoint::{Attachment, Endpoint, EndpointDetail, EndpointName, Tag};
use crate::id::{EndpointId, MappingId, ModelDefinitionId, SecretId};
use crate::model_definition::ModelDefinition;
use crate::sealing::Sealed;
use crate::secret::{Secret, SecretName};

/// What the commands write through.
#[async_trait]
pub trait GatewayTx: Journal {
    /// A secret.
    async fn secret(&mut self, id: SecretId) -> Result<Option<Secret>, StorageError>;
    /// Whether a secret has that name.
    async fn has_secret_named(&mut self, name: &SecretName) -> Result<bool, StorageError>;
    /// Adds a secret.
    async fn insert_secret(&mut self, secret: &Secret, sealed: &Sealed) -> Result<(), StorageError>;
    /// Replaces what is told of a secret, and its value if one is given.
    async fn update_secret(&mut self, secret: &Secret, sealed: Option<&Sealed>) -> Result<(), StorageError>;
    /// Removes a secret. Model definitions are left without it.
    async fn delete_secret(&mut self, id: SecretId) -> Result<(), StorageError>;

    /// A model definition.
    async fn model_definition(
        &mut self,
        id: ModelDefinitionId,
    ) -> Result<Option<ModelDefinition>, StorageError>;
    /// The model definition of that name.
    async fn model_definition_named(&mut self, name: &str)
    -> Result<Option<ModelDefinitionId>, StorageError>;
    /// Adds a model definition.
    async fn insert_model_definition(&mut self, definition: &ModelDefinition) -> Result<(), StorageError>;
    /// Replaces a model definition.
    async fn update_model_definition(&mut self, definition: &ModelDefinition) -> Result<(), StorageError>;
    /// Whether it is attached to an endpoint.
    async fn is_attached(&mut self, id: ModelDefinitionId) -> Result<bool, StorageError>;
    /// Removes a model definition that is not attached.
    async fn delete_model_definition(&mut self, id: ModelDefinitionId) -> Result<(), StorageError>;

    /// An endpoint, with its models and tags.
    async fn gateway_endpoint(&mut self, id: EndpointId) -> Result<Option<EndpointDetail>, StorageError>;
    /// The endpoint of that name.
    async fn gateway_endpoint_named(
        &mut self,
        name: &EndpointName,
    ) -> Result<Option<EndpointId>, StorageError>;
    /// Adds an endpoint without models.
    async fn insert_gateway_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), StorageError>;
    /// Replaces what is told of an endpoint by itself.
    async fn update_gateway_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), StorageError>;
    /// Removes an endpoint with its attachments, tags and bindings.
    async fn delete_gateway_endpoint(&mut self, id: EndpointId) -> Result<(), StorageError>;

    /// Attaches a model, behind those that are.
    async fn attach(
        &mut self,
        endpoint: EndpointId,
        attachment: &Attachment,
        stamps: &Stamps,
    ) -> Result<(), StorageError>;
    /// Detaches one.
    async fn detach(&mut self, id: MappingId) -> Result<(), StorageError>;

    /// Sets a tag.
    async fn put_gateway_endpoint_tag(&mut self, endpoint: EndpointId, tag: &Tag)
    -> Result<(), StorageError>;
    /// Removes a tag; `false` if there was none.
    async fn delete_gateway_endpoint_tag(
        &mut self,
        endpoint: EndpointId,
        key: &str,
    ) -> Result<bool, StorageError>;

    /// Whether there is that binding.
    async fn is_bound(&mut self, key: &BindingKey) -> Result<bool, StorageError>;
    /// Adds a binding.
    async fn insert_binding(&mut self, binding: &Binding) -> Result<(), StorageError>;
    /// Removes a binding.
    async fn delete_binding(&mut self, key: &BindingKey) -> Result<(), StorageError>;
}

/// What readers of the gateway ask. Lists are in the order in which things were made.
#[async_trait]
pub trait GatewayReader: Send + Sync {
    /// All secrets of a workspace.
    async fn secrets(&self, workspace: &Name) -> Result<Vec<Secret>, StorageError>;
    /// A secret.
    async fn secret(&self, workspace: &Name, id: SecretId) -> Result<Option<Secret>, StorageError>;
    /// The value of a secret, sealed: for whoever calls the provider.
    async fn sealed(&self, workspace: &Name, id: SecretId) -> Result<Option<Sealed>, StorageError>;
    /// All model definitions of a workspace.
    async fn model_definitions(&self, workspace: &Name) -> Result<Vec<ModelDefinition>, StorageError>;
    /// A model definition.
    async fn model_definition(
        &self,
        workspace: &Name,
        id: ModelDefinitionId,
    ) -> Result<Option<ModelDefinition>, StorageError>;
    /// All endpoints of a workspace.
    async fn gateway_endpoints(&self, workspace: &Name) -> Result<Vec<EndpointDetail>, StorageError>;
    /// An endpoint.
    async fn gateway_endpoint(
        &self,
        workspace: &Name,
        id: EndpointId,
    ) -> Result<Option<EndpointDetail>, StorageError>;
    /// All bindings of a workspace.
    async fn bindings(&self, workspace: &Name) -> Result<Vec<Binding>, StorageError>;
}

/// Holds the key encryption key.
#[async_trait]
pub trait KeyHolder: Send + Sync {
    /// The key; made when it is asked for first, where it is kept in a file.
    async fn key(&self) -> Result<std::sync::Arc<crate::sealing::KeyEncryptionKey>, StorageError>;
    /// Whether the key is derived from a passphrase that the server's owner chose.
    fn has_passphrase(&self) -> bool;
}
