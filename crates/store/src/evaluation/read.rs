//! The reading side.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_evaluation::DatasetId;
use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::port::{EvaluationReader, RecordStart};
use mainstay_evaluation::record::DatasetRecord;

use super::{DATASET, LINKS, TAGS, details, record};
use crate::params;
use crate::reader::Reader;

const DATASETS: &str = "SELECT id, name, digest, schema, profile, created, updated, created_by, updated_by \
    FROM evaluation_datasets WHERE workspace = $1 ORDER BY id";
const ALL_TAGS: &str = "SELECT t.dataset, t.key, t.value FROM evaluation_dataset_tags t \
    JOIN evaluation_datasets d ON d.id = t.dataset WHERE d.workspace = $1";
const ALL_LINKS: &str = "SELECT e.dataset, e.experiment FROM evaluation_dataset_experiments e \
    JOIN evaluation_datasets d ON d.id = e.dataset WHERE d.workspace = $1";
const RECORDS: &str = "SELECT r.id, r.dataset, r.identity, r.content, r.created, r.updated \
    FROM evaluation_records r JOIN evaluation_datasets d ON d.id = r.dataset \
    WHERE r.dataset = $1 AND d.workspace = $2 AND (r.created > $3 OR (r.created = $3 AND r.id > $4)) \
    ORDER BY r.created, r.id LIMIT $5 OFFSET $6";

#[async_trait]
impl EvaluationReader for Reader {
    async fn evaluation_dataset(
        &self,
        workspace: &Name,
        id: DatasetId,
    ) -> Result<Option<EvaluationDatasetDetail>, StorageError> {
        let (id, workspace) = (id.to_string(), workspace.clone());
        self.read(move |tx| {
            Box::pin(async move {
                let datasets = tx.query(DATASET, params![&id, workspace.as_str()]).await?;
                let tags = tx.query(TAGS, params![&id]).await?;
                let links = tx.query(LINKS, params![&id]).await?;
                Ok(details(&datasets, &tags, &links)?.pop())
            })
        })
        .await
    }

    async fn evaluation_datasets(
        &self,
        workspace: &Name,
    ) -> Result<Vec<EvaluationDatasetDetail>, StorageError> {
        let key = params![workspace.as_str()].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let (datasets, tags) = (tx.query(DATASETS, &key).await?, tx.query(ALL_TAGS, &key).await?);
                details(&datasets, &tags, &tx.query(ALL_LINKS, &key).await?)
            })
        })
        .await
    }

    async fn evaluation_records(
        &self,
        workspace: &Name,
        id: DatasetId,
        start: RecordStart,
        limit: usize,
    ) -> Result<Vec<DatasetRecord>, StorageError> {
        let (created, behind, skipped) = match start {
            // '' sorts before every id.
            RecordStart::Skipping(skipped) => (i64::MIN, String::new(), skipped),
            RecordStart::Behind(created, id) => (created.micros(), id.to_string(), 0),
        };
        let workspace = workspace.as_str();
        let key = params![id.to_string(), workspace, created, behind, limit as u64, skipped].to_vec();
        self.read(move |tx| {
            Box::pin(async move { tx.query(RECORDS, &key).await?.iter().map(record).collect() })
        })
        .await
    }
}
