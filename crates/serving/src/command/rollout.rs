//! Starting a rollout and moving it on.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::id::{PipelineRunId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use mainstay_core::time::DataTime;
use serde_json::json;

use super::{Current, endpoint_scope, revise, rollout_event, running};
use crate::error::ServingError;
use crate::port::ServingTx;
use crate::revision::{Arm, Pinned, RevisionDraft, Role};
use crate::rollout::{Decision, Evidence, Phase, Rollout, RolloutPlan, RolloutState, decide};

/// Starts a rollout: the candidate becomes a shadow beside the champion.
///
/// There is one running rollout per endpoint at a time. As a rollout ends in promotion without
/// anybody being asked, a governed endpoint demands the gates here already, and again at each step.
#[derive(Debug, Clone)]
pub struct StartRollout {
    /// Where.
    pub workspace: Name,
    /// On which endpoint.
    pub endpoint: Name,
    /// The revision that the caller read.
    pub expected: u64,
    /// Its id, drawn by the caller.
    pub rollout: RolloutId,
    /// Which version.
    pub candidate: Pinned,
    /// How.
    pub plan: RolloutPlan,
    /// The endpoint's watermark.
    pub watermark: DataTime,
    /// The pipeline run whose step carries it out.
    pub run: Option<PipelineRunId>,
}

#[async_trait]
impl Command for StartRollout {
    type Tx = dyn ServingTx;
    type Out = Rollout;
    type Error = ServingError;

    fn action(&self) -> Action {
        Action::EndpointWrite
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Rollout, ServingError> {
        let current = Current::load(tx, &self.endpoint).await?;
        current.expect(self.expected)?;
        current.expect_no_rollout(tx).await?;
        let champion = current.revision.champion();
        let champion = champion.ok_or_else(|| ServingError::NoChampion(self.endpoint.clone()))?.pinned;
        if champion.version == self.candidate.version {
            return Err(ServingError::AlreadyServes(self.candidate.version));
        }
        if current.revision.arms.len() > 1 {
            return Err(ServingError::OtherArms(self.endpoint.clone()));
        }
        current.expect_gates(tx, &self.candidate).await?;
        let rollout = Rollout {
            id: self.rollout,
            endpoint: self.endpoint.clone(),
            candidate: self.candidate,
            champion,
            plan: self.plan.clone(),
            state: RolloutState::starting(self.watermark),
            run: self.run,
        };
        let draft = RevisionDraft::pair(champion, Arm::new(self.candidate, Role::Shadow));
        let revision = current.revision.with_arms(draft, Some(self.rollout))?;
        tx.put_rollout(&rollout).await?;
        tx.record(rollout_event("rollout.started", &rollout, &json!({ "plan": rollout.plan })));
        revise(tx, &revision, "endpoint.revised", "rollout started").await?;
        Ok(rollout)
    }
}

/// Moves a rollout into its next canary step, or, when its time is up, into waiting for a person.
/// What the evidence allows is decided here once more, against the state in the transaction.
#[derive(Debug, Clone)]
pub struct AdvanceRollout {
    /// Where.
    pub workspace: Name,
    /// On which endpoint.
    pub endpoint: Name,
    /// Which rollout.
    pub rollout: RolloutId,
    /// The revision that the evidence was gathered under.
    pub expected: u64,
    /// What was seen.
    pub evidence: Evidence,
}

#[async_trait]
impl Command for AdvanceRollout {
    type Tx = dyn ServingTx;
    type Out = Rollout;
    type Error = ServingError;

    fn action(&self) -> Action {
        Action::EndpointWrite
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Rollout, ServingError> {
        self.evidence.validate()?;
        let (current, mut rollout) = running(tx, &self.endpoint, &self.rollout, self.expected).await?;
        let not_justified = || ServingError::NotJustified(self.rollout);
        let detail = json!({ "evidence": self.evidence });
        match decide(&rollout.plan, &rollout.state, &self.evidence) {
            Decision::Advance { step } => {
                current.expect_gates(tx, &rollout.candidate).await?;
                let arm = rollout.canary(step).ok_or_else(not_justified)?;
                let draft = RevisionDraft::pair(rollout.champion, arm);
                let revision = current.revision.with_arms(draft, Some(rollout.id))?;
                rollout.state = rollout.state.entering(Phase::Canary { step }, self.evidence.watermark);
                tx.put_rollout(&rollout).await?;
                tx.record(rollout_event("rollout.advanced", &rollout, &detail));
                revise(tx, &revision, "endpoint.revised", "rollout advanced").await?;
            }
            Decision::AskPerson => {
                rollout.state = rollout.state.entering(Phase::Inconclusive, self.evidence.watermark);
                tx.put_rollout(&rollout).await?;
                tx.record(rollout_event("rollout.held", &rollout, &detail));
            }
            Decision::Stay | Decision::Promote(_) | Decision::RollBack(_) => return Err(not_justified()),
        }
        Ok(rollout)
    }
}
