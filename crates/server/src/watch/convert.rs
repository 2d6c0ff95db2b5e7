//! Between the serving domain and the monitoring domain, which do not know each other.

use mainstay_core::id::RolloutId;
use mainstay_core::time::{DAY, DataTime};
use mainstay_monitoring::maturity::{MaturityRule, Missing};
use mainstay_monitoring::sequential::{PairedPlan, Standing};
use mainstay_monitoring::watch::{
    ArmScore, BlockEvidence, FeatureValue, GuardKind, GuardLimits, GuardVerdict, Observation, RolloutWatch,
    Watch, WatchPlan,
};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::label::LabelKind;
use mainstay_serving::record::PredictionRecord;
use mainstay_serving::rollout::{self, Evidence, Guard, GuardReading, Quality, QualityVerdict, Rollout};
use mainstay_serving::value;

/// Chance of promoting a candidate that is worse by the margin, and of rolling back one that is not.
const ALPHA: f64 = 0.05;
/// Days are put together until a block of evidence holds this many pairs.
const MIN_ROWS: u64 = 30;

/// What is the same for all of an endpoint's life.
pub(super) fn plan(endpoint: &Endpoint) -> WatchPlan {
    let missing = |kind: &LabelKind| kind.outcome(None).map_or(Missing::Exclude, Missing::TreatAs);
    WatchPlan {
        features: endpoint.schema.features().iter().map(|feature| feature.name.clone()).collect(),
        maturity: MaturityRule {
            horizon: endpoint.labels.as_ref().map_or(0, |labels| labels.horizon_micros),
            missing: endpoint.labels.as_ref().map_or(Missing::Exclude, missing),
            day_offset: endpoint.day_offset_micros,
        },
        disorder: 0,
    }
}

/// A logged prediction, as the watch takes it.
pub(super) fn observation(record: PredictionRecord, under: Option<RolloutId>) -> Observation {
    let arm = |arm: &mainstay_serving::record::ArmScore| ArmScore {
        version: arm.version,
        // The class that a score speaks of comes last: one probability, or one for each class.
        score: arm.outcome.as_ref().ok().and_then(|scores| scores.last()).copied(),
        latency_micros: arm.latency_micros,
        failed: arm.outcome.is_err(),
    };
    let version = |at: u8| record.arms.get(usize::from(at)).map(|arm| arm.version);
    Observation {
        id: record.id,
        at: record.at,
        arms: record.arms.iter().map(arm).collect(),
        assigned: version(record.assigned).unwrap_or_default(),
        answered: record.answered.and_then(version),
        features: record.features.into_iter().map(feature).collect(),
        out_of_range: u32::try_from(record.violations.len()).unwrap_or(u32::MAX),
        under,
    }
}

fn feature(value: value::FeatureValue) -> FeatureValue {
    match value {
        value::FeatureValue::Null => FeatureValue::Missing,
        value::FeatureValue::Boolean(flag) => FeatureValue::Number(f64::from(u8::from(flag))),
        value::FeatureValue::Integer(int) => FeatureValue::Number(int as f64),
        value::FeatureValue::Float(number) => FeatureValue::Number(number),
        value::FeatureValue::Text(text) => FeatureValue::Category(text.into_boxed_str()),
    }
}

/// What to watch a rollout by.
pub(super) fn rollout_watch(rollout: &Rollout) -> RolloutWatch {
    let plan = rollout.plan.spec();
    let guards = &plan.guards;
    RolloutWatch {
        id: rollout.id,
        champion: rollout.champion.version,
        candidate: rollout.candidate.version,
        started_at: rollout.state.started_at,
        guards: GuardLimits {
            max_error_rate: guards.max_error_rate,
            max_latency_ratio: guards.max_latency_ratio,
            max_fallback_rate: guards.max_fallback_rate,
            max_out_of_range_rate: guards.max_out_of_range_rate,
            max_output_shift: guards.max_output_shift,
        },
        quality: PairedPlan {
            margin: plan.margin,
            harm_margin: plan.harm_margin,
            // The statistics' own advice: four margins.
            bound: 4.0 * plan.margin.max(plan.harm_margin),
            promote_alpha: ALPHA,
            harm_alpha: ALPHA,
            min_rows: MIN_ROWS,
        },
        horizon: plan.horizon_micros,
        max_days: u32::try_from(plan.max_data_time_micros / DAY + 1).unwrap_or(u32::MAX),
    }
}

/// What is known at the end of a data hour of a phase that was entered at an instant, as the rollout's rules
/// take it.
pub(super) fn evidence(watch: &Watch, block: &BlockEvidence, entered: DataTime) -> Evidence {
    let guards = block.guards.iter().map(|figure| GuardReading {
        guard: match figure.guard {
            GuardKind::ErrorRate => Guard::ErrorRate,
            GuardKind::LatencyRatio => Guard::LatencyRatio,
            GuardKind::FallbackRate => Guard::FallbackRate,
            GuardKind::OutOfRangeRate => Guard::OutOfRangeRate,
            GuardKind::OutputShift => Guard::OutputShift,
        },
        observed: figure.observed,
        limit: figure.limit,
        verdict: match figure.verdict {
            GuardVerdict::TooFew => rollout::GuardVerdict::TooFew,
            GuardVerdict::Holds => rollout::GuardVerdict::Holds,
            GuardVerdict::Breached => rollout::GuardVerdict::Breached,
        },
    });
    let quality = block.quality.map(|reading| Quality {
        verdict: match reading.standing {
            Standing::Open => QualityVerdict::Undecided,
            Standing::NonInferior => QualityVerdict::NonInferior,
            Standing::Harmful => QualityVerdict::Harmful,
        },
        log_e_non_inferior: reading.log_e_non_inferior,
        log_e_harm: reading.log_e_harm,
        mean_difference: reading.mean.unwrap_or(0.0),
        mature_pairs: block.mature_pairs,
        coverage: block.coverage.unwrap_or(0.0),
    });
    Evidence {
        watermark: block.watermark,
        pairs: watch.pairs(entered, block.watermark),
        first_pair: watch.first_pair(block.watermark),
        guards: guards.collect(),
        quality,
    }
}
