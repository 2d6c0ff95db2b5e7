//! Aborting a rollout.

use serde_json::json;

use super::{Current, revise, rollout_event};
use crate::error::ServingError;
use crate::port::ServingTx;
use crate::revision::RevisionDraft;
use crate::rollout::{Phase, Rollout};

/// Aborts a running rollout inside the caller's own transaction: the champion answers alone. For whoever
/// ends what carries the rollout out, so that both happen or neither does.
pub async fn abort(tx: &mut dyn ServingTx, rollout: Rollout, reason: &str) -> Result<(), ServingError> {
    let current = Current::load(tx, &rollout.endpoint).await?;
    let revision = current.revision.with_arms(RevisionDraft::champion(rollout.champion), None)?;
    put_aborted(tx, rollout, reason).await?;
    revise(tx, &revision, "endpoint.revised", "rollout aborted").await
}

/// Stores a rollout as aborted, and says so. What answers is the caller's to change.
pub(super) async fn put_aborted(
    tx: &mut dyn ServingTx,
    mut rollout: Rollout,
    reason: &str,
) -> Result<(), ServingError> {
    rollout.state = rollout.state.entering(Phase::Aborted, rollout.state.entered_at);
    tx.put_rollout(&rollout).await?;
    tx.record(rollout_event("rollout.aborted", &rollout, &json!({ "reason": reason })));
    Ok(())
}
