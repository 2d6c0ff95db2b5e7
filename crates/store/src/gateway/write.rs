//! The writing side.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_gateway::Stamps;
use mainstay_gateway::binding::{Binding, BindingKey};
use mainstay_gateway::endpoint::{
    Attachment, Endpoint, EndpointDetail, EndpointName, FallbackStrategy, RoutingStrategy, Tag,
};
use mainstay_gateway::id::{EndpointId, MappingId, ModelDefinitionId, SecretId};
use mainstay_gateway::model_definition::ModelDefinition;
use mainstay_gateway::port::GatewayTx;
use mainstay_gateway::sealing::Sealed;
use mainstay_gateway::secret::{Secret, SecretName};

use super::{ATTACHMENTS, ENDPOINTS, MODELS, SECRETS, TAGS, details, model_definition, secret};
use crate::params;
use crate::tx::StoreTx;
use crate::value::json_text;

const DELETE_ENDPOINT: [&str; 4] = [
    "DELETE FROM gateway_bindings WHERE endpoint = $1",
    "DELETE FROM gateway_endpoint_tags WHERE endpoint = $1",
    "DELETE FROM gateway_attachments WHERE endpoint = $1",
    "DELETE FROM gateway_endpoints WHERE id = $1",
];

#[async_trait]
impl GatewayTx for StoreTx {
    async fn secret(&mut self, id: SecretId) -> Result<Option<Secret>, StorageError> {
        let row = self.query_one(SECRETS, params![self.workspace().as_str(), id.to_string()]).await?;
        row.as_ref().map(secret).transpose()
    }

    async fn has_secret_named(&mut self, name: &SecretName) -> Result<bool, StorageError> {
        let sql = "SELECT id FROM gateway_secrets WHERE workspace = $1 AND name = $2";
        Ok(self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?.is_some())
    }

