//! The metrics, over rows whose days carry weights.

use mainstay_core::fault::{Fault, is_planted};
use serde::{Deserialize, Serialize};

use super::PerformanceError;

/// One scored and labelled row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Number of its data day.
    pub day: i64,
    /// The model's score: the probability of class 1, or a predicted number.
    pub score: f64,
    /// What came true: 0 or 1, or a number.
    pub label: f64,
}

/// A quality figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean of `−ln` of the probability given to what came true; scores are kept `ε = 2^−52` away
    /// from 0 and 1. `sklearn.metrics.log_loss`.
    LogLoss,
    /// Mean squared difference of probability and label. `sklearn.metrics.brier_score_loss`.
    Brier,
    /// Share of rows where `score ≥ threshold` agrees with the label. `sklearn.metrics.accuracy_score`.
    Accuracy {
        /// From this score on, class 1 is predicted.
        threshold: f64,
    },
    /// Area under the ROC curve: P(a row of class 1 scores above one of class 0), ties counting
    /// half. `sklearn.metrics.roc_auc_score`. Undefined without rows of both classes.
    Auc,
    /// Expected calibration error over ten bins of equal width, `[0, 0.1), …, [0.9, 1]`: the mean over
    /// rows of `|mean score − share of class 1|` of the row's bin (Naeini, Cooper & Hauskrecht 2015).
    Ece,
    /// Mean absolute error of a number. `sklearn.metrics.mean_absolute_error`.
    MeanAbsoluteError,
    /// Mean squared error of a number. `sklearn.metrics.mean_squared_error`.
    MeanSquaredError,
}

/// Bins of the calibration error.
const BINS: usize = 10;

impl Metric {
    /// Its name, as shown and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::Accuracy { .. } => "accuracy",
            Self::Auc => "auc",
            Self::Ece => "ece",
            Self::MeanAbsoluteError => "mean_absolute_error",
            Self::MeanSquaredError => "mean_squared_error",
        }
    }

    /// Whether a greater value is a better model.
    pub fn greater_is_better(self) -> bool {
        matches!(self, Self::Accuracy { .. } | Self::Auc)
    }

    /// The loss of one row, where the metric is a mean of such; accuracy's is 1 for an error.
    pub fn row_loss(self, score: f64, label: f64) -> Option<f64> {
        match self {
            Self::LogLoss => {
                let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                Some(-(label * score.ln() + (1.0 - label) * (-score).ln_1p()))
            }
            Self::Brier | Self::MeanSquaredError => Some((score - label).powi(2)),
            Self::Accuracy { threshold } => Some(f64::from(u8::from((score >= threshold) != (label >= 0.5)))),
            Self::MeanAbsoluteError => Some((score - label).abs()),
            Self::Auc | Self::Ece => None,
        }
    }

    /// The figure over all rows; `None` where it is not defined (no rows; one class for the AUC).
    ///
    /// # Errors
    /// [`PerformanceError::Row`].
    pub fn value(self, rows: &[Scored]) -> Result<Option<f64>, PerformanceError> {
        Ok(Prepared::new(self, rows)?.value(None))
    }

    fn check(self, row: &Scored) -> Result<(), PerformanceError> {
        if !(row.score.is_finite() && row.label.is_finite()) {
            return Err(PerformanceError::Row("scores and labels must be finite numbers"));
        }
        let is_class = !matches!(self, Self::MeanAbsoluteError | Self::MeanSquaredError);
        if is_class && (row.label * (1.0 - row.label)).abs() > 0.0 {
            return Err(PerformanceError::Row("this metric needs labels 0 and 1"));
        }
        let is_probability = matches!(self, Self::LogLoss | Self::Brier | Self::Ece);
        if is_probability && !(0.0..=1.0).contains(&row.score) {
            return Err(PerformanceError::Row("this metric needs scores between 0 and 1"));
        }
        Ok(())
    }
}

/// Rows digested so that the metric under other weights of the days is cheap.
pub(super) struct Prepared {
    metric: Metric,
    /// The days that have rows, ascending; a weight vector has one entry each.
    pub(super) days: Vec<i64>,
    digest: Digest,
}

enum Digest {
    /// Sum of losses and rows of each day.
    Mean(Vec<(f64, f64)>),
    /// (sum of scores, sum of labels, rows) of each bin of each day.
    Calibration(Vec<[(f64, f64, f64); BINS]>),
    /// (score, day, is class 1), ascending by score.
    Ranks(Vec<(f64, usize, bool)>),
}

