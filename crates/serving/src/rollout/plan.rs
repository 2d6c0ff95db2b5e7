//! What a rollout does, declared before it starts.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::DAY;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::revision::BasisPoints;

/// Most canary steps of a plan.
const MAX_STEPS: usize = 32;

/// How long a phase lasts at least: both parts must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bake {
    /// Microseconds of data time.
    pub micros: i64,
    /// Requests that both versions scored within the phase.
    #[serde(default)]
    pub min_pairs: u64,
}

/// One step of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryStep {
    /// The share of keys that the candidate answers.
    pub weight: BasisPoints,
    /// How long.
    pub bake: Bake,
}

/// What to do when neither promotion nor rollback was earned in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInconclusive {
    /// Promote all the same.
    Promote,
    /// Go back.
    Rollback,
    /// Wait for a person.
    Wait,
}

/// The limits of the guards, which need no labels. The monitor judges them within one data day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardLimits {
    /// Share of the candidate's scorings that may err or time out.
    pub max_error_rate: f64,
    /// The candidate's 95th percentile of latency over the champion's.
    pub max_latency_ratio: f64,
    /// Share of requests assigned to the candidate that another version may have to answer.
    pub max_fallback_rate: f64,
    /// Share of feature values that may lie outside their usual range.
    pub max_out_of_range_rate: f64,
    /// Shift of the candidate's scores against the champion's on the same requests, as a PSI.
    pub max_output_shift: f64,
}

/// A plan as it is written down, not yet checked. What is left out is as in its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanSpec {
    /// How long the candidate only scores.
    pub shadow: Bake,
    /// The canary's steps, with growing weights.
    pub steps: Vec<CanaryStep>,
    /// Mean loss by which the candidate may exceed the champion and still be no worse.
    pub margin: f64,
    /// Mean loss beyond the champion's from which on the candidate does harm.
    pub harm_margin: f64,
    /// Maturity of labels for this rollout, in microseconds of data time.
    pub horizon_micros: i64,
    /// After so much data time since the start the rollout is inconclusive, in microseconds.
    pub max_data_time_micros: i64,
    /// And then.
    pub on_inconclusive: OnInconclusive,
    /// The guards' limits.
    pub guards: GuardLimits,
}

/// Why a specification is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPlan {
    /// No step, or more than 32.
    #[error("a rollout has between 1 and {MAX_STEPS} canary steps; this one has {0}")]
    Steps(usize),
    /// Weights that do not grow from above zero.
    #[error("the weights of the canary's steps must grow, from more than 0 to at most 10000 basis points")]
    Weights,
    /// A negative time.
    #[error("bake times and the horizon must not be negative")]
    Times,
    /// Not enough time for the plan's own phases.
    #[error("max_data_time must be longer than the shadow and canary bakes together, and than the horizon")]
    TooShort,
    /// A margin that is no number or not above zero, or a harm margin below it.
    #[error(
        "margin must be above 0, and harm_margin not below 0; a candidate that is exactly as good can only be told from a worse one by a margin"
    )]
    Margins,
    /// A limit outside its range.
    #[error("guard rates lie between 0 and 1, and the latency ratio and output shift above 0")]
    Guards,
}

impl Coded for InvalidPlan {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidDefinition
    }
}

/// A checked plan. [`RolloutPlan::default`] is 5 → 25 → 100 %, a day each after a day of shadow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "PlanSpec", into = "PlanSpec")]
pub struct RolloutPlan(PlanSpec);

