//! What the commands of this crate write through. The store implements it on every database.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};

/// A revision of a project's definitions file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDefinitions {
    /// The project: a name for one definitions file.
    pub project: Name,
    /// 1, 2, 3 … without a gap.
    pub revision: u64,
    /// The digest of the canonical form.
    pub digest: Digest,
    /// The file, as it was given.
    pub text: String,
    /// When it was applied.
    pub applied_at: MachineTime,
}

/// How far a view was materialised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Materialisation {
    /// The project.
    pub project: Name,
    /// The view in it.
    pub view: String,
    /// The digest of the view's definition.
    pub definition: Digest,
    /// Every row visible up to here was carried.
    pub until: DataTime,
    /// How many rows the last materialisation carried.
    pub rows: u64,
    /// The digest of the file of emitted rows that it read.
    pub digest: Digest,
}

/// Record tables: `feature_definitions` (one row per project and revision) and
/// `feature_materialisations` (one row per project and view). All within the journal's workspace.
#[async_trait]
pub trait FeaturesTx: Journal {
    /// The latest revision of a project's definitions.
    async fn definitions(&mut self, project: &Name) -> Result<Option<StoredDefinitions>, StorageError>;

    /// Adds a revision.
    async fn add_definitions(&mut self, definitions: &StoredDefinitions) -> Result<(), StorageError>;

    /// How far a view was materialised.
    async fn materialisation(
        &mut self,
        project: &Name,
        view: &str,
    ) -> Result<Option<Materialisation>, StorageError>;

    /// Adds or replaces the row of a view.
    async fn put_materialisation(&mut self, materialisation: &Materialisation) -> Result<(), StorageError>;
}

/// What readers of definitions ask.
#[async_trait]
pub trait FeaturesReader: Send + Sync {
    /// The newest definitions of every project, by name.
    async fn projects(&self, workspace: &Name) -> Result<Vec<StoredDefinitions>, StorageError>;

    /// The newest definitions of one project.
    async fn definitions(
        &self,
        workspace: &Name,
        project: &Name,
    ) -> Result<Option<StoredDefinitions>, StorageError>;

    /// How far the views of a project were materialised, by name.
    async fn views(&self, workspace: &Name, project: &Name) -> Result<Vec<Materialisation>, StorageError>;
}
