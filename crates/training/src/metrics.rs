//! Exact definitions of the figures that a trained model is judged by.
//!
//! All functions compute in `f64`, in the order of the rows, and refuse input for which the figure
//! is not defined. Each agrees with scikit-learn to 1e-9 (`tests/reference/metrics.py`).

use serde::{Deserialize, Serialize};

/// Why a figure is not defined for the given rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// There is no row.
    #[error("there is no row")]
    Empty,
    /// Labels and predictions differ in number.
    #[error("there are {labels} labels and {predictions} predictions")]
    LengthMismatch {
        /// Number of labels.
        labels: usize,
        /// Number of predictions.
        predictions: usize,
    },
    /// A prediction or label is infinite or undefined, or a probability leaves [0, 1].
    #[error("the value in row {row} is out of range")]
    OutOfRange {
        /// The row, from 0.
        row: usize,
    },
    /// The figure compares two classes and only one is there.
    #[error("all rows belong to one class")]
    OneClass,
}

/// Number of equally wide bins of [`expected_calibration_error`] in reports.
pub const CALIBRATION_BINS: u16 = 10;

/// Logarithmic loss: the mean of −ln p(observed class), in nats.
///
/// Probabilities are clipped to [ε, 1 − ε] with ε = 2⁻⁵² (`f64::EPSILON`), as scikit-learn's
/// `log_loss` does for `float64`.
/// Source: Good, *Rational Decisions*, J. R. Stat. Soc. B 14 (1952).
pub fn log_loss(positive: &[bool], probability: &[f64]) -> Result<f64, MetricError> {
    check_probabilities(positive, probability)?;
    let total: f64 = positive
        .iter()
        .zip(probability)
        .map(|(&hit, &p)| {
            let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            if hit { -p.ln() } else { -(1.0 - p).ln() }
        })
        .sum();
    Ok(total / positive.len() as f64)
}

/// Area under the ROC curve: the probability that a positive row scores above a negative one, ties
/// counting one half; computed from midranks as U / (n₊ n₋).
///
/// Source: Hanley & `McNeil`, *The meaning and use of the area under a ROC curve*, Radiology 143 (1982).
pub fn roc_auc(positive: &[bool], score: &[f64]) -> Result<f64, MetricError> {
    check_lengths(positive.len(), score.len())?;
    check_finite(score)?;
    let mut ranked: Vec<(f64, bool)> = score.iter().copied().zip(positive.iter().copied()).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = positive.iter().filter(|&&hit| hit).count() as f64;
    let negatives = positive.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return Err(MetricError::OneClass);
    }
    // Twice the rank sum of the positives, so that midranks stay whole numbers.
    let mut doubled_rank_sum = 0.0;
    let mut before = 0.0;
    #[expect(clippy::float_cmp, reason = "only equal scores are tied")]
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let size = tied.len() as f64;
        let hits = tied.iter().filter(|(_, hit)| *hit).count() as f64;
        doubled_rank_sum += hits * (2.0 * before + size + 1.0);
        before += size;
    }
    let u = (doubled_rank_sum - positives * (positives + 1.0)) / 2.0;
    Ok(u / (positives * negatives))
}

/// Brier score: the mean of (p − y)², y ∈ {0, 1}.
///
/// Source: Brier, *Verification of forecasts expressed in terms of probability*, Monthly Weather Review 78 (1950),
/// in its usual one-class form.
pub fn brier_score(positive: &[bool], probability: &[f64]) -> Result<f64, MetricError> {
    check_probabilities(positive, probability)?;
    let total: f64 =
        positive.iter().zip(probability).map(|(&hit, &p)| (p - f64::from(u8::from(hit))).powi(2)).sum();
    Ok(total / positive.len() as f64)
}

/// Expected calibration error: the sum over bins of (rows in the bin / rows) · |mean p in the bin − share of
/// positives in it|, over B = `bins` equally wide bins; p lies in bin ⌊p · B⌋, and 1 in the last.
///
/// Source: Naeini, Cooper & Hauskrecht, *Obtaining well calibrated probabilities using Bayesian binning*, AAAI 2015,
/// for the probability of the positive class.
pub fn expected_calibration_error(
    positive: &[bool],
    probability: &[f64],
    bins: u16,
) -> Result<f64, MetricError> {
    check_probabilities(positive, probability)?;
    let bins = bins.max(1);
    let mut gap = vec![0.0_f64; usize::from(bins)];
    for (&hit, &p) in positive.iter().zip(probability) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "p lies in [0, 1]")]
        let bin = ((p * f64::from(bins)) as usize).min(usize::from(bins) - 1);
        if let Some(gap) = gap.get_mut(bin) {
            *gap += p - f64::from(u8::from(hit));
        }
    }
    Ok(gap.iter().map(|gap| gap.abs()).sum::<f64>() / positive.len() as f64)
}

