//! The writing side.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_evaluation::issue::port::IssueTx;
use mainstay_evaluation::issue::{Issue, IssueId, IssueSeverity};

use super::{ISSUE, issue};
use crate::params;
use crate::tx::StoreTx;
use crate::value::json_text;

const INSERT: &str = "INSERT INTO issues (workspace, id, experiment, name, description, status, severity, \
    root_causes, categories, source_run, created, updated, created_by, updated_by, last_seen_ms, metadata) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
const UPDATE: &str = "UPDATE issues SET name = $3, description = $4, status = $5, severity = $6, \
    root_causes = $7, categories = $8, updated = $9, updated_by = $10, last_seen_ms = $11, metadata = $12 \
    WHERE workspace = $1 AND id = $2";

#[async_trait]
impl IssueTx for StoreTx {
    async fn issue(&mut self, id: &IssueId) -> Result<Option<Issue>, StorageError> {
        let row = self.query_one(ISSUE, params![self.workspace().as_str(), id.as_str()]).await?;
        row.as_ref().map(issue).transpose()
    }

    async fn insert_issue(&mut self, Issue { head, detail }: &Issue) -> Result<(), StorageError> {
        let row = params![
            self.workspace().as_str(),
            head.id.as_str(),
            head.experiment.0,
            &head.name,
            &detail.description,
            head.status.as_str(),
            head.severity.map(IssueSeverity::as_str),
            json_text(&detail.root_causes)?,
            json_text(&head.categories)?,
            head.source_run.map(|run| run.to_string()),
            head.created.micros(),
            head.updated.micros(),
            head.created_by.as_deref(),
            head.updated_by.as_deref(),
            head.last_seen_ms,
            json_text(&detail.metadata)?,
        ];
        self.execute(INSERT, row).await.map(drop)
    }

    async fn update_issue(&mut self, Issue { head, detail }: &Issue) -> Result<(), StorageError> {
        let row = params![
            self.workspace().as_str(),
            head.id.as_str(),
            &head.name,
            &detail.description,
            head.status.as_str(),
            head.severity.map(IssueSeverity::as_str),
            json_text(&detail.root_causes)?,
            json_text(&head.categories)?,
            head.updated.micros(),
            head.updated_by.as_deref(),
            head.last_seen_ms,
            json_text(&detail.metadata)?,
        ];
        self.execute(UPDATE, row).await.map(drop)
    }
}
