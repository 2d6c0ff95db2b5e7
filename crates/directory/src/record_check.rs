//! The check of a whole log, as `audit verify` and `restore` do it.

use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;
use mainstay_governance::audit::{Head, Heads, LogCheck, Report};
use mainstay_store::reader::Reader;

/// Events read at once.
const PAGE: usize = 1_000;

/// The head that the store itself keeps beside the log. Read before the log is, so that a server may go
/// on meanwhile.
pub async fn stored_head(log: &Reader) -> Result<Heads, StorageError> {
    let frontier = log.frontier().await?;
    let stored = Head { size: frontier.size(), root: frontier.root(), time: MachineTime::MIN };
    Ok(Heads { stored: Some(stored), ..Heads::default() })
}

/// Recomputes every leaf and the root.
pub async fn check_log(log: &Reader, heads: Heads) -> Result<Report, StorageError> {
    let mut check = LogCheck::new(heads);
    let mut after = EventSeq(0);
    loop {
        let rows = log.audit_rows(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(check.finish()) };
        after = last.seq;
        for row in &rows {
            check.row(row);
        }
    }
}
