//! The writing side.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_evaluation::dataset::{EvaluationDataset, EvaluationDatasetDetail};
use mainstay_evaluation::port::EvaluationTx;
use mainstay_evaluation::record::DatasetRecord;
use mainstay_evaluation::{DatasetId, RecordId};
use mainstay_tracking::experiment::ExperimentId;

use super::{DATASET, LINKS, TAGS, details, record};
use crate::params;
use crate::tx::StoreTx;
use crate::value::{Value, json_text};

/// How many identities the text below takes. Positions that are left over hold `''`, which is none.
const CHUNK: usize = 50;
const KNOWN: &str = "SELECT id, dataset, identity, content, created, updated FROM evaluation_records \
    WHERE dataset = $1 AND identity IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
    $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, \
    $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51)";
const INSERT: &str = "INSERT INTO evaluation_datasets (workspace, id, name, digest, schema, profile, created, \
    updated, created_by, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const UPDATE: &str = "UPDATE evaluation_datasets SET digest = $2, schema = $3, profile = $4, updated = $5, \
    updated_by = $6 WHERE id = $1";
const DELETE: [&str; 4] = [
    "DELETE FROM evaluation_records WHERE dataset = $1",
    "DELETE FROM evaluation_dataset_experiments WHERE dataset = $1",
    "DELETE FROM evaluation_dataset_tags WHERE dataset = $1",
    "DELETE FROM evaluation_datasets WHERE id = $1",
];

#[async_trait]
impl EvaluationTx for StoreTx {
    async fn evaluation_dataset(
        &mut self,
        id: DatasetId,
    ) -> Result<Option<EvaluationDatasetDetail>, StorageError> {
        let id = id.to_string();
        let datasets = self.query(DATASET, params![&id, self.workspace().as_str()]).await?;
        let tags = self.query(TAGS, params![&id]).await?;
        let links = self.query(LINKS, params![&id]).await?;
        Ok(details(&datasets, &tags, &links)?.pop())
    }

    async fn insert_evaluation_dataset(&mut self, dataset: &EvaluationDataset) -> Result<(), StorageError> {
        let row = params![
            self.workspace().as_str(),
            dataset.id.to_string(),
            &dataset.name,
            &dataset.digest,
            dataset.schema.as_deref(),
            dataset.profile.as_deref(),
            dataset.created.micros(),
            dataset.updated.micros(),
            dataset.created_by.as_deref(),
            dataset.updated_by.as_deref(),
        ];
        self.execute(INSERT, row).await.map(drop)
    }

    async fn update_evaluation_dataset(&mut self, dataset: &EvaluationDataset) -> Result<(), StorageError> {
        let row = params![
            dataset.id.to_string(),
            &dataset.digest,
            dataset.schema.as_deref(),
            dataset.profile.as_deref(),
            dataset.updated.micros(),
            dataset.updated_by.as_deref(),
        ];
        self.execute(UPDATE, row).await.map(drop)
    }

    async fn delete_evaluation_dataset(&mut self, id: DatasetId) -> Result<(), StorageError> {
        for sql in DELETE {
            self.execute(sql, params![id.to_string()]).await?;
        }
        Ok(())
    }

    async fn put_evaluation_tag(
        &mut self,
        id: DatasetId,
        key: &str,
        value: &str,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO evaluation_dataset_tags (dataset, key, value) VALUES ($1, $2, $3) \
            ON CONFLICT (dataset, key) DO UPDATE SET value = excluded.value";
        self.execute(sql, params![id.to_string(), key, value]).await.map(drop)
    }

    async fn delete_evaluation_tag(&mut self, id: DatasetId, key: &str) -> Result<(), StorageError> {
        let sql = "DELETE FROM evaluation_dataset_tags WHERE dataset = $1 AND key = $2";
        self.execute(sql, params![id.to_string(), key]).await.map(drop)
    }

    async fn link_evaluation_dataset(
        &mut self,
        id: DatasetId,
        experiment: ExperimentId,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO evaluation_dataset_experiments (dataset, experiment) VALUES ($1, $2) \
            ON CONFLICT (dataset, experiment) DO NOTHING";
        self.execute(sql, params![id.to_string(), experiment.0]).await.map(drop)
    }

    async fn unlink_evaluation_dataset(
        &mut self,
        id: DatasetId,
        experiment: ExperimentId,
    ) -> Result<(), StorageError> {
        let sql = "DELETE FROM evaluation_dataset_experiments WHERE dataset = $1 AND experiment = $2";
        self.execute(sql, params![id.to_string(), experiment.0]).await.map(drop)
    }

    async fn evaluation_records(
        &mut self,
        id: DatasetId,
        identities: &[Digest],
    ) -> Result<Vec<DatasetRecord>, StorageError> {
        let mut records = Vec::new();
        for chunk in identities.chunks(CHUNK) {
            let mut key = params![id.to_string()].to_vec();
            key.extend(chunk.iter().map(|identity| Value::from(identity.to_string())));
            key.resize(CHUNK + 1, Value::from(""));
            for row in self.query(KNOWN, &key).await? {
                records.push(record(&row)?);
            }
        }
        Ok(records)
    }

    async fn insert_evaluation_record(&mut self, record: &DatasetRecord) -> Result<(), StorageError> {
        let sql = "INSERT INTO evaluation_records (id, dataset, identity, content, created, updated) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        let row = params![
            record.id.to_string(),
            record.dataset.to_string(),
            record.identity.to_string(),
            json_text(&record.content)?,
            record.created.micros(),
            record.updated.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn update_evaluation_record(&mut self, record: &DatasetRecord) -> Result<(), StorageError> {
        let sql = "UPDATE evaluation_records SET content = $2, updated = $3 WHERE id = $1";
        let row = params![record.id.to_string(), json_text(&record.content)?, record.updated.micros()];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_evaluation_record(
        &mut self,
        id: DatasetId,
        record: RecordId,
    ) -> Result<bool, StorageError> {
        let sql = "DELETE FROM evaluation_records WHERE id = $1 AND dataset = $2";
        Ok(self.execute(sql, params![record.to_string(), id.to_string()]).await? > 0)
    }

    async fn count_evaluation_records(&mut self, id: DatasetId) -> Result<u64, StorageError> {
        let sql = "SELECT COUNT(*) FROM evaluation_records WHERE dataset = $1";
        self.query_one(sql, params![id.to_string()]).await?.map_or(Ok(0), |row| row.count(0))
    }
}
