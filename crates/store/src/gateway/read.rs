//! The reading side.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_gateway::binding::Binding;
use mainstay_gateway::endpoint::EndpointDetail;
use mainstay_gateway::id::{EndpointId, ModelDefinitionId, SecretId};
use mainstay_gateway::model_definition::ModelDefinition;
use mainstay_gateway::port::GatewayReader;
use mainstay_gateway::sealing::Sealed;
use mainstay_gateway::secret::Secret;

use super::{ATTACHMENTS, ENDPOINTS, MODELS, SECRETS, TAGS, binding, details, model_definition, secret};
use crate::params;
use crate::reader::Reader;
use crate::value::{Row, Value};

const SEALED: &str = "SELECT sealed_under, wrapped_key, ciphertext FROM gateway_secrets \
    WHERE workspace = $1 AND id = $2";
const BINDINGS: &str = "SELECT b.endpoint, b.resource_type, b.resource_id, b.display_name, b.created, b.created_by \
    FROM gateway_bindings b JOIN gateway_endpoints e ON e.id = b.endpoint \
    WHERE e.workspace = $1 ORDER BY b.created, b.endpoint, b.resource_type, b.resource_id";

impl Reader {
    /// The rows of a workspace, of one id or of all if it is empty.
    async fn gateway_rows<T: Send + 'static>(
        &self,
        sql: &'static str,
        key: &[Value],
        read: fn(&Row) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let key = key.to_vec();
        self.read(move |tx| Box::pin(async move { tx.query(sql, &key).await?.iter().map(read).collect() }))
            .await
    }

    async fn endpoint_details(&self, key: &[Value]) -> Result<Vec<EndpointDetail>, StorageError> {
        let key = key.to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let endpoints = tx.query(ENDPOINTS, &key).await?;
                let attachments = tx.query(ATTACHMENTS, &key).await?;
                details(&endpoints, &attachments, &tx.query(TAGS, &key).await?)
            })
        })
        .await
    }
}

fn sealed(row: &Row) -> Result<Sealed, StorageError> {
    Ok(Sealed { key: row.parsed(0)?, wrapped_key: row.blob(1)?.to_vec(), ciphertext: row.blob(2)?.to_vec() })
}

#[async_trait]
impl GatewayReader for Reader {
    async fn secrets(&self, workspace: &Name) -> Result<Vec<Secret>, StorageError> {
        self.gateway_rows(SECRETS, params![workspace.as_str(), ""], secret).await
    }

    async fn secret(&self, workspace: &Name, id: SecretId) -> Result<Option<Secret>, StorageError> {
        let found = self.gateway_rows(SECRETS, params![workspace.as_str(), id.to_string()], secret).await;
        Ok(found?.pop())
    }

    async fn sealed(&self, workspace: &Name, id: SecretId) -> Result<Option<Sealed>, StorageError> {
        let found = self.gateway_rows(SEALED, params![workspace.as_str(), id.to_string()], sealed).await;
        Ok(found?.pop())
    }

    async fn model_definitions(&self, workspace: &Name) -> Result<Vec<ModelDefinition>, StorageError> {
        self.gateway_rows(MODELS, params![workspace.as_str(), ""], model_definition).await
    }

    async fn model_definition(
        &self,
        workspace: &Name,
        id: ModelDefinitionId,
    ) -> Result<Option<ModelDefinition>, StorageError> {
        let key = params![workspace.as_str(), id.to_string()];
        Ok(self.gateway_rows(MODELS, key, model_definition).await?.pop())
    }

    async fn gateway_endpoints(&self, workspace: &Name) -> Result<Vec<EndpointDetail>, StorageError> {
        self.endpoint_details(params![workspace.as_str(), ""]).await
    }

    async fn gateway_endpoint(
        &self,
        workspace: &Name,
        id: EndpointId,
    ) -> Result<Option<EndpointDetail>, StorageError> {
        Ok(self.endpoint_details(params![workspace.as_str(), id.to_string()]).await?.pop())
    }

    async fn bindings(&self, workspace: &Name) -> Result<Vec<Binding>, StorageError> {
        self.gateway_rows(BINDINGS, params![workspace.as_str()], binding).await
    }
}
