//! What evaluation needs of a store. `None` means that there is no such thing. A dataset belongs to the
//! transaction's workspace, or the one given; what hangs on it belongs to it.

use async_trait::async_trait;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;

use crate::dataset::{EvaluationDataset, EvaluationDatasetDetail};
use crate::record::DatasetRecord;
use crate::{DatasetId, RecordId};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::ExperimentTx;

/// What the commands of evaluation write through. Whoever calls has looked that the dataset is one of this
/// workspace.
#[async_trait]
pub trait EvaluationTx: ExperimentTx {
    /// A dataset of this workspace.
    async fn evaluation_dataset(
        &mut self,
        id: DatasetId,
    ) -> Result<Option<EvaluationDatasetDetail>, StorageError>;
    /// Adds a dataset.
    async fn insert_evaluation_dataset(&mut self, dataset: &EvaluationDataset) -> Result<(), StorageError>;
    /// Replaces digest, schema, profile, update time and updater.
    async fn update_evaluation_dataset(&mut self, dataset: &EvaluationDataset) -> Result<(), StorageError>;
    /// Removes a dataset with its tags, links and records.
    async fn delete_evaluation_dataset(&mut self, id: DatasetId) -> Result<(), StorageError>;
    /// Sets a tag.
    async fn put_evaluation_tag(&mut self, id: DatasetId, key: &str, value: &str)
    -> Result<(), StorageError>;
    /// Removes a tag.
    async fn delete_evaluation_tag(&mut self, id: DatasetId, key: &str) -> Result<(), StorageError>;
    /// Links a dataset with an experiment; a link that is there stays.
    async fn link_evaluation_dataset(
        &mut self,
        id: DatasetId,
        experiment: ExperimentId,
    ) -> Result<(), StorageError>;
    /// Takes a link away.
    async fn unlink_evaluation_dataset(
        &mut self,
        id: DatasetId,
        experiment: ExperimentId,
    ) -> Result<(), StorageError>;
    /// Those records of a dataset that have one of these identities, in no order.
    async fn evaluation_records(
        &mut self,
        id: DatasetId,
        identities: &[Digest],
    ) -> Result<Vec<DatasetRecord>, StorageError>;
    /// Adds a record.
    async fn insert_evaluation_record(&mut self, record: &DatasetRecord) -> Result<(), StorageError>;
    /// Replaces content and update time of a record.
    async fn update_evaluation_record(&mut self, record: &DatasetRecord) -> Result<(), StorageError>;
    /// Removes a record of a dataset; `false` if there was none.
    async fn delete_evaluation_record(
        &mut self,
        id: DatasetId,
        record: RecordId,
    ) -> Result<bool, StorageError>;
    /// How many records a dataset has.
    async fn count_evaluation_records(&mut self, id: DatasetId) -> Result<u64, StorageError>;
}

/// Where a listing of records begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStart {
    /// After so many records.
    Skipping(u64),
    /// Behind the record of that creation time and id.
    Behind(MachineTime, RecordId),
}

/// What readers of evaluation ask.
#[async_trait]
pub trait EvaluationReader: Send + Sync {
    /// A dataset.
    async fn evaluation_dataset(
        &self,
        workspace: &Name,
        id: DatasetId,
    ) -> Result<Option<EvaluationDatasetDetail>, StorageError>;
    /// All datasets, in no order.
    async fn evaluation_datasets(
        &self,
        workspace: &Name,
    ) -> Result<Vec<EvaluationDatasetDetail>, StorageError>;
    /// At most `limit` records of a dataset by (creation time, id); none of a dataset that does not exist.
    async fn evaluation_records(
        &self,
        workspace: &Name,
        id: DatasetId,
        start: RecordStart,
        limit: usize,
    ) -> Result<Vec<DatasetRecord>, StorageError>;
}
