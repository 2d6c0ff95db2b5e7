//! What the data domain needs of a store.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;

use crate::dataset::Dataset;
use crate::table::TableVersion;
use crate::validation::Validation;

/// The writes of the data domain within one transaction, in [`Journal::workspace`].
#[async_trait]
pub trait DataTx: Journal {
    /// The dataset of that name, locked against other writers until the transaction ends.
    async fn dataset_for_update(&mut self, name: &Name) -> Result<Option<Dataset>, StorageError>;

    /// Adds a dataset whose name is free.
    async fn insert_dataset(&mut self, dataset: &Dataset) -> Result<(), StorageError>;

    /// Number and digest of the dataset's newest version.
    async fn newest_version(&mut self, dataset: &Name) -> Result<Option<(u64, Digest)>, StorageError>;

    /// The digest of one version.
    async fn version_digest(&mut self, dataset: &Name, version: u64) -> Result<Option<Digest>, StorageError>;

    /// Adds a version, whose number is one above the newest.
    async fn insert_version(&mut self, version: &TableVersion) -> Result<(), StorageError>;

    /// Adds a validation.
    async fn insert_validation(&mut self, validation: &Validation) -> Result<(), StorageError>;
}

/// The reads of the data domain. Listings are by key: `after` is the last key already seen.
#[async_trait]
pub trait DataReader: Send + Sync {
    /// At most `limit` datasets of a workspace, by name, starting behind `after`.
    async fn datasets(
        &self,
        workspace: &Name,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Dataset>, StorageError>;

    /// One dataset.
    async fn dataset(&self, workspace: &Name, name: &Name) -> Result<Option<Dataset>, StorageError>;

    /// At most `limit` versions of a dataset, newest first, starting below `before`.
    async fn versions(
        &self,
        workspace: &Name,
        dataset: &Name,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<TableVersion>, StorageError>;

    /// One version; the newest if `version` is absent.
    async fn version(
        &self,
        workspace: &Name,
        dataset: &Name,
        version: Option<u64>,
    ) -> Result<Option<TableVersion>, StorageError>;

    /// The validations of one version, newest first, at most `limit`.
    async fn validations(
        &self,
        workspace: &Name,
        dataset: &Name,
        version: u64,
        limit: usize,
    ) -> Result<Vec<Validation>, StorageError>;
}
