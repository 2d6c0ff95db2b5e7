//! Ending a rollout.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{endpoint_scope, revise, rollout_event, running};
use crate::error::ServingError;
use crate::port::ServingTx;
use crate::revision::RevisionDraft;
use crate::rollout::{Decision, Evidence, Phase, Rollout, decide};

/// How a rollout ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The candidate becomes champion.
    Promote,
    /// The champion stays, alone.
    RollBack,
}

/// On whose word.
#[derive(Debug, Clone)]
pub enum Basis {
    /// The plan's, by this evidence, which must demand this very outcome.
    Evidence(Evidence),
    /// The caller's own, for this reason.
    Person(String),
}

/// Ends a rollout. The gates are asked once more before a candidate becomes champion.
#[derive(Debug, Clone)]
pub struct FinishRollout {
    /// Where.
    pub workspace: Name,
    /// On which endpoint.
    pub endpoint: Name,
    /// Which rollout.
    pub rollout: RolloutId,
    /// The revision that the caller read.
    pub expected: u64,
    /// How.
    pub outcome: Outcome,
    /// Why.
    pub basis: Basis,
}

#[async_trait]
impl Command for FinishRollout {
    type Tx = dyn ServingTx;
    type Out = Rollout;
    type Error = ServingError;

    fn action(&self) -> Action {
        match self.outcome {
            Outcome::Promote => Action::ModelPromote,
            Outcome::RollBack => Action::EndpointRollback,
        }
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Rollout, ServingError> {
        let (current, mut rollout) = running(tx, &self.endpoint, &self.rollout, self.expected).await?;
        let (detail, at) = match &self.basis {
            Basis::Person(reason) => (json!({ "reason": reason }), rollout.state.entered_at),
            Basis::Evidence(evidence) => {
                evidence.validate()?;
                let verdict = match (self.outcome, decide(&rollout.plan, &rollout.state, evidence)) {
                    (Outcome::Promote, Decision::Promote(reason)) => json!(reason),
                    (Outcome::RollBack, Decision::RollBack(reason)) => json!(reason),
                    _ => return Err(ServingError::NotJustified(self.rollout)),
                };
                (json!({ "verdict": verdict, "evidence": evidence }), evidence.watermark)
            }
        };
        let (champion, phase, kind, why) = match self.outcome {
            Outcome::Promote => {
                current.expect_gates(tx, &rollout.candidate).await?;
                (rollout.candidate, Phase::Promoted, "rollout.promoted", "rollout promoted")
            }
            Outcome::RollBack => {
                (rollout.champion, Phase::RolledBack, "rollout.rolled_back", "rollout rolled back")
            }
        };
        let revision = current.revision.with_arms(RevisionDraft::champion(champion), None)?;
        rollout.state = rollout.state.entering(phase, at);
        tx.put_rollout(&rollout).await?;
        tx.record(rollout_event(kind, &rollout, &detail));
        revise(tx, &revision, "endpoint.revised", why).await?;
        Ok(rollout)
    }
}
