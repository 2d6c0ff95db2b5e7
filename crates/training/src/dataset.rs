//! What the trainer is given: columns, a label, and which rows are for what.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::TrainingError;

/// The most features that are accepted.
pub const MAX_FEATURES: usize = 1024;

/// The longest feature name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// The largest absolute value of a numeric feature: the graph's `f32` arithmetic cannot overflow on such values' differences.
pub const MAX_MAGNITUDE: f32 = 1e37;

/// Names that the exported graph needs for itself begin so.
pub(crate) const RESERVED_PREFIX: &str = "mainstay.";

/// Names of the exported graph's outputs.
pub(crate) const OUTPUT_NAMES: [&str; 3] = ["label", "probabilities", "variable"];

/// What is to be predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The probability that the label is 1; labels are 0 or 1.
    BinaryClassification,
    /// The label, a finite number.
    Regression,
}

/// One feature: a value for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name: also that of the exported model's input.
    pub name: String,
    /// The values.
    pub values: Values,
}

/// The values of a feature, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers up to ±[`MAX_MAGNITUDE`]; NaN is a missing value.
    Numeric(Vec<f32>),
    /// Categories; `None` is a missing value, and so is the empty string, because a string tensor
    /// has no other way to say so.
    Categorical(Vec<Option<String>>),
}

impl Column {
    /// A numeric feature.
    pub fn numeric(name: impl Into<String>, values: Vec<f32>) -> Self {
        Self { name: name.into(), values: Values::Numeric(values) }
    }

    /// A categorical feature.
    pub fn categorical(name: impl Into<String>, values: Vec<Option<String>>) -> Self {
        Self { name: name.into(), values: Values::Categorical(values) }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Numeric(values) => values.len(),
            Values::Categorical(values) => values.len(),
        }
    }

    pub(crate) fn first_extreme(&self) -> Option<usize> {
        match &self.values {
            Values::Numeric(values) => values.iter().position(|v| v.abs() > MAX_MAGNITUDE),
            Values::Categorical(_) => None,
        }
    }
}

/// Features and label of the same rows, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The features; their order is that of the exported model's inputs.
    pub features: Vec<Column>,
    /// The label of each row; 0 or 1 for [`Task::BinaryClassification`].
    pub label: Vec<f32>,
}

/// Which rows are for what. Rows are never shuffled: with rows in the order of time, the ranges are
/// periods, and each part lies wholly after the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Rows that the candidates learn from.
    pub train: Range<usize>,
    /// Rows that calibrate the candidates and choose among them.
    pub validation: Range<usize>,
    /// Rows that nothing is fitted to, for unbiased figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Range<usize>>,
}

impl Dataset {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.label.len()
    }

    /// Checks names, lengths, finiteness, labels and the split.
    pub(crate) fn validate(&self, task: Task, split: &Split) -> Result<(), TrainingError> {
        check_names(&self.features)?;
        for feature in &self.features {
            if feature.rows() != self.rows() {
                return Err(TrainingError::LengthMismatch {
                    feature: feature.name.clone(),
                    expected: self.rows(),
                    found: feature.rows(),
                });
            }
            if let Some(row) = feature.first_extreme() {
                return Err(TrainingError::ExtremeValue { feature: feature.name.clone(), row });
            }
        }
        check_split(split, self.rows())?;
        check_labels(&self.label, task)?;
        for (part, range) in [("training", &split.train), ("validation", &split.validation)] {
            let mut labels = self.label.get(range.clone()).unwrap_or_default().iter();
            let first = labels.next();
            if labels.all(|label| Some(label) == first) {
                return Err(TrainingError::ConstantLabel { part });
            }
        }
        Ok(())
    }

    /// The labels of a range as outcomes.
    pub(crate) fn outcomes(&self, rows: &Range<usize>) -> Vec<bool> {
        self.label.get(rows.clone()).unwrap_or_default().iter().map(|&label| label > 0.5).collect()
    }

    /// The labels of a range as numbers.
    pub(crate) fn targets(&self, rows: &Range<usize>) -> Vec<f64> {
        self.label.get(rows.clone()).unwrap_or_default().iter().map(|&label| f64::from(label)).collect()
    }
}

fn check_names(features: &[Column]) -> Result<(), TrainingError> {
    if features.is_empty() {
        return Err(TrainingError::NoFeatures);
    }
    if features.len() > MAX_FEATURES {
        return Err(TrainingError::TooManyFeatures { found: features.len(), limit: MAX_FEATURES });
    }
    let mut seen = HashSet::new();
    for Column { name, .. } in features {
        let rule = if name.is_empty() {
            "it is empty"
        } else if name.len() > MAX_NAME_BYTES {
            "it is longer than 256 bytes"
        } else if name.chars().any(char::is_control) {
            "it holds a control character"
        } else if name.starts_with(RESERVED_PREFIX) {
            "names that begin with `mainstay.` are reserved"
        } else if OUTPUT_NAMES.contains(&name.as_str()) {
            "`label`, `probabilities` and `variable` are the model's outputs"
        } else if !seen.insert(name.as_str()) {
            "another feature has it"
        } else {
            continue;
        };
        return Err(TrainingError::InvalidName { name: name.chars().take(MAX_NAME_BYTES).collect(), rule });
    }
    Ok(())
}

fn check_split(split: &Split, rows: usize) -> Result<(), TrainingError> {
    let mut end = 0;
    for part in [Some(&split.train), Some(&split.validation), split.test.as_ref()].into_iter().flatten() {
        let rule = if part.is_empty() {
            "each part needs at least one row"
        } else if part.start < end {
            "training, validation and test rows must follow each other"
        } else if part.end > rows {
            "it ends after the last row"
        } else {
            end = part.end;
            continue;
        };
        return Err(TrainingError::InvalidSplit { rule });
    }
    Ok(())
}

fn check_labels(label: &[f32], task: Task) -> Result<(), TrainingError> {
    let (valid, rule): (fn(f32) -> bool, _) = match task {
        Task::BinaryClassification => (|v| [0.0, 1.0].contains(&v), "a binary label is 0 or 1"),
        Task::Regression => (f32::is_finite, "a label is a finite number"),
    };
    match label.iter().copied().enumerate().find(|&(_, value)| !valid(value)) {
        Some((row, value)) => Err(TrainingError::InvalidLabel { row, value, rule }),
        None => Ok(()),
    }
}
