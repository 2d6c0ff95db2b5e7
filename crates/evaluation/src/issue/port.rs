//! What issues need of a store. `None` means that there is no such thing. An issue belongs to the transaction's
//! workspace, or the one given.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;

use super::{Issue, IssueHead, IssueId};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::ExperimentTx;

/// What the commands on issues write through.
#[async_trait]
pub trait IssueTx: ExperimentTx {
    /// An issue.
    async fn issue(&mut self, id: &IssueId) -> Result<Option<Issue>, StorageError>;
    /// Adds an issue.
    async fn insert_issue(&mut self, issue: &Issue) -> Result<(), StorageError>;
    /// Replaces all of an issue but its experiment, its source and how it was created.
    async fn update_issue(&mut self, issue: &Issue) -> Result<(), StorageError>;
}

/// What readers of issues ask.
#[async_trait]
pub trait IssueReader: Send + Sync {
    /// These issues, in the order asked for, without those that are not there.
    async fn issues(&self, workspace: &Name, ids: &[IssueId]) -> Result<Vec<Issue>, StorageError>;
    /// All issues of an experiment, or of the workspace, without their long texts.
    async fn issue_heads(
        &self,
        workspace: &Name,
        experiment: Option<ExperimentId>,
    ) -> Result<Vec<IssueHead>, StorageError>;
}
