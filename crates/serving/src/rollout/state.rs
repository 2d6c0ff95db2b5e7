//! Where a rollout stands.

use mainstay_core::id::{PipelineRunId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};

use super::plan::RolloutPlan;
use crate::revision::{Arm, BasisPoints, Pinned, Role};

/// The phases of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// The candidate scores and does not answer.
    Shadow,
    /// The candidate answers its share.
    Canary {
        /// The plan's step, counted from 0.
        step: usize,
    },
    /// Time is up without a verdict: a person decides. The candidate keeps its last share.
    Inconclusive,
    /// The candidate is champion.
    Promoted,
    /// The candidate was found wanting, or given up.
    RolledBack,
    /// A person rolled the endpoint back, or the run that carried it out ended without a result.
    Aborted,
}

impl Phase {
    /// Whether the rollout still holds its endpoint.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Shadow | Self::Canary { .. } | Self::Inconclusive)
    }

    /// The phase's name, without its step.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Canary { .. } => "canary",
            Self::Inconclusive => "inconclusive",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Aborted => "aborted",
        }
    }
}

/// Where a rollout stands, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutState {
    /// The phase.
    #[serde(flatten)]
    pub phase: Phase,
    /// The watermark when the rollout started; [`DataTime::MIN`] if the endpoint had none yet.
    pub started_at: DataTime,
    /// The watermark when the phase was entered; as above.
    pub entered_at: DataTime,
}

impl RolloutState {
    /// The start.
    pub const fn starting(at: DataTime) -> Self {
        Self { phase: Phase::Shadow, started_at: at, entered_at: at }
    }

    /// When the rollout started; `None` if that was before the endpoint's first data.
    pub fn started(&self) -> Option<DataTime> {
        Some(self.started_at).filter(|at| *at > DataTime::MIN)
    }

    /// When the phase was entered; `None` if that was before the endpoint's first data.
    pub fn entered(&self) -> Option<DataTime> {
        Some(self.entered_at).filter(|at| *at > DataTime::MIN)
    }

    /// The same rollout in another phase.
    #[must_use]
    pub const fn entering(self, phase: Phase, at: DataTime) -> Self {
        Self { phase, entered_at: at, ..self }
    }
}

/// One rollout of a candidate on an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its id; also the salt of its canary.
    pub id: RolloutId,
    /// Where.
    pub endpoint: Name,
    /// Which version.
    pub candidate: Pinned,
    /// Against which.
    pub champion: Pinned,
    /// How.
    pub plan: RolloutPlan,
    /// How far.
    pub state: RolloutState,
    /// The pipeline run whose step carries it out.
    #[serde(default)]
    pub run: Option<PipelineRunId>,
}

impl Rollout {
    /// The candidate's arm in a canary step of the plan; `None` if there is no such step.
    pub fn canary(&self, step: usize) -> Option<Arm> {
        let weight: BasisPoints = self.plan.step(step)?.weight;
        Some(Arm::new(self.candidate, Role::Canary { weight }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_before_the_first_data_has_no_instant_to_show() {
        let waiting = RolloutState::starting(DataTime::MIN);
        assert_eq!((waiting.started(), waiting.entered()), (None, None));
        let later = DataTime::from_micros(7);
        let seen = waiting.entering(Phase::Canary { step: 0 }, later);
        assert_eq!((seen.started(), seen.entered()), (None, Some(later)));
    }
}
