//! One figure with all that is needed to judge it.

use mainstay_core::time::DataTime;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::PerformanceError;
use super::interval::{DayInterval, Resampling, day_interval};
use super::metric::{Metric, Prepared, Scored};
use crate::maturity::{Labels, MaturityRule, Missing, Prediction};

/// A quality figure of a span of days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PerformanceReport {
    /// Which figure.
    pub metric: Metric,
    /// Its value; `None` where it is not defined.
    pub value: Option<f64>,
    /// Its interval over days; `None` of fewer than two days.
    pub interval: Option<DayInterval>,
    /// Rows it was computed over.
    pub rows: u64,
    /// Labelled predictions over all predictions of the span.
    pub coverage: Option<f64>,
}

/// Computes a figure and its interval. `predictions` counts all of the span, labelled or not.
///
/// # Errors
/// [`PerformanceError::Row`] or [`PerformanceError::Resampling`].
pub fn report(
    metric: Metric,
    rows: &[Scored],
    predictions: u64,
    resampling: Resampling,
    rng: &mut impl Rng,
) -> Result<PerformanceReport, PerformanceError> {
    let prepared = Prepared::new(metric, rows)?;
    let interval = day_interval(prepared.days.len(), resampling, |w| prepared.value(Some(w)), rng)?;
    Ok(PerformanceReport {
        metric,
        value: prepared.value(None),
        interval,
        rows: rows.len() as u64,
        coverage: (predictions > 0).then(|| rows.len() as f64 / predictions as f64),
    })
}

/// `metric(candidate) − metric(incumbent)` on the same rows, and its interval: days are drawn for both
/// together, so what a hard day does to both cancels.
///
/// # Errors
/// [`PerformanceError::Unpaired`] unless days and labels agree row by row; else as [`report`].
pub fn paired_difference(
    metric: Metric,
    candidate: &[Scored],
    incumbent: &[Scored],
    resampling: Resampling,
    rng: &mut impl Rng,
) -> Result<(Option<f64>, Option<DayInterval>), PerformanceError> {
    let same = |(a, b): (&Scored, &Scored)| a.day == b.day && a.label.total_cmp(&b.label).is_eq();
    if candidate.len() != incumbent.len() || !candidate.iter().zip(incumbent).all(same) {
        return Err(PerformanceError::Unpaired);
    }
    let (ours, theirs) = (Prepared::new(metric, candidate)?, Prepared::new(metric, incumbent)?);
    let difference = |weights: Option<&[f64]>| Some(ours.value(weights)? - theirs.value(weights)?);
    let interval = day_interval(ours.days.len(), resampling, |w| difference(Some(w)), rng)?;
    Ok((difference(None), interval))
}

/// The scored rows as they were known at `known_at`: the label of each prediction is its newest version
/// that had arrived by then, whether or not it was mature. So every figure of a past day can be shown
/// as it stood at any later moment, and restated as labels come (event time × arrival time).
///
/// A prediction whose horizon has passed without a label counts as the rule declares; one that is still
/// within its horizon is left out.
pub fn as_known_at<'a, T: 'a>(
    predictions: impl IntoIterator<Item = &'a Prediction<T>>,
    labels: &Labels,
    rule: &MaturityRule,
    known_at: DataTime,
    score: impl Fn(&T) -> f64,
) -> Vec<Scored> {
    let label = |prediction: &Prediction<T>| {
        let is_mature = prediction.event_time.plus(rule.horizon) <= known_at;
        labels.as_of(&prediction.id, known_at).or(match rule.missing {
            Missing::TreatAs(value) if is_mature => Some(value),
            _ => None,
        })
    };
    predictions
        .into_iter()
        .filter_map(|prediction| {
            let (day, score) = (rule.day(prediction.event_time), score(&prediction.payload));
            Some(Scored { day, score, label: label(prediction)? })
        })
        .collect()
}
