//! Putting an endpoint back, by hand and at once.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use super::abort::put_aborted;
use super::{Current, endpoint_scope, revise};
use crate::error::ServingError;
use crate::port::ServingTx;
use crate::revision::{Pinned, Revision, RevisionDraft, Role};

/// Undoes the newest change of what answers, whatever runs: canaries go first and the champion
/// stays; where none answers, the champion gives way to the one before it, which then has none
/// before. A running rollout is aborted in either case. Gates are not asked: what goes back answered
/// before.
#[derive(Debug, Clone)]
pub struct RollBackEndpoint {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub endpoint: Name,
    /// The revision that the caller read, where it shall matter.
    pub expected: Option<u64>,
    /// Why, in the caller's words.
    pub reason: String,
}

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// The revision in force now.
    pub revision: Revision,
    /// Who answers now.
    pub champion: Pinned,
    /// The rollout that it aborted.
    pub aborted: Option<RolloutId>,
}

#[async_trait]
impl Command for RollBackEndpoint {
    type Tx = dyn ServingTx;
    type Out = RolledBack;
    type Error = ServingError;

    fn action(&self) -> Action {
        Action::EndpointRollback
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<RolledBack, ServingError> {
        let current = Current::load(tx, &self.endpoint).await?;
        if let Some(expected) = self.expected {
            current.expect(expected)?;
        }
        let running = tx.running_rollout(&self.endpoint).await?;
        let before = &current.revision;
        let serving =
            before.champion().ok_or_else(|| ServingError::NoChampion(self.endpoint.clone()))?.pinned;
        let canaries = before.arms.iter().any(|arm| matches!(arm.role, Role::Canary { .. }));
        let champion = match before.fallback {
            _ if canaries => serving,
            Some(previous) => previous,
            None if running.is_some() => serving,
            None => return Err(ServingError::NothingBefore(self.endpoint.clone())),
        };
        let mut revision = before.with_arms(RevisionDraft::champion(champion), None)?;
        if champion != serving {
            // What was rolled back is no fallback for what it was rolled back to.
            revision.fallback = None;
        }
        let aborted = running.as_ref().map(|rollout| rollout.id);
        if let Some(rollout) = running {
            put_aborted(tx, rollout, &self.reason).await?;
        }
        revise(tx, &revision, "endpoint.rolled_back", &self.reason).await?;
        Ok(RolledBack { revision, champion, aborted })
    }
}
