//! Issues that another server kept, brought in whole; as they were there.

use mainstay_core::error::StorageError;

use super::Issue;
use super::command::told;
use super::port::IssueTx;

/// Adds an issue. Event: `issue.imported`, which says of it what `issue.created` does.
pub async fn put_issue(tx: &mut dyn IssueTx, issue: &Issue) -> Result<(), StorageError> {
    tx.insert_issue(issue).await?;
    tx.record(told("issue.imported", issue));
    Ok(())
}
