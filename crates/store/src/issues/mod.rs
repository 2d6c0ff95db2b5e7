//! The port of issues.

mod read;
mod write;

use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;
use mainstay_evaluation::issue::{Issue, IssueDetail, IssueHead};
use mainstay_tracking::experiment::ExperimentId;

use crate::value::Row;

/// One issue of a workspace.
const ISSUE: &str = "SELECT id, experiment, name, status, severity, categories, source_run, created, updated, \
    created_by, updated_by, last_seen_ms, description, root_causes, metadata FROM issues \
    WHERE workspace = $1 AND id = $2";

/// `id, experiment, name, status, severity, categories, source_run, created, updated, created_by, updated_by,
/// last_seen_ms`.
fn head(row: &Row) -> Result<IssueHead, StorageError> {
    Ok(IssueHead {
        id: row.parsed(0)?,
        experiment: ExperimentId(row.count(1)?),
        name: row.text(2)?.to_owned(),
        status: row.parsed(3)?,
        severity: row.opt_text(4)?.map(|_| row.parsed(4)).transpose()?,
        categories: row.json(5)?,
        source_run: row.opt_text(6)?.map(|_| row.parsed(6)).transpose()?,
        created: MachineTime::from_micros(row.int(7)?),
        updated: MachineTime::from_micros(row.int(8)?),
        created_by: row.opt_text(9)?.map(str::to_owned),
        updated_by: row.opt_text(10)?.map(str::to_owned),
        last_seen_ms: row.int(11)?,
    })
}

/// The columns of [`head`], then `description, root_causes, metadata`.
fn issue(row: &Row) -> Result<Issue, StorageError> {
    let detail = IssueDetail {
        description: row.text(12)?.to_owned(),
        root_causes: row.json(13)?,
        metadata: row.json(14)?,
    };
    Ok(Issue { head: head(row)?, detail })
}
