//! What follows from plan, state and evidence.

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Guard, QualityVerdict};
use super::plan::{Bake, OnInconclusive, RolloutPlan};
use super::state::{Phase, RolloutState};

/// Why a candidate goes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RollBackReason {
    /// A guard was breached.
    Guard {
        /// Which.
        guard: Guard,
        /// What was seen.
        observed: f64,
        /// The limit.
        limit: f64,
    },
    /// Mature labels show harm.
    Harm,
    /// Time was up, and the plan says so.
    Inconclusive,
}

/// Why a candidate becomes champion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum PromoteReason {
    /// Mature labels show that it is no worse.
    NonInferior,
    /// Time was up, and the plan says so.
    Inconclusive,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// Nothing.
    Stay,
    /// Enter this canary step.
    Advance {
        /// The step, counted from 0.
        step: usize,
    },
    /// Make the candidate champion.
    Promote(PromoteReason),
    /// Take the candidate away.
    RollBack(RollBackReason),
    /// Time is up: ask a person.
    AskPerson,
}

/// Decides. Deterministic, and monotone in what it fears: a breached guard or shown harm rolls back
/// in every running phase, whatever else the evidence says.
///
/// 1. A guard breached, or harm shown: roll back.
/// 2. The last canary step baked and non-inferiority shown: promote.
/// 3. `max_data_time` over: the plan's default, or ask a person. One who was asked is waited for.
/// 4. The present phase baked: on to the next step. Advancing needs no labels, promotion does.
///
/// The data time of a bake and of `max_data_time` counts from the first pair on: [`Evidence::seen_since`].
pub fn decide(plan: &RolloutPlan, state: &RolloutState, evidence: &Evidence) -> Decision {
    if !state.phase.is_running() {
        return Decision::Stay;
    }
    if let Some(reading) = evidence.breached() {
        let (guard, observed, limit) = (reading.guard, reading.observed, reading.limit);
        return Decision::RollBack(RollBackReason::Guard { guard, observed, limit });
    }
    if evidence.quality_verdict() == QualityVerdict::Harmful {
        return Decision::RollBack(RollBackReason::Harm);
    }
    let (bake, next) = match state.phase {
        Phase::Shadow => (plan.spec().shadow, 0),
        Phase::Canary { step } => match plan.step(step) {
            Some(at) => (at.bake, step + 1),
            None => return Decision::AskPerson,
        },
        _ => return Decision::Stay,
    };
    let (baked, last) = (baked(bake, state, evidence), plan.step(next).is_none());
    if last && baked && evidence.quality_verdict() == QualityVerdict::NonInferior {
        return Decision::Promote(PromoteReason::NonInferior);
    }
    let is_late = |seen| seen >= plan.spec().max_data_time_micros;
    if evidence.seen_since(state.started_at).is_some_and(is_late) {
        return match plan.spec().on_inconclusive {
            OnInconclusive::Promote => Decision::Promote(PromoteReason::Inconclusive),
            OnInconclusive::Rollback => Decision::RollBack(RollBackReason::Inconclusive),
            OnInconclusive::Wait => Decision::AskPerson,
        };
    }
    if baked && !last { Decision::Advance { step: next } } else { Decision::Stay }
}

fn baked(bake: Bake, state: &RolloutState, evidence: &Evidence) -> bool {
    let is_long_enough = |seen| seen >= bake.micros;
    evidence.seen_since(state.entered_at).is_some_and(is_long_enough) && evidence.pairs >= bake.min_pairs
}

#[cfg(test)]
mod tests {
    use mainstay_core::time::{DAY, DataTime, HOUR};

    use super::*;
    use crate::rollout::{GuardReading, GuardVerdict, Quality};

    const PHASES: [Phase; 8] = [
        Phase::Shadow,
        Phase::Canary { step: 0 },
        Phase::Canary { step: 1 },
        Phase::Canary { step: 2 },
        Phase::Inconclusive,
        Phase::Promoted,
        Phase::RolledBack,
        Phase::Aborted,
    ];
    const VERDICTS: [QualityVerdict; 3] =
        [QualityVerdict::Undecided, QualityVerdict::NonInferior, QualityVerdict::Harmful];

    fn plan(on_inconclusive: OnInconclusive) -> RolloutPlan {
        let mut spec = RolloutPlan::default().spec().clone();
        spec.on_inconclusive = on_inconclusive;
        RolloutPlan::new(spec).unwrap()
    }

    /// A phase entered on day 4 of a rollout that started on day 0.
    fn state(phase: Phase) -> RolloutState {
        RolloutState::starting(DataTime::default()).entering(phase, DataTime::from_micros(4 * DAY))
    }

    fn evidence(day: i64, pairs: u64, verdict: QualityVerdict, breached: bool) -> Evidence {
        let guard = |verdict| GuardReading { guard: Guard::OutputShift, observed: 0.4, limit: 0.2, verdict };
        let quality = Quality {
            verdict,
            log_e_non_inferior: 0.0,
            log_e_harm: 0.0,
            mean_difference: 0.0,
            mature_pairs: pairs,
            coverage: 1.0,
        };
        Evidence {
            watermark: DataTime::from_micros(day * DAY),
            pairs,
            first_pair: Some(DataTime::default()),
            guards: vec![
                guard(GuardVerdict::TooFew),
                guard(if breached { GuardVerdict::Breached } else { GuardVerdict::Holds }),
            ],
            quality: Some(quality),
        }
    }

