//! What is watched: additive totals of a day, and how far two sums of them lie apart.

use serde::{Deserialize, Serialize};

use crate::drift::{half_l1, psi_index};
use crate::profile::FeatureProfile;

/// How far the window lies from the reference. Both are sums of daily totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Population stability index. Totals: rows in each bin.
    Psi,
    /// Total variation distance. Totals: rows in each bin.
    TotalVariation,
    /// Absolute change of a rate. Totals: events, rows.
    RateChange,
    /// Increase of a mean as a share of the reference's mean. Totals: sum, rows.
    RelativeIncrease,
    /// Decrease of a mean as a share of the reference's mean. Totals: sum, rows.
    RelativeDecrease,
}

impl Statistic {
    /// Its value; `None` if either side has no rows, or a relative change has no mean to relate to.
    pub fn value(self, reference: &[f64], window: &[f64]) -> Option<f64> {
        match self {
            Self::Psi => Some(psi_index(shares(reference, window)?)),
            Self::TotalVariation => Some(half_l1(shares(reference, window)?)),
            Self::RateChange => Some((mean(window)? - mean(reference)?).abs()),
            Self::RelativeIncrease => relative(reference, window),
            Self::RelativeDecrease => Some(-relative(reference, window)?),
        }
    }

    /// Rows behind a sum of totals.
    pub fn rows(self, totals: &[f64]) -> f64 {
        match self {
            Self::Psi | Self::TotalVariation => totals.iter().sum(),
            Self::RateChange | Self::RelativeIncrease | Self::RelativeDecrease => {
                totals.get(1).copied().unwrap_or(0.0)
            }
        }
    }

    /// What the statistic is expected to be with rows that are independent and unchanged, where the
    /// customary threshold depends on it: `(B − 1)(1/n + 1/m)` for a PSI.
    pub fn expected(self, reference: &[f64], window: &[f64]) -> Option<f64> {
        let noise = 1.0 / self.rows(reference) + 1.0 / self.rows(window);
        (self == Self::Psi).then(|| (reference.len().saturating_sub(1)) as f64 * noise)
    }
}

fn shares<'a>(reference: &'a [f64], window: &'a [f64]) -> Option<impl Iterator<Item = (f64, f64)> + use<'a>> {
    let (n, m) = (reference.iter().sum::<f64>(), window.iter().sum::<f64>());
    (n > 0.0 && m > 0.0).then(|| reference.iter().zip(window).map(move |(r, w)| (r / n, w / m)))
}

fn mean(totals: &[f64]) -> Option<f64> {
    match totals {
        [sum, rows] if *rows > 0.0 => Some(sum / rows),
        _ => None,
    }
}

fn relative(reference: &[f64], window: &[f64]) -> Option<f64> {
    let before = mean(reference)?;
    (before != 0.0).then_some((mean(window)? - before) / before.abs())
}

/// What a series is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// The distribution of a feature.
    FeatureDrift,
    /// The rate of missing values of a feature.
    MissingRate,
    /// The distribution of the predictions.
    PredictionShift,
    /// A quality figure on matured labels.
    Performance,
}

/// One watched series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The feature, or the metric.
    pub name: String,
    /// What it is about.
    pub kind: SeriesKind,
    /// How it is measured.
    pub statistic: Statistic,
    /// The least effect that matters.
    pub floor: f64,
}

impl Series {
    /// A feature's distribution: PSI, floor 0.2.
    pub fn feature_drift(feature: &str) -> Self {
        Self::new(feature, SeriesKind::FeatureDrift, Statistic::Psi, 0.2)
    }

    /// The distribution of a feature that is a category: total variation, floor 0.15, the share of rows
    /// that must have moved. Its PSI would be ruled by the rarest categories.
    pub fn category_drift(feature: &str) -> Self {
        Self::new(feature, SeriesKind::FeatureDrift, Statistic::TotalVariation, 0.15)
    }

    /// A feature's missing rate: a change by five points of a hundred.
    pub fn missing_rate(feature: &str) -> Self {
        Self::new(feature, SeriesKind::MissingRate, Statistic::RateChange, 0.05)
    }

    /// The predictions' distribution: total variation, floor 0.15.
    pub fn prediction_shift() -> Self {
        Self::new("score", SeriesKind::PredictionShift, Statistic::TotalVariation, 0.15)
    }

    /// A mean loss that grows by 5 %.
    pub fn loss(metric: &str) -> Self {
        Self::new(metric, SeriesKind::Performance, Statistic::RelativeIncrease, 0.05)
    }

    /// An accuracy, or another mean score, that falls by 5 %.
    pub fn score(metric: &str) -> Self {
        Self::new(metric, SeriesKind::Performance, Statistic::RelativeDecrease, 0.05)
    }

    fn new(name: &str, kind: SeriesKind, statistic: Statistic, floor: f64) -> Self {
        Self { name: name.to_owned(), kind, statistic, floor }
    }

    /// The totals of one day's profile of the feature, or of the scores, that this series is about:
    /// bins for a distribution, missing and all rows for a rate.
    pub fn totals(&self, profile: &FeatureProfile) -> Vec<f64> {
        match self.statistic {
            Statistic::Psi | Statistic::TotalVariation => profile.bins.iter().map(|n| *n as f64).collect(),
            _ => vec![profile.missing as f64, profile.rows() as f64],
        }
    }
}