    async fn insert_secret(&mut self, secret: &Secret, sealed: &Sealed) -> Result<(), StorageError> {
        let sql = "INSERT INTO gateway_secrets (id, workspace, name, masked, provider, auth_config, sealed_under, \
            wrapped_key, ciphertext, created, updated, created_by, updated_by) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
        let row = params![
            secret.id.to_string(),
            self.workspace().as_str(),
            secret.name.as_str(),
            json_text(&secret.masked)?,
            secret.provider.as_deref(),
            json_text(secret.auth_config.fields())?,
            sealed.key.as_str(),
            &*sealed.wrapped_key,
            &*sealed.ciphertext,
            secret.stamps.created.micros(),
            secret.stamps.updated.micros(),
            secret.stamps.created_by.as_deref(),
            secret.stamps.updated_by.as_deref(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn update_secret(&mut self, secret: &Secret, sealed: Option<&Sealed>) -> Result<(), StorageError> {
        let sql = "UPDATE gateway_secrets SET masked = $2, auth_config = $3, updated = $4, updated_by = $5 \
            WHERE id = $1";
        let id = secret.id.to_string();
        let row = params![
            &id,
            json_text(&secret.masked)?,
            json_text(secret.auth_config.fields())?,
            secret.stamps.updated.micros(),
            secret.stamps.updated_by.as_deref(),
        ];
        self.execute(sql, row).await?;
        if let Some(sealed) = sealed {
            let sql = "UPDATE gateway_secrets SET sealed_under = $2, wrapped_key = $3, ciphertext = $4 \
                WHERE id = $1";
            let row = params![&id, sealed.key.as_str(), &*sealed.wrapped_key, &*sealed.ciphertext];
            self.execute(sql, row).await?;
        }
        Ok(())
    }

    async fn delete_secret(&mut self, id: SecretId) -> Result<(), StorageError> {
        let id = params![id.to_string()];
        self.execute("UPDATE gateway_models SET secret = NULL WHERE secret = $1", id).await?;
        self.execute("DELETE FROM gateway_secrets WHERE id = $1", id).await.map(drop)
    }

    async fn model_definition(
        &mut self,
        id: ModelDefinitionId,
    ) -> Result<Option<ModelDefinition>, StorageError> {
        let row = self.query_one(MODELS, params![self.workspace().as_str(), id.to_string()]).await?;
        row.as_ref().map(model_definition).transpose()
    }

    async fn model_definition_named(
        &mut self,
        name: &str,
    ) -> Result<Option<ModelDefinitionId>, StorageError> {
        let sql = "SELECT id FROM gateway_models WHERE workspace = $1 AND name = $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), name]).await?;
        row.map(|row| row.parsed(0)).transpose()
    }

    async fn insert_model_definition(&mut self, definition: &ModelDefinition) -> Result<(), StorageError> {
        let sql = "INSERT INTO gateway_models (id, workspace, name, secret, provider, model, created, updated, \
            created_by, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let row = params![
            definition.id.to_string(),
            self.workspace().as_str(),
            &definition.card.name,
            definition.secret.as_ref().map(|(id, _)| id.to_string()),
            &definition.card.provider,
            &definition.card.model,
            definition.stamps.created.micros(),
            definition.stamps.updated.micros(),
            definition.stamps.created_by.as_deref(),
            definition.stamps.updated_by.as_deref(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn update_model_definition(&mut self, definition: &ModelDefinition) -> Result<(), StorageError> {
        let sql = "UPDATE gateway_models SET name = $2, secret = $3, provider = $4, model = $5, updated = $6, \
            updated_by = $7 WHERE id = $1";
        let row = params![
            definition.id.to_string(),
            &definition.card.name,
            definition.secret.as_ref().map(|(id, _)| id.to_string()),
            &definition.card.provider,
            &definition.card.model,
            definition.stamps.updated.micros(),
            definition.stamps.updated_by.as_deref(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn is_attached(&mut self, id: ModelDefinitionId) -> Result<bool, StorageError> {
        let sql = "SELECT id FROM gateway_attachments WHERE model = $1 LIMIT 1";
        Ok(self.query_one(sql, params![id.to_string()]).await?.is_some())
    }

    async fn delete_model_definition(&mut self, id: ModelDefinitionId) -> Result<(), StorageError> {
        self.execute("DELETE FROM gateway_models WHERE id = $1", params![id.to_string()]).await.map(drop)
    }

    async fn gateway_endpoint(&mut self, id: EndpointId) -> Result<Option<EndpointDetail>, StorageError> {
        let key = params![self.workspace().as_str(), id.to_string()].to_vec();
        let endpoints = self.query(ENDPOINTS, &key).await?;
        let attachments = self.query(ATTACHMENTS, &key).await?;
        let tags = self.query(TAGS, &key).await?;
        Ok(details(&endpoints, &attachments, &tags)?.pop())
    }

    async fn gateway_endpoint_named(
        &mut self,
        name: &EndpointName,
    ) -> Result<Option<EndpointId>, StorageError> {
        let sql = "SELECT id FROM gateway_endpoints WHERE workspace = $1 AND name = $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?;
        row.map(|row| row.parsed(0)).transpose()
    }

    async fn insert_gateway_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), StorageError> {
        let sql = "INSERT INTO gateway_endpoints (id, workspace, name, falls_back, tracks_usage, created, updated, \
            created_by) VALUES ($1, $2, $3, 0, 0, $4, $5, $6)";
        let row = params![
            endpoint.id.to_string(),
            self.workspace().as_str(),
            endpoint.name.as_str(),
            endpoint.stamps.created.micros(),
            endpoint.stamps.updated.micros(),
            endpoint.stamps.created_by.as_deref(),
        ];
        self.execute(sql, row).await?;
        self.update_gateway_endpoint(endpoint).await
    }

    async fn update_gateway_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), StorageError> {
        let sql = "UPDATE gateway_endpoints SET name = $2, routing = $3, falls_back = $4, fallback_strategy = $5, \
            fallback_attempts = $6, experiment = $7, tracks_usage = $8, updated = $9, updated_by = $10 \
            WHERE id = $1";
        let fallback = endpoint.fallback;
        let row = params![
            endpoint.id.to_string(),
            endpoint.name.as_str(),
            endpoint.routing.map(RoutingStrategy::as_str),
            fallback.is_some(),
            fallback.and_then(|fallback| fallback.strategy).map(FallbackStrategy::as_str),
            fallback.and_then(|fallback| fallback.max_attempts),
            endpoint.experiment,
            endpoint.tracks_usage,
            endpoint.stamps.updated.micros(),
            endpoint.stamps.updated_by.as_deref(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_gateway_endpoint(&mut self, id: EndpointId) -> Result<(), StorageError> {
        for sql in DELETE_ENDPOINT {
            self.execute(sql, params![id.to_string()]).await?;
        }
        Ok(())
    }

    async fn attach(
        &mut self,
        endpoint: EndpointId,
        attachment: &Attachment,
        stamps: &Stamps,
    ) -> Result<(), StorageError> {
        let last = "SELECT MAX(position) FROM gateway_attachments WHERE endpoint = $1";
        let last = self.query_one(last, params![endpoint.to_string()]).await?;
        let last = last.map_or(Ok(None), |row| row.opt_int(0))?.unwrap_or(0);
        let sql = "INSERT INTO gateway_attachments (id, endpoint, position, model, linkage, weight, fallback_order, \
            created, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let row = params![
            attachment.id.to_string(),
            endpoint.to_string(),
            last + 1,
            attachment.definition.to_string(),
            attachment.linkage.as_str(),
            attachment.weight,
            attachment.order,
            stamps.created.micros(),
            stamps.created_by.as_deref(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn detach(&mut self, id: MappingId) -> Result<(), StorageError> {
        self.execute("DELETE FROM gateway_attachments WHERE id = $1", params![id.to_string()]).await.map(drop)
    }

    async fn put_gateway_endpoint_tag(
        &mut self,
        endpoint: EndpointId,
        tag: &Tag,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO gateway_endpoint_tags (endpoint, key, value) VALUES ($1, $2, $3) \
            ON CONFLICT (endpoint, key) DO UPDATE SET value = excluded.value";
        self.execute(sql, params![endpoint.to_string(), &tag.key, &tag.value]).await.map(drop)
    }

    async fn delete_gateway_endpoint_tag(
        &mut self,
        endpoint: EndpointId,
        key: &str,
    ) -> Result<bool, StorageError> {
        let sql = "DELETE FROM gateway_endpoint_tags WHERE endpoint = $1 AND key = $2";
        Ok(self.execute(sql, params![endpoint.to_string(), key]).await? > 0)
    }

    async fn is_bound(&mut self, key: &BindingKey) -> Result<bool, StorageError> {
        let sql = "SELECT b.endpoint FROM gateway_bindings b JOIN gateway_endpoints e ON e.id = b.endpoint \
            WHERE e.workspace = $1 AND b.endpoint = $2 AND b.resource_type = $3 AND b.resource_id = $4";
        let row = params![
            self.workspace().as_str(),
            key.endpoint.to_string(),
            key.resource_type.as_str(),
            &key.resource_id,
        ];
        Ok(self.query_one(sql, row).await?.is_some())
    }

    async fn insert_binding(&mut self, binding: &Binding) -> Result<(), StorageError> {
        let sql = "INSERT INTO gateway_bindings (endpoint, resource_type, resource_id, display_name, created, \
            created_by) VALUES ($1, $2, $3, $4, $5, $6)";
        let row = params![
            binding.key.endpoint.to_string(),
            binding.key.resource_type.as_str(),
            &binding.key.resource_id,
            binding.display_name.as_deref(),
            binding.stamps.created.micros(),
            binding.stamps.created_by.as_deref(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_binding(&mut self, key: &BindingKey) -> Result<(), StorageError> {
        let sql =
            "DELETE FROM gateway_bindings WHERE endpoint = $1 AND resource_type = $2 AND resource_id = $3";
        let row = params![key.endpoint.to_string(), key.resource_type.as_str(), &key.resource_id];
        self.execute(sql, row).await.map(drop)
    }
}
