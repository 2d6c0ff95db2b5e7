//! What the console needs that no domain offers as a port.

use async_trait::async_trait;
use mainstay_core::error::{Failure, StorageError};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_features::port::{Materialisation, StoredDefinitions};
use mainstay_pipelines::definition::StepName;

/// A part of what one attempt of a step printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where to go on, in bytes from the start.
    pub next: u64,
}

/// What steps printed.
#[async_trait]
pub trait StepLogs: Send + Sync {
    /// At most `limit` bytes from `offset` on. Nothing if the log is not there, or no longer.
    async fn read(
        &self,
        run: PipelineRunId,
        step: &StepName,
        attempt: u32,
        offset: u64,
        limit: u64,
    ) -> Result<LogPart, StorageError>;
}

/// Puts an endpoint back to what answered before; the same command as by the API and the command line.
#[async_trait]
pub trait RollBack: Send + Sync {
    /// Rolls back, if the endpoint is still at the revision that the person looked at.
    async fn roll_back(
        &self,
        principal: &Principal,
        workspace: &Name,
        endpoint: &Name,
        expected: u64,
        reason: String,
    ) -> Result<(), Failure>;
}

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
