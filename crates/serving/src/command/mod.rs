//! Everything that changes an endpoint, as commands over [`ServingTx`].
//!
//! A command that spans domains (a promotion that moves an alias and accepts a step) applies one of
//! these on its own transaction, whose type has [`ServingTx`] among its supertraits.
//!
//! | event | subject | body |
//! |---|---|---|
//! | `endpoint.created`, `endpoint.changed` | endpoint | definition, revision |
//! | `endpoint.revised`, `endpoint.rolled_back` | endpoint | revision (arms with version and digest) |
//! | `rollout.started`, `.advanced`, `.held`, `.promoted`, `.rolled_back`, `.aborted` | rollout | rollout, evidence or reason |
//! | `segment.sealed` | segment | kind, count, bytes, digest, data times |

mod abort;
mod endpoint;
mod finish;
mod revision;
mod rollback;
mod rollout;
mod segment;

pub use abort::abort;
pub use endpoint::{ChangeEndpoint, CreateEndpoint};
pub use finish::{Basis, FinishRollout, Outcome};
use mainstay_core::event::Event;
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
pub use revision::SetRevision;
pub use rollback::{RollBackEndpoint, RolledBack};
pub use rollout::{AdvanceRollout, StartRollout};
pub use segment::RegisterSegment;
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::error::ServingError;
use crate::port::{GateStatus, ServingTx};
use crate::revision::{Pinned, Revision};
use crate::rollout::Rollout;

fn endpoint_scope(workspace: &Name, endpoint: &Name) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::Endpoint, endpoint))
}

fn rollout_event(kind: &'static str, rollout: &Rollout, detail: &Value) -> Event {
    let body = json!({
        "endpoint": rollout.endpoint,
        "candidate": rollout.candidate,
        "champion": rollout.champion,
        "state": rollout.state,
        "detail": detail,
    });
    Event::new(kind, Subject::new(ResourceKind::Rollout, rollout.id), body)
}

/// An endpoint as it stands in the transaction.
struct Current {
    endpoint: Endpoint,
    revision: Revision,
}

impl Current {
    async fn load(tx: &mut dyn ServingTx, name: &Name) -> Result<Self, ServingError> {
        let missing = || ServingError::NoEndpoint(name.clone());
        let endpoint = tx.endpoint(name).await?.ok_or_else(missing)?;
        let revision = tx.revision(name).await?.ok_or_else(missing)?;
        Ok(Self { endpoint, revision })
    }

    /// The compare of compare-and-set.
    fn expect(&self, expected: u64) -> Result<(), ServingError> {
        if self.revision.number == expected {
            return Ok(());
        }
        let (endpoint, current) = (self.endpoint.name.clone(), self.revision.number);
        Err(ServingError::Conflict { endpoint, expected, current })
    }

    /// What the caller stated, and was authorised on, must be so.
    fn expect_governed(&self, governed: bool) -> Result<(), ServingError> {
        if self.endpoint.governed == governed {
            Ok(())
        } else {
            Err(ServingError::Governance(self.endpoint.name.clone()))
        }
    }

    async fn expect_no_rollout(&self, tx: &mut dyn ServingTx) -> Result<(), ServingError> {
        match tx.running_rollout(&self.endpoint.name).await? {
            Some(running) => {
                let (endpoint, rollout) = (running.endpoint, running.id);
                Err(ServingError::RolloutRunning { endpoint, rollout })
            }
            None => Ok(()),
        }
    }

    /// On a governed endpoint, only an artifact whose gates passed may answer.
    async fn expect_gates(&self, tx: &mut dyn ServingTx, pinned: &Pinned) -> Result<(), ServingError> {
        if !self.endpoint.governed {
            return Ok(());
        }
        match tx.gate_status(&pinned.digest).await? {
            GateStatus::Passed => Ok(()),
            GateStatus::Missing(reason) => {
                let Pinned { version, digest } = *pinned;
                Err(ServingError::GateNotPassed { version, digest, reason })
            }
        }
    }
}

/// Stores a revision and says so.
async fn revise(
    tx: &mut dyn ServingTx,
    revision: &Revision,
    kind: &'static str,
    reason: &str,
) -> Result<(), ServingError> {
    tx.insert_revision(revision).await?;
    let subject = Subject::new(ResourceKind::Endpoint, &revision.endpoint);
    tx.record(Event::new(kind, subject, json!({ "revision": revision, "reason": reason })));
    Ok(())
}

/// A rollout that still runs, with its endpoint, whose revision is as expected.
async fn running(
    tx: &mut dyn ServingTx,
    endpoint: &Name,
    id: &RolloutId,
    expected: u64,
) -> Result<(Current, Rollout), ServingError> {
    let rollout = tx.rollout(id).await?.filter(|rollout| rollout.endpoint == *endpoint);
    let rollout = rollout.ok_or(ServingError::NoRollout(*id))?;
    if !rollout.state.phase.is_running() {
        return Err(ServingError::RolloutOver { rollout: *id, phase: rollout.state.phase.as_str() });
    }
    let current = Current::load(tx, endpoint).await?;
    current.expect(expected)?;
    Ok((current, rollout))
}
