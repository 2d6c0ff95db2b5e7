//! The data domain's port: datasets, table versions and validations.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_data::dataset::Dataset;
use mainstay_data::ports::{DataReader, DataTx};
use mainstay_data::table::TableVersion;
use mainstay_data::validation::Validation;

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::{Row, json_text};

#[async_trait]
impl DataTx for StoreTx {
    async fn dataset_for_update(&mut self, name: &Name) -> Result<Option<Dataset>, StorageError> {
        // The writer's lock on the audit tree keeps all others out already.
        let key = params![self.workspace().as_str(), name.as_str()];
        let row =
            self.query_one("SELECT document FROM datasets WHERE workspace = $1 AND name = $2", key).await?;
        row.map(|row| row.json(0)).transpose()
    }

    async fn insert_dataset(&mut self, dataset: &Dataset) -> Result<(), StorageError> {
        let row = params![self.workspace().as_str(), dataset.name.as_str(), json_text(dataset)?];
        self.execute("INSERT INTO datasets (workspace, name, document) VALUES ($1, $2, $3)", row).await?;
        Ok(())
    }

    async fn newest_version(&mut self, dataset: &Name) -> Result<Option<(u64, Digest)>, StorageError> {
        let sql = "SELECT version, digest FROM table_versions \
            WHERE workspace = $1 AND dataset = $2 ORDER BY version DESC LIMIT 1";
        let row = self.query_one(sql, params![self.workspace().as_str(), dataset.as_str()]).await?;
        row.map(|row| Ok((row.count(0)?, row.parsed(1)?))).transpose()
    }

    async fn version_digest(&mut self, dataset: &Name, version: u64) -> Result<Option<Digest>, StorageError> {
        let sql = "SELECT digest FROM table_versions WHERE workspace = $1 AND dataset = $2 AND version = $3";
        let row = self.query_one(sql, params![self.workspace().as_str(), dataset.as_str(), version]).await?;
        row.map(|row| row.parsed(0)).transpose()
    }

    async fn insert_version(&mut self, version: &TableVersion) -> Result<(), StorageError> {
        let sql = "INSERT INTO table_versions \
            (workspace, dataset, version, digest, manifest, source, committed_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let row = params![
            self.workspace().as_str(),
            version.dataset.as_str(),
            version.version,
            version.digest.to_string(),
            json_text(&version.manifest)?,
            &version.source,
            version.committed_at.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn insert_validation(&mut self, validation: &Validation) -> Result<(), StorageError> {
        let sql = "INSERT INTO validations \
            (id, workspace, dataset, version, table_digest, suite, suite_digest, success, blocking, result, recorded_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let row = params![
            validation.id.to_string(),
            self.workspace().as_str(),
            validation.dataset.as_str(),
            validation.version,
            validation.table_digest.to_string(),
            &validation.suite,
            validation.suite_digest.to_string(),
            validation.success,
            validation.blocking,
            validation.result.to_string(),
            validation.recorded_at.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }
}

const VERSION: &str = "SELECT dataset, version, digest, manifest, source, committed_at FROM table_versions \
    WHERE workspace = $1 AND dataset = $2 AND version < $3 ORDER BY version DESC LIMIT $4";

#[async_trait]
impl DataReader for Reader {
    async fn datasets(
        &self,
        workspace: &Name,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Dataset>, StorageError> {
        let sql = "SELECT document FROM datasets WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3";
        let key = params![workspace.as_str(), after.map_or("", Name::as_str), limit as u64].to_vec();
        let rows = self.read(move |tx| Box::pin(async move { tx.query(sql, &key).await })).await?;
        rows.iter().map(|row| row.json(0)).collect()
    }

    async fn dataset(&self, workspace: &Name, name: &Name) -> Result<Option<Dataset>, StorageError> {
        let sql = "SELECT document FROM datasets WHERE workspace = $1 AND name = $2";
        let key = params![workspace.as_str(), name.as_str()].to_vec();
        let row = self.read(move |tx| Box::pin(async move { tx.query_one(sql, &key).await })).await?;
        row.map(|row| row.json(0)).transpose()
    }

    async fn versions(
        &self,
        workspace: &Name,
        dataset: &Name,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<TableVersion>, StorageError> {
        let before = before.unwrap_or(u64::MAX);
        let key = params![workspace.as_str(), dataset.as_str(), before, limit as u64].to_vec();
        let rows = self.read(move |tx| Box::pin(async move { tx.query(VERSION, &key).await })).await?;
        rows.iter().map(table_version).collect()
    }

    async fn version(
        &self,
        workspace: &Name,
        dataset: &Name,
        version: Option<u64>,
    ) -> Result<Option<TableVersion>, StorageError> {
        let newest = self.versions(workspace, dataset, version.map(|v| v.saturating_add(1)), 1).await?;
        Ok(newest.into_iter().next().filter(|found| version.is_none_or(|v| v == found.version)))
    }

    async fn validations(
        &self,
        workspace: &Name,
        dataset: &Name,
        version: u64,
        limit: usize,
    ) -> Result<Vec<Validation>, StorageError> {
        let sql = "SELECT id, dataset, version, table_digest, suite, suite_digest, success, blocking, result, \
            recorded_at FROM validations WHERE workspace = $1 AND dataset = $2 AND version = $3 \
            ORDER BY recorded_at DESC, id LIMIT $4";
        let key = params![workspace.as_str(), dataset.as_str(), version, limit as u64].to_vec();
        let rows = self.read(move |tx| Box::pin(async move { tx.query(sql, &key).await })).await?;
        rows.iter().map(validation).collect()
    }
}

fn table_version(row: &Row) -> Result<TableVersion, StorageError> {
    Ok(TableVersion {
        dataset: row.parsed(0)?,
        version: row.count(1)?,
        digest: row.parsed(2)?,
        manifest: row.json(3)?,
        source: row.text(4)?.to_owned(),
        committed_at: MachineTime::from_micros(row.int(5)?),
    })
}

fn validation(row: &Row) -> Result<Validation, StorageError> {
    Ok(Validation {
        id: row.parsed(0)?,
        dataset: row.parsed(1)?,
        version: row.count(2)?,
        table_digest: row.parsed(3)?,
        suite: row.text(4)?.to_owned(),
        suite_digest: row.parsed(5)?,
        success: row.flag(6)?,
        blocking: row.flag(7)?,
        result: row.json(8)?,
        recorded_at: MachineTime::from_micros(row.int(9)?),
    })
}
