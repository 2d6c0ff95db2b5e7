//! A person's consent to one exact thing.

use std::fmt;

use mainstay_core::digest::Digest;
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::principal::{Actor, Role};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::definition::{OnTimeout, StepName};
use crate::refusal::Refusal;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody decided.
    Pending,
    /// Granted.
    Approved,
    /// Refused.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The run ended before anybody decided.
    Withdrawn,
}

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Approved, Self::Rejected, Self::Expired, Self::Withdrawn];

    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request for a person's consent, bound to a digest: approving it approves those bytes and no
/// others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id, derived from run, step and token, so that a replayed command asks only once.
    pub id: ApprovalId,
    /// The run that waits.
    pub run: PipelineRunId,
    /// The step that waits.
    pub step: StepName,
    /// What is approved.
    pub digest: Digest,
    /// Roles or actors that may decide; everybody whom the policy allows, if empty.
    pub by: Vec<String>,
    /// Whether the author is kept from deciding.
    pub four_eyes: bool,
    /// Who started the run.
    pub author: Actor,
    /// When it was asked.
    pub requested: MachineTime,
    /// When it expires.
    pub expires: MachineTime,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who decided.
    pub decided_by: Option<Actor>,
    /// When.
    pub decided_at: Option<MachineTime>,
    /// What they said.
    pub comment: Option<String>,
}

/// A person's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub approve: bool,
    /// The digest that the person looked at.
    pub digest: Digest,
    /// Their roles in the workspace.
    pub roles: Vec<Role>,
    /// Their words.
    pub comment: Option<String>,
}

impl Approval {
    /// The id of the request that a step makes under a token.
    pub fn id_for(run: PipelineRunId, step: &StepName, token: u64) -> ApprovalId {
        let digest = Digest::of_parts([
            b"approval".as_slice(),
            run.as_bytes().as_slice(),
            step.as_str().as_bytes(),
            &token.to_le_bytes(),
        ]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_bytes()[..16]);
        ApprovalId::from_bytes(id)
    }

    /// The request after a decision, or why the decision does not count.
    pub fn decided(&self, by: &Actor, decision: &Decision, now: MachineTime) -> Result<Self, Refusal> {
        if self.state != ApprovalState::Pending {
            return Err(Refusal::AlreadyDecided(self.state));
        }
        if self.expires <= now {
            return Err(Refusal::AlreadyDecided(ApprovalState::Expired));
        }
        if decision.digest != self.digest {
            return Err(Refusal::OtherDigest { asked: self.digest, given: decision.digest });
        }
        if self.four_eyes && *by == self.author {
            return Err(Refusal::OwnRun);
        }
        let named = |who: &String| {
            let has = |role| decision.roles.iter().any(|held| held.includes(role));
            who == by.as_str() || Role::named(who).is_some_and(has)
        };
        if !self.by.is_empty() && !self.by.iter().any(named) {
            return Err(Refusal::NotAsked(self.by.join(", ")));
        }
        let state = if decision.approve { ApprovalState::Approved } else { ApprovalState::Rejected };
        Ok(Self {
            state,
            decided_by: Some(by.clone()),
            decided_at: Some(now),
            comment: decision.comment.clone(),
            ..self.clone()
        })
    }

    /// The request after it ended without a decision.
    #[must_use]
    pub fn ended(&self, state: ApprovalState, now: MachineTime) -> Self {
        Self { state, decided_at: Some(now), ..self.clone() }
    }
}
