//! A floor under every slice: good on average is not good for everybody.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Figure, Outcome, Verdict};
use crate::performance::{Metric, PerformanceError, Resampling, Scored, report};

/// What every slice must reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlicePlan {
    /// The metric.
    pub metric: Metric,
    /// The worst value a slice may have: a ceiling for a loss, a floor for accuracy or AUC.
    pub limit: f64,
    /// Slices with fewer rows are shown, not judged.
    pub min_rows: usize,
    /// How intervals are found; their level is for all judged slices together.
    pub resampling: Resampling,
}

/// The rows of one slice, for example of one region.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: Vec<Scored>,
}

/// Fails if any judged slice is beyond the limit with its whole interval, the level shared out over the
/// judged slices (Bonferroni). Passes if the value of every judged slice is within the limit. Inconclusive
/// if a slice is beyond it but not surely so, or if no slice has enough rows.
///
/// # Errors
/// [`PerformanceError`] for rows the metric cannot take.
pub fn slice_floor(
    plan: SlicePlan,
    slices: &[Slice],
    rng: &mut impl Rng,
) -> Result<Verdict, PerformanceError> {
    let is_judged = |slice: &Slice| slice.rows.len() >= plan.min_rows;
    let judged = slices.iter().filter(|slice| is_judged(slice)).count();
    let level = 1.0 - (1.0 - plan.resampling.level) / judged.max(1) as f64;
    let sign = if plan.metric.greater_is_better() { -1.0 } else { 1.0 };
    let (mut figures, mut beyond, mut surely) = (Vec::new(), Vec::new(), Vec::new());
    for slice in slices {
        if !is_judged(slice) {
            let value = plan.metric.value(&slice.rows)?;
            figures.push(Figure { name: slice.name.clone(), value, interval: None, limit: None });
            continue;
        }
        let resampling = Resampling { level, ..plan.resampling };
        let report = report(plan.metric, &slice.rows, slice.rows.len() as u64, resampling, rng)?;
        let interval = report.interval.map(|found| found.interval);
        if report.value.is_none_or(|value| sign * value > sign * plan.limit) {
            beyond.push(slice.name.as_str());
        }
        let best = interval.map(|interval| if sign > 0.0 { interval.lower } else { interval.upper });
        if best.is_some_and(|best| sign * best > sign * plan.limit) {
            surely.push(slice.name.as_str());
        }
        let limit = Some(plan.limit);
        figures.push(Figure { name: slice.name.clone(), value: report.value, interval, limit });
    }
    let few = slices.len() - judged;
    let name = plan.metric.name();
    let (outcome, said) = if judged == 0 {
        (Outcome::Inconclusive, format!("no slice has {} rows", plan.min_rows))
    } else if !surely.is_empty() {
        (Outcome::Failed, format!("{name} is beyond {:.4} for {}", plan.limit, surely.join(", ")))
    } else if beyond.is_empty() {
        (Outcome::Passed, format!("{name} is within {:.4} for all {judged} judged slices", plan.limit))
    } else {
        (Outcome::Inconclusive, format!("{name} may be beyond {:.4} for {}", plan.limit, beyond.join(", ")))
    };
    let sentence = if few == 0 { said } else { format!("{said}; {few} slices have too few rows to judge") };
    Ok(Verdict { name: "slice_floor".to_owned(), outcome, figures, sentence })
}
