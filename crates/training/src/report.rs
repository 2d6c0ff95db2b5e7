//! The record of a training run: with the data, all that is needed to repeat it.

use serde::{Deserialize, Serialize};

use crate::booster::PERPETUAL_VERSION;
use crate::calibration::Platt;
use crate::dataset::Split;
use crate::encoding::Encoding;
use crate::metrics::Metrics;
use crate::train::{Candidate, Params};

/// What a run did and found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// The code that ran.
    pub versions: Versions,
    /// Its parameters: task, seed, threads, candidates with their budgets, limits.
    pub params: Params,
    /// Which rows were for what.
    pub split: Split,
    /// How many rows were for what.
    pub rows: Rows,
    /// The features with their kinds and category tables.
    pub encoding: Encoding,
    /// The trivial model, to be shown beside every other.
    pub baseline: Baseline,
    /// The models that were tried, in the order of the parameters.
    pub candidates: Vec<CandidateReport>,
    /// The position of the exported one.
    pub selected: usize,
    /// What each feature contributes to the exported model, in the features' order.
    pub importance: Vec<FeatureImportance>,
    /// The exported file.
    pub exported: Exported,
}

impl TrainingReport {
    /// The report of the exported model.
    pub fn selected(&self) -> Option<&CandidateReport> {
        self.candidates.get(self.selected)
    }
}

/// Versions of the code that decides the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// This crate.
    pub mainstay_training: String,
    /// The booster.
    pub perpetual: String,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            mainstay_training: env!("CARGO_PKG_VERSION").to_owned(),
            perpetual: PERPETUAL_VERSION.to_owned(),
        }
    }
}

/// Number of rows of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Rows that the candidates learned from.
    pub train: usize,
    /// Rows that calibrated and compared them.
    pub validation: usize,
    /// Rows that nothing was fitted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<usize>,
}

/// The trivial model: one prediction for all rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The training rows' mean label: the class prior, or the mean.
    pub prediction: f64,
    /// Its figures on the validation rows.
    pub validation: Metrics,
    /// Its figures on the test rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Metrics>,
}

/// One model that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CandidateReport {
    /// What it is.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// Its size, if it is made of trees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trees: Option<Trees>,
    /// Its calibration, for classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Platt>,
    /// Its figures on the validation rows, to which the calibration's two numbers were fitted.
    pub validation: Metrics,
    /// Its figures on the test rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Metrics>,
}

/// The size of a boosted model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trees {
    /// Trees when the booster stopped.
    pub trained: usize,
    /// Trees that fit into `max_nodes`.
    pub kept: usize,
    /// Nodes of the trees that were kept.
    pub nodes: usize,
}

/// What a feature contributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureImportance {
    /// The feature.
    pub feature: String,
    /// How much.
    #[serde(flatten)]
    pub importance: Importance,
}

/// A measure of what a feature contributes; comparable among the features of one model only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "measure", rename_all = "snake_case")]
pub enum Importance {
    /// Of trees: the training loss that its splits took away, as the booster counts it, and their number.
    Splits {
        /// Sum of the splits' gains.
        gain: f64,
        /// Number of splits.
        splits: u64,
    },
    /// Of a linear model: the standard deviation of its term over the training rows, in units of the margin.
    Spread {
        /// The standard deviation (division by n).
        standard_deviation: f64,
    },
}

/// The exported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Its size in bytes.
    pub bytes: usize,
    /// Version of the `ai.onnx` operators.
    pub opset: i64,
    /// Version of the `ai.onnx.ml` operators.
    pub ml_opset: i64,
}
