//! The trained model as the trainer computes it, to prove the export against.

use std::ops::Range;

use perpetual::PerpetualBooster;

use crate::booster;
use crate::calibration::Platt;
use crate::dataset::Column;
use crate::encoding::{Encoded, Encoding};
use crate::error::TrainingError;
use crate::linear::LinearModel;

/// A trained model: `perpetual`'s own prediction, or the linear formula, in `f64`, then the calibration.
/// It shares no code with the exported graph beyond the encoding's tables.
#[derive(Clone)]
pub struct Predictor {
    pub(crate) encoding: Encoding,
    pub(crate) model: Model,
    pub(crate) calibration: Option<Platt>,
}

#[derive(Clone)]
pub(crate) enum Model {
    Linear(LinearModel),
    Trees(Box<PerpetualBooster>),
}

impl Model {
    pub(crate) fn margins(&self, encoded: &Encoded, rows: &Range<usize>) -> Vec<f64> {
        match self {
            Self::Linear(model) => model.margins(encoded, rows),
            Self::Trees(booster) => booster::margins(booster, encoded, rows),
        }
    }
}

impl Predictor {
    /// The probability of class 1, or the value, of each row. The columns must have the names, kinds
    /// and order of the training's features, and equal lengths.
    pub fn predict(&self, columns: &[Column]) -> Result<Vec<f64>, TrainingError> {
        let rows = columns.first().map_or(0, Column::rows);
        for column in columns {
            if column.rows() != rows {
                return Err(TrainingError::LengthMismatch {
                    feature: column.name.clone(),
                    expected: rows,
                    found: column.rows(),
                });
            }
            if let Some(row) = column.first_extreme() {
                return Err(TrainingError::ExtremeValue { feature: column.name.clone(), row });
            }
        }
        let encoded = self.encoding.encode(columns)?;
        let margins = self.model.margins(&encoded, &(0..rows));
        Ok(margins.into_iter().map(|m| self.calibration.map_or(m, |platt| platt.probability(m))).collect())
    }

    /// The values at which the model's routing of a feature changes, ascending; empty for a linear model.
    pub fn thresholds(&self, feature: usize) -> Vec<f64> {
        let Model::Trees(booster) = &self.model else {
            return Vec::new();
        };
        let nodes = booster.trees.iter().flat_map(|tree| tree.nodes.values());
        let mut thresholds: Vec<f64> = nodes
            .filter(|node| !node.is_leaf && node.split_feature == feature)
            .map(|node| node.split_value)
            .collect();
        thresholds.sort_by(f64::total_cmp);
        thresholds.dedup();
        thresholds
    }
}