impl RolloutPlan {
    /// Checks a specification.
    pub fn new(spec: PlanSpec) -> Result<Self, InvalidPlan> {
        if spec.steps.is_empty() || spec.steps.len() > MAX_STEPS {
            return Err(InvalidPlan::Steps(spec.steps.len()));
        }
        let mut reached = BasisPoints::ZERO;
        for step in &spec.steps {
            if step.weight <= reached {
                return Err(InvalidPlan::Weights);
            }
            reached = step.weight;
        }
        let bakes = std::iter::once(&spec.shadow).chain(spec.steps.iter().map(|step| &step.bake));
        if spec.horizon_micros < 0 || bakes.clone().any(|bake| bake.micros < 0) {
            return Err(InvalidPlan::Times);
        }
        let baking = bakes.fold(0_i64, |sum, bake| sum.saturating_add(bake.micros));
        if spec.max_data_time_micros <= baking.max(spec.horizon_micros) {
            return Err(InvalidPlan::TooShort);
        }
        // The statistics bound what they look at by four margins.
        let is_margin = |margin: f64| margin > 0.0 && (4.0 * margin).is_finite();
        if !is_margin(spec.margin) || !(spec.harm_margin == 0.0 || is_margin(spec.harm_margin)) {
            return Err(InvalidPlan::Margins);
        }
        let g = &spec.guards;
        let rates = [g.max_error_rate, g.max_fallback_rate, g.max_out_of_range_rate];
        let scales = [g.max_latency_ratio, g.max_output_shift];
        let sound =
            rates.iter().all(|r| (0.0..=1.0).contains(r)) && scales.iter().all(|s| s.is_finite() && *s > 0.0);
        if sound { Ok(Self(spec)) } else { Err(InvalidPlan::Guards) }
    }

    /// What it says.
    pub const fn spec(&self) -> &PlanSpec {
        &self.0
    }

    /// The canary's step of that number, counted from 0.
    pub fn step(&self, step: usize) -> Option<&CanaryStep> {
        self.0.steps.get(step)
    }
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            max_error_rate: 0.01,
            max_latency_ratio: 3.0,
            max_fallback_rate: 0.01,
            max_out_of_range_rate: 0.05,
            // A sound retraining after a drift moves scores, too.
            max_output_shift: 0.5,
        }
    }
}

impl Default for PlanSpec {
    fn default() -> Self {
        let day = Bake { micros: DAY, min_pairs: 100 };
        let step = |weight| CanaryStep { weight, bake: day };
        let share = |points| BasisPoints::new(points).unwrap_or(BasisPoints::WHOLE);
        Self {
            shadow: day,
            steps: vec![step(share(500)), step(share(2_500)), step(BasisPoints::WHOLE)],
            margin: 0.005,
            harm_margin: 0.005,
            horizon_micros: DAY,
            max_data_time_micros: 21 * DAY,
            on_inconclusive: OnInconclusive::Wait,
            guards: GuardLimits::default(),
        }
    }
}

impl TryFrom<PlanSpec> for RolloutPlan {
    type Error = InvalidPlan;

    fn try_from(spec: PlanSpec) -> Result<Self, Self::Error> {
        Self::new(spec)
    }
}

impl From<RolloutPlan> for PlanSpec {
    fn from(plan: RolloutPlan) -> Self {
        plan.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut PlanSpec)) -> InvalidPlan {
        let mut spec = RolloutPlan::default().spec().clone();
        change(&mut spec);
        RolloutPlan::new(spec).unwrap_err()
    }

    #[test]
    fn the_default_is_sound_and_survives_json() {
        let plan = RolloutPlan::default();
        assert_eq!(RolloutPlan::new(plan.spec().clone()), Ok(plan.clone()));
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<RolloutPlan>(&json).unwrap(), plan);
    }

    #[test]
    fn unsound_plans_are_refused() {
        assert_eq!(refusal(|p| p.steps.clear()), InvalidPlan::Steps(0));
        assert_eq!(refusal(|p| p.steps.swap(0, 1)), InvalidPlan::Weights);
        assert_eq!(refusal(|p| p.steps[0].weight = BasisPoints::ZERO), InvalidPlan::Weights);
        assert_eq!(refusal(|p| p.shadow.micros = -1), InvalidPlan::Times);
        assert_eq!(refusal(|p| p.max_data_time_micros = 4 * DAY), InvalidPlan::TooShort);
        assert_eq!(refusal(|p| p.horizon_micros = 21 * DAY), InvalidPlan::TooShort);
        for margin in [f64::NAN, f64::MAX, 0.0] {
            assert_eq!(refusal(|p| p.margin = margin), InvalidPlan::Margins);
        }
        assert_eq!(refusal(|p| p.harm_margin = -0.1), InvalidPlan::Margins);
        assert_eq!(refusal(|p| p.guards.max_error_rate = 1.5), InvalidPlan::Guards);
        assert_eq!(refusal(|p| p.guards.max_output_shift = f64::NAN), InvalidPlan::Guards);
    }
}