    /// The rules once more, as a table over every combination: an independent statement of them.
    #[test]
    fn every_combination_is_decided_as_the_rules_say() {
        let mut seen = 0;
        for default in [OnInconclusive::Promote, OnInconclusive::Rollback, OnInconclusive::Wait] {
            for phase in PHASES {
                for verdict in VERDICTS {
                    for (breached, baked, late) in
                        (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0))
                    {
                        // Late: past the 21 days. Baked fails for want of pairs, so it is free of late.
                        let evidence = evidence(
                            if late { 21 } else { 5 },
                            if baked { 100 } else { 99 },
                            verdict,
                            breached,
                        );
                        let decided = decide(&plan(default), &state(phase), &evidence);
                        let expected = match (phase, breached, verdict, late, baked) {
                            (Phase::Promoted | Phase::RolledBack | Phase::Aborted, ..) => Decision::Stay,
                            (_, true, ..) => Decision::RollBack(RollBackReason::Guard {
                                guard: Guard::OutputShift,
                                observed: 0.4,
                                limit: 0.2,
                            }),
                            (_, _, QualityVerdict::Harmful, ..) => Decision::RollBack(RollBackReason::Harm),
                            (Phase::Inconclusive, ..) => Decision::Stay,
                            (Phase::Canary { step: 2 }, _, QualityVerdict::NonInferior, _, true) => {
                                Decision::Promote(PromoteReason::NonInferior)
                            }
                            (_, _, _, true, _) => match default {
                                OnInconclusive::Promote => Decision::Promote(PromoteReason::Inconclusive),
                                OnInconclusive::Rollback => Decision::RollBack(RollBackReason::Inconclusive),
                                OnInconclusive::Wait => Decision::AskPerson,
                            },
                            (Phase::Shadow, .., true) => Decision::Advance { step: 0 },
                            (Phase::Canary { step }, .., true) if step < 2 => {
                                Decision::Advance { step: step + 1 }
                            }
                            _ => Decision::Stay,
                        };
                        assert_eq!(decided, expected, "{default:?} {phase:?} {evidence:?}");
                        seen += 1;
                    }
                }
            }
        }
        assert_eq!(seen, 3 * 8 * 3 * 8);
    }

    #[test]
    fn a_phase_bakes_for_data_time_too() {
        let plan = plan(OnInconclusive::Wait);
        let mut early = evidence(5, 1_000, QualityVerdict::Undecided, false);
        early.watermark = early.watermark.plus(-1);
        assert_eq!(decide(&plan, &state(Phase::Shadow), &early), Decision::Stay);
        early.watermark = early.watermark.plus(1);
        assert_eq!(decide(&plan, &state(Phase::Shadow), &early), Decision::Advance { step: 0 });
    }

    #[test]
    fn the_clock_starts_with_the_first_pair() {
        let last = state(Phase::Canary { step: 2 });
        for default in [OnInconclusive::Promote, OnInconclusive::Rollback, OnInconclusive::Wait] {
            let plan = plan(default);
            // No traffic before: as if it had started when time began. Or a gap of three weeks.
            let old = RolloutState::starting(DataTime::MIN);
            let mut first = evidence(300, 1_000, QualityVerdict::NonInferior, false);
            first.first_pair = Some(first.watermark.plus(-HOUR));
            for state in [old, old.entering(Phase::Canary { step: 2 }, DataTime::MIN), last] {
                assert_eq!(decide(&plan, &state, &first), Decision::Stay);
                // However late it is, it waits for somebody to have been seen.
                let unseen = Evidence { first_pair: None, pairs: 0, ..first.clone() };
                assert_eq!(decide(&plan, &state, &unseen), Decision::Stay);
            }
            first.first_pair = Some(first.watermark.plus(-DAY));
            assert_eq!(decide(&plan, &old, &first), Decision::Advance { step: 0 });
            first.first_pair = Some(first.watermark.plus(-21 * DAY));
            first.pairs = 0;
            assert_ne!(decide(&plan, &old, &first), Decision::Stay, "time is up");
        }
    }

    #[test]
    fn without_labels_nothing_is_promoted_before_time_is_up() {
        let mut unlabelled = evidence(20, 1_000_000, QualityVerdict::NonInferior, false);
        unlabelled.quality = None;
        let last = state(Phase::Canary { step: 2 });
        assert_eq!(decide(&plan(OnInconclusive::Wait), &last, &unlabelled), Decision::Stay);
    }

    #[test]
    fn figures_that_are_no_numbers_are_refused() {
        let mut unsound = evidence(5, 1, QualityVerdict::Undecided, false);
        assert!(unsound.validate().is_ok());
        unsound.guards[0].observed = f64::INFINITY;
        assert!(unsound.validate().is_err());
    }
}
