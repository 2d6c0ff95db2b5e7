//! The reading side.

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_evaluation::issue::port::IssueReader;
use mainstay_evaluation::issue::{Issue, IssueHead, IssueId};
use mainstay_tracking::experiment::ExperimentId;

use super::{ISSUE, head, issue};
use crate::params;
use crate::reader::Reader;
use crate::value::Value;

const HEADS: &str = "SELECT id, experiment, name, status, severity, categories, source_run, created, updated, \
    created_by, updated_by, last_seen_ms FROM issues WHERE workspace = $1";
const HEADS_OF: &str = "SELECT id, experiment, name, status, severity, categories, source_run, created, updated, \
    created_by, updated_by, last_seen_ms FROM issues WHERE workspace = $1 AND experiment = $2";

#[async_trait]
impl IssueReader for Reader {
    async fn issues(&self, workspace: &Name, ids: &[IssueId]) -> Result<Vec<Issue>, StorageError> {
        let (workspace, ids) = (workspace.clone(), ids.to_vec());
        self.read(move |tx| {
            Box::pin(async move {
                let mut found = Vec::with_capacity(ids.len());
                for id in ids {
                    let row = tx.query_one(ISSUE, params![workspace.as_str(), id.as_str()]).await?;
                    found.extend(row.as_ref().map(issue).transpose()?);
                }
                Ok(found)
            })
        })
        .await
    }

    async fn issue_heads(
        &self,
        workspace: &Name,
        experiment: Option<ExperimentId>,
    ) -> Result<Vec<IssueHead>, StorageError> {
        let mut key = params![workspace.as_str()].to_vec();
        key.extend(experiment.map(|id| Value::from(id.0)));
        let sql = if experiment.is_some() { HEADS_OF } else { HEADS };
        self.read(move |tx| Box::pin(async move { tx.query(sql, &key).await?.iter().map(head).collect() }))
            .await
    }
}
