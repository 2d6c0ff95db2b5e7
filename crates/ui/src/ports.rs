//! What the console needs that no domain offers as a port.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_features::port::{Materialisation, StoredDefinitions};

/// Feature definitions and how far they were carried online.
#[async_trait]
pub trait FeatureDefinitions: Send + Sync {
    /// The newest definitions of every project, by name.
    async fn projects(&self, workspace: &Name) -> Result<Vec<StoredDefinitions>, StorageError>;

    /// How far the views of a project were materialised, by name.
    async fn materialisations(
        &self,
        workspace: &Name,
        project: &Name,
    ) -> Result<Vec<Materialisation>, StorageError>;
}