/// Root of the mean squared error, in the label's unit.
pub fn root_mean_squared_error(actual: &[f64], predicted: &[f64]) -> Result<f64, MetricError> {
    check_regression(actual, predicted)?;
    let total: f64 = actual.iter().zip(predicted).map(|(y, p)| (y - p).powi(2)).sum();
    Ok((total / actual.len() as f64).sqrt())
}

/// Mean absolute error, in the label's unit.
pub fn mean_absolute_error(actual: &[f64], predicted: &[f64]) -> Result<f64, MetricError> {
    check_regression(actual, predicted)?;
    let total: f64 = actual.iter().zip(predicted).map(|(y, p)| (y - p).abs()).sum();
    Ok(total / actual.len() as f64)
}

/// Coefficient of determination: 1 − Σ(y − p)² / Σ(y − ȳ)², ȳ over the same rows; not defined for
/// constant labels ([`MetricError::OneClass`]).
pub fn r_squared(actual: &[f64], predicted: &[f64]) -> Result<f64, MetricError> {
    check_regression(actual, predicted)?;
    let mean = actual.iter().sum::<f64>() / actual.len() as f64;
    let spread: f64 = actual.iter().map(|y| (y - mean).powi(2)).sum();
    if spread == 0.0 {
        return Err(MetricError::OneClass);
    }
    let residual: f64 = actual.iter().zip(predicted).map(|(y, p)| (y - p).powi(2)).sum();
    Ok(1.0 - residual / spread)
}

/// The figures of one model over one part of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Metrics {
    /// For probabilities of a binary outcome.
    BinaryClassification {
        /// [`log_loss`].
        log_loss: f64,
        /// [`roc_auc`]; none if the rows hold one class only.
        auc: Option<f64>,
        /// [`brier_score`].
        brier: f64,
        /// [`expected_calibration_error`] over [`CALIBRATION_BINS`] bins.
        ece: f64,
        /// Share of positive rows.
        positive_rate: f64,
    },
    /// For a number.
    Regression {
        /// [`root_mean_squared_error`].
        rmse: f64,
        /// [`mean_absolute_error`].
        mae: f64,
        /// [`r_squared`]; none if the labels are constant.
        r2: Option<f64>,
    },
}

impl Metrics {
    /// The figures of `probability` for the outcomes `positive`.
    pub fn of_probabilities(positive: &[bool], probability: &[f64]) -> Result<Self, MetricError> {
        Ok(Self::BinaryClassification {
            log_loss: log_loss(positive, probability)?,
            auc: defined(roc_auc(positive, probability))?,
            brier: brier_score(positive, probability)?,
            ece: expected_calibration_error(positive, probability, CALIBRATION_BINS)?,
            positive_rate: positive.iter().filter(|&&hit| hit).count() as f64 / positive.len() as f64,
        })
    }

    /// The figures of `predicted` for the numbers `actual`.
    pub fn of_numbers(actual: &[f64], predicted: &[f64]) -> Result<Self, MetricError> {
        Ok(Self::Regression {
            rmse: root_mean_squared_error(actual, predicted)?,
            mae: mean_absolute_error(actual, predicted)?,
            r2: defined(r_squared(actual, predicted))?,
        })
    }

    /// The loss that candidates are chosen by: log loss, or the root of the mean squared error.
    pub fn loss(&self) -> f64 {
        match self {
            Self::BinaryClassification { log_loss, .. } => *log_loss,
            Self::Regression { rmse, .. } => *rmse,
        }
    }
}

fn defined(value: Result<f64, MetricError>) -> Result<Option<f64>, MetricError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(MetricError::OneClass) => Ok(None),
        Err(error) => Err(error),
    }
}

fn check_lengths(labels: usize, predictions: usize) -> Result<(), MetricError> {
    if labels != predictions {
        return Err(MetricError::LengthMismatch { labels, predictions });
    }
    if labels == 0 {
        return Err(MetricError::Empty);
    }
    Ok(())
}

fn check_finite(values: &[f64]) -> Result<(), MetricError> {
    values.iter().position(|v| !v.is_finite()).map_or(Ok(()), |row| Err(MetricError::OutOfRange { row }))
}

fn check_probabilities(positive: &[bool], probability: &[f64]) -> Result<(), MetricError> {
    check_lengths(positive.len(), probability.len())?;
    probability
        .iter()
        .position(|p| !(0.0..=1.0).contains(p))
        .map_or(Ok(()), |row| Err(MetricError::OutOfRange { row }))
}

fn check_regression(actual: &[f64], predicted: &[f64]) -> Result<(), MetricError> {
    check_lengths(actual.len(), predicted.len())?;
    check_finite(actual)?;
    check_finite(predicted)
}