impl Prepared {
    pub(super) fn new(metric: Metric, rows: &[Scored]) -> Result<Self, PerformanceError> {
        rows.iter().try_for_each(|row| metric.check(row))?;
        // What is drawn, or left out, as one.
        let unit = |(at, row): (usize, &Scored)| {
            if is_planted(Fault::BootstrapOverRows) { i64::try_from(at).unwrap_or(i64::MAX) } else { row.day }
        };
        let units: Vec<i64> = rows.iter().enumerate().map(unit).collect();
        let mut days = units.clone();
        days.sort_unstable();
        days.dedup();
        let indexed =
            units.iter().zip(rows).filter_map(|(unit, row)| Some((days.binary_search(unit).ok()?, row)));
        let digest = match metric {
            Metric::Auc => {
                let mut ranks: Vec<(f64, usize, bool)> =
                    indexed.map(|(day, row)| (row.score + 0.0, day, row.label > 0.5)).collect();
                ranks.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
                Digest::Ranks(ranks)
            }
            Metric::Ece => {
                let mut bins = vec![[(0.0, 0.0, 0.0); BINS]; days.len()];
                for (day, row) in indexed {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "0 ≤ score ≤ 1"
                    )]
                    let bin = ((row.score * BINS as f64) as usize).min(BINS - 1);
                    if let Some((score, label, count)) = bins.get_mut(day).and_then(|day| day.get_mut(bin)) {
                        *score += row.score;
                        *label += row.label;
                        *count += 1.0;
                    }
                }
                Digest::Calibration(bins)
            }
            _ => {
                let mut sums = vec![(0.0, 0.0); days.len()];
                for (day, row) in indexed {
                    if let (Some(sum), Some(loss)) =
                        (sums.get_mut(day), metric.row_loss(row.score, row.label))
                    {
                        sum.0 += loss;
                        sum.1 += 1.0;
                    }
                }
                Digest::Mean(sums)
            }
        };
        Ok(Self { metric, days, digest })
    }

    /// The metric with each day counted `weights[day]` times, or once.
    pub(super) fn value(&self, weights: Option<&[f64]>) -> Option<f64> {
        let weight = |day: usize| weights.map_or(1.0, |weights| weights.get(day).copied().unwrap_or(0.0));
        match &self.digest {
            Digest::Mean(sums) => {
                let (mut loss, mut rows) = (0.0, 0.0);
                for (day, (sum, count)) in sums.iter().enumerate() {
                    loss += weight(day) * sum;
                    rows += weight(day) * count;
                }
                let mean = (rows > 0.0).then_some(loss / rows)?;
                Some(if matches!(self.metric, Metric::Accuracy { .. }) { 1.0 - mean } else { mean })
            }
            Digest::Calibration(days) => calibration_error(days, weight),
            Digest::Ranks(ranks) => area_under_curve(ranks, weight),
        }
    }
}

fn calibration_error(days: &[[(f64, f64, f64); BINS]], weight: impl Fn(usize) -> f64) -> Option<f64> {
    let mut totals = [(0.0, 0.0, 0.0); BINS];
    for (day, bins) in days.iter().enumerate() {
        for (total, bin) in totals.iter_mut().zip(bins) {
            total.0 += weight(day) * bin.0;
            total.1 += weight(day) * bin.1;
            total.2 += weight(day) * bin.2;
        }
    }
    let rows: f64 = totals.iter().map(|total| total.2).sum();
    // |mean score − mean label| times the bin's rows is |sum of scores − sum of labels|.
    (rows > 0.0).then(|| totals.iter().map(|total| (total.0 - total.1).abs()).sum::<f64>() / rows)
}

/// The Mann–Whitney form, with ties counting half: each group of equal scores at once.
fn area_under_curve(ranks: &[(f64, usize, bool)], weight: impl Fn(usize) -> f64) -> Option<f64> {
    let (mut below, mut positive, mut wins) = (0.0, 0.0, 0.0);
    for tied in ranks.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let (mut ones, mut zeros) = (0.0, 0.0);
        for (_, day, is_one) in tied {
            *(if *is_one { &mut ones } else { &mut zeros }) += weight(*day);
        }
        wins += ones * (below + zeros / 2.0);
        below += zeros;
        positive += ones;
    }
    (below > 0.0 && positive > 0.0).then(|| wins / (below * positive))
}
