//! Rollouts: how a candidate goes from shadow over canary steps to champion, or back.
//!
//! A rollout is a durable run: its state changes only through commands, and each change is justified
//! by [`decide`], a pure function of plan, state and evidence. The statistics behind the evidence
//! (guards, e-processes) are the monitor's; here arrive numbers and verdicts.

mod decision;
mod evidence;
mod plan;
mod state;

pub use decision::{Decision, PromoteReason, RollBackReason, decide};
pub use evidence::{Evidence, Guard, GuardReading, GuardVerdict, InvalidEvidence, Quality, QualityVerdict};
pub use plan::{Bake, CanaryStep, GuardLimits, InvalidPlan, OnInconclusive, PlanSpec, RolloutPlan};
pub use state::{Phase, Rollout, RolloutState};
