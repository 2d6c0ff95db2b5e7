//! The state changes of the data domain.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;
use thiserror::Error;

use crate::dataset::{Dataset, DeclarationError};
use crate::expectations::{Suite, SuiteResult};
use crate::ports::DataTx;
use crate::table::{Manifest, TableVersion};
use crate::validation::{Validation, ValidationId};

/// Why a command of the data domain was refused.
#[derive(Debug, Error)]
pub enum DataError {
    /// The name is taken.
    #[error("there is already a dataset named {0}; choose another name, or import a new version of it")]
    DatasetExists(Name),
    /// There is no such dataset.
    #[error("there is no dataset named {0}; create it first")]
    NoDataset(Name),
    /// There is no such version.
    #[error("the dataset {dataset} has no version {version}")]
    NoVersion {
        /// Which dataset.
        dataset: Name,
        /// Which version.
        version: u64,
    },
    /// The table does not fit the dataset's declarations.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// The manifest contradicts itself.
    #[error("the file {0:?} has statistics for another number of columns than the table has")]
    Statistics(String),
    /// The verdict is about other content than that of the version.
    #[error("the verdict is about {judged}, but version {version} holds {found}; validate that version")]
    OtherContent {
        /// Which version.
        version: u64,
        /// What the verdict says it judged.
        judged: Digest,
        /// What the version holds.
        found: Digest,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for DataError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::DatasetExists(_) => ErrorCode::AlreadyExists,
            Self::NoDataset(_) | Self::NoVersion { .. } => ErrorCode::NotFound,
            Self::Declaration(error) => error.code(),
            Self::Statistics(_) => ErrorCode::InvalidArgument,
            Self::OtherContent { .. } => ErrorCode::RevisionConflict,
            Self::Storage(error) => error.code(),
        }
    }
}

fn subject(dataset: &Name) -> Subject {
    Subject::new(ResourceKind::Dataset, dataset)
}

/// Adds a dataset; records `dataset.created`.
#[derive(Debug, Clone)]
pub struct CreateDataset {
    /// Where.
    pub workspace: Name,
    /// What.
    pub dataset: Dataset,
}

#[async_trait]
impl Command for CreateDataset {
    type Tx = dyn DataTx;
    type Out = ();
    type Error = DataError;

    fn action(&self) -> Action {
        Action::DataWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.dataset.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), DataError> {
        let dataset = &self.dataset;
        if tx.dataset_for_update(&dataset.name).await?.is_some() {
            return Err(DataError::DatasetExists(dataset.name.clone()));
        }
        tx.insert_dataset(dataset).await?;
        tx.record(Event::new(
            "dataset.created",
            subject(&dataset.name),
            json!({
                "description": dataset.description,
                "declared_types": dataset.declared_types,
                "time_column": dataset.time_column,
                "created_column": dataset.created_column,
            }),
        ));
        Ok(())
    }
}

/// Which version holds the content now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The version's number.
    pub version: u64,
    /// The content's digest.
    pub digest: Digest,
    /// `false` if the newest version already held this content and no version was added.
    pub added: bool,
}

/// Adds the next version of a dataset; records `table.committed`. If the newest version holds the
/// same content, nothing is written and that version is the answer.
#[derive(Debug, Clone)]
pub struct CommitTableVersion {
    /// Where.
    pub workspace: Name,
    /// Of which dataset.
    pub dataset: Name,
    /// What it holds; the files lie in the object store already.
    pub manifest: Manifest,
    /// Where the rows came from, for people.
    pub source: String,
}

#[async_trait]
impl Command for CommitTableVersion {
    type Tx = dyn DataTx;
    type Out = Committed;
    type Error = DataError;

    fn action(&self) -> Action {
        Action::DataWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.dataset))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Committed, DataError> {
        let width = self.manifest.schema.columns().len();
        if let Some(file) = self.manifest.files.iter().find(|file| file.columns.len() != width) {
            return Err(DataError::Statistics(file.object_key.clone()));
        }
        let dataset = tx.dataset_for_update(&self.dataset).await?;
        let dataset = dataset.ok_or_else(|| DataError::NoDataset(self.dataset.clone()))?;
        dataset.accepts(&self.manifest.schema)?;

        let digest = self.manifest.digest();
        let newest = tx.newest_version(&self.dataset).await?;
        if let Some((version, _)) = newest.filter(|(_, held)| *held == digest) {
            return Ok(Committed { version, digest, added: false });
        }
        let version = newest.map_or(1, |(version, _)| version.saturating_add(1));
        tx.insert_version(&TableVersion {
            dataset: self.dataset.clone(),
            version,
            manifest: self.manifest.clone(),
            digest,
            source: self.source.clone(),
            committed_at: tx.now(),
        })
        .await?;
        let files: Vec<_> = self.manifest.files.iter().map(|file| &file.sha256).collect();
        tx.record(Event::new(
            "table.committed",
            subject(&self.dataset),
            json!({
                "version": version,
                "digest": digest,
                "schema": self.manifest.schema,
                "files": files,
                "rows": self.manifest.rows(),
                "bytes": self.manifest.bytes(),
                "quarantined_rows": self.manifest.quarantined_rows(),
                "source": self.source,
            }),
        ));
        Ok(Committed { version, digest, added: true })
    }
}

/// Keeps what a suite found in a version; records `table.validated`.
#[derive(Debug, Clone)]
pub struct RecordValidation {
    /// Where.
    pub workspace: Name,
    /// The id, already drawn.
    pub id: ValidationId,
    /// Of which dataset.
    pub dataset: Name,
    /// Of which version.
    pub version: u64,
    /// The digest of the content that was judged.
    pub table_digest: Digest,
    /// The suite.
    pub suite: Suite,
    /// What it found.
    pub result: SuiteResult,
}

#[async_trait]
impl Command for RecordValidation {
    type Tx = dyn DataTx;
    type Out = ();
    type Error = DataError;

    fn action(&self) -> Action {
        Action::DataWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.dataset))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), DataError> {
        let found = tx.version_digest(&self.dataset, self.version).await?;
        let found = found
            .ok_or_else(|| DataError::NoVersion { dataset: self.dataset.clone(), version: self.version })?;
        if found != self.table_digest {
            return Err(DataError::OtherContent { version: self.version, judged: self.table_digest, found });
        }
        let suite_digest = self.suite.digest();
        tx.insert_validation(&Validation {
            id: self.id,
            dataset: self.dataset.clone(),
            version: self.version,
            table_digest: self.table_digest,
            suite: self.suite.name().to_owned(),
            suite_digest,
            success: self.result.success(),
            blocking: self.result.blocks(),
            result: self.result.to_json(),
            recorded_at: tx.now(),
        })
        .await?;
        tx.record(Event::new(
            "table.validated",
            subject(&self.dataset),
            json!({
                "validation": self.id,
                "version": self.version,
                "digest": self.table_digest,
                "suite": self.suite.name(),
                "suite_digest": suite_digest,
                "success": self.result.success(),
                "blocking": self.result.blocks(),
                "statistics": self.result.statistics(),
                "failed": self.result.failures(),
            }),
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
