//! Gradient boosting by the `perpetual` crate, made repeatable.
//!
//! What its documentation does not say, found in its source (3.0.0-rc.2):
//!
//! - The number of nodes that a tree may have follows from the memory that is free when training starts, and
//!   histograms for all of them are written at once (gigabytes, even for few rows). A memory limit makes it
//!   a function of the data: [`memory_limit`] computes the limit that yields the wanted number.
//! - Trees grow by the best gain first, so that number also decides how much they adapt to the rows.
//! - `auto_class_weights` is on by default, which shifts the margins of unbalanced labels; it is off here.
//! - With small numeric regression tasks it adds a linear head to the trees; it is removed here,
//!   so that the trees are the model.
//! - A wall-clock limit exists and is never used.

use std::mem::size_of;
use std::ops::Range;

use perpetual::bin::Bin;
use perpetual::binning::bin_matrix;
use perpetual::booster::config::BoosterConfig;
use perpetual::constants::{FREE_MEM_ALLOC_FACTOR, ITER_LIMIT, N_NODES_ALLOC_MIN};
use perpetual::histogram::{FeatureHistogram, NodeHistogram};
use perpetual::node::Node;
use perpetual::objective::Objective;
use perpetual::tree::core::TreeStopper;
use perpetual::{Matrix, PerpetualBooster};

use crate::dataset::Task;
use crate::encoding::Encoded;
use crate::error::TrainingError;
use crate::train::Params;

/// The version of the `perpetual` crate, for the record; a test compares it with the workspace manifest.
pub const PERPETUAL_VERSION: &str = "3.0.0-rc.2";

/// Trains on the rows `train` of the encoded features; `target` holds their labels.
pub(crate) fn fit(
    encoded: &Encoded,
    train: &Range<usize>,
    target: &[f64],
    task: Task,
    budget: f32,
    params: &Params,
) -> Result<PerpetualBooster, TrainingError> {
    let values = column_major(encoded, train);
    let matrix = Matrix::new(&values, train.len(), encoded.len());
    let mut booster = PerpetualBooster {
        cfg: BoosterConfig {
            objective: match task {
                Task::BinaryClassification => Objective::LogLoss,
                Task::Regression => Objective::SquaredLoss,
            },
            budget,
            max_bin: params.max_bins,
            num_threads: Some(params.threads),
            iteration_limit: params.max_trees,
            memory_limit: Some(memory_limit(&matrix, params)?),
            seed: params.seed,
            auto_class_weights: false,
            create_missing_branch: false,
            allow_missing_splits: true,
            ..BoosterConfig::default()
        },
        ..PerpetualBooster::default()
    };
    booster.fit(&matrix, target, None, None).map_err(|error| TrainingError::Booster(Box::new(error)))?;
    booster.regression_head = None;
    if memory_was_short(&booster, train.len(), params) {
        return Err(TrainingError::ShortOfMemory);
    }
    Ok(booster)
}

/// The margins of the rows by perpetual's own prediction: log-odds for classification, the value for regression.
pub(crate) fn margins(booster: &PerpetualBooster, encoded: &Encoded, rows: &Range<usize>) -> Vec<f64> {
    let values = column_major(encoded, rows);
    booster.predict(&Matrix::new(&values, rows.len(), encoded.len()), false)
}

fn column_major(encoded: &Encoded, rows: &Range<usize>) -> Vec<f64> {
    encoded
        .iter()
        .flat_map(|column| column.get(rows.clone()).unwrap_or_default())
        .map(|&v| f64::from(v))
        .collect()
}

/// The memory limit, in perpetual's unit of 10⁹ bytes, under which a tree has at most `max_tree_nodes` nodes.
///
/// Perpetual takes 9/10 of the limit, subtracts what it reckons for the rows and for the finished trees, and
/// divides 7/10 of the rest by the size of a node's histograms. This is the inverse, half a node higher so
/// that rounding does not matter.
fn memory_limit(matrix: &Matrix<f64>, params: &Params) -> Result<f32, TrainingError> {
    let bins: usize = bin_matrix(matrix, None, params.max_bins, f64::NAN, None)
        .map_err(|error| TrainingError::Booster(Box::new(error)))?
        .nunique
        .iter()
        .sum();
    let feature_bytes = match matrix.cols {
        0 | 1 => 0,
        features => size_of::<NodeHistogram<'_>>() + size_of::<FeatureHistogram<'_>>() * features,
    };
    let histogram_bytes = (size_of::<Bin>() * bins + feature_bytes) as f64;
    let hessian_bytes = match params.task {
        Task::BinaryClassification => 4,
        Task::Regression => 0,
    };
    let row_bytes = (matrix.rows * (matrix.cols * 2 + 16 + hessian_bytes)) as f64;
    let trees = params.max_trees.unwrap_or(ITER_LIMIT).min(ITER_LIMIT) as f64;
    let tree_bytes = trees * 256.0 * size_of::<Node>() as f64 * 1.3;
    let nodes = f64::from(params.max_tree_nodes) + 0.5;
    let usable = nodes * histogram_bytes / f64::from(FREE_MEM_ALLOC_FACTOR);
    #[expect(clippy::cast_possible_truncation, reason = "perpetual's unit is f32")]
    let limit = ((usable + row_bytes + tree_bytes) / 0.9 / 1e9) as f32;
    Ok(limit)
}

/// Whether a tree was cut before it had `max_tree_nodes` nodes, because the machine had less free memory than
/// the limit: another machine would give another model.
fn memory_was_short(booster: &PerpetualBooster, rows: usize, params: &Params) -> bool {
    let allowed = usize::from(params.max_tree_nodes).min((rows * 2).max(N_NODES_ALLOC_MIN));
    let mut cut = booster.trees.iter().filter(|tree| tree.stopper == TreeStopper::MaxNodes);
    cut.any(|tree| tree.nodes.len() + 2 <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels that no small tree explains, so that trees grow until they are cut.
    fn noise(rows: u32, features: u32) -> (Encoded, Vec<f64>) {
        let scrambled = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32;
        let columns = (0..features).map(|f| (0..rows).map(|row| scrambled(row * 64 + f)).collect()).collect();
        (columns, (0..rows).map(|row| f64::from(u8::from(row % 7 < 3 || row % 400 < 150))).collect())
    }

    fn largest_tree(task: Task, max_tree_nodes: u16, features: u32) -> (PerpetualBooster, usize) {
        let (mut encoded, target) = noise(3000, features);
        encoded.push((0..3000_u16).map(f32::from).collect());
        let params = Params { max_tree_nodes, max_trees: Some(20), ..Params::new(task, 1, 1) };
        let booster = fit(&encoded, &(0..3000), &target, task, 1.0, &params).unwrap();
        let nodes = booster.trees.iter().map(|tree| tree.nodes.len()).max().unwrap();
        (booster, nodes)
    }

    #[test]
    fn a_tree_has_exactly_the_nodes_that_are_allowed() {
        for task in [Task::BinaryClassification, Task::Regression] {
            for (max_tree_nodes, features) in [(3, 0), (9, 3), (31, 8), (31, 40)] {
                let (booster, nodes) = largest_tree(task, max_tree_nodes, features);
                assert_eq!(nodes, usize::from(max_tree_nodes), "{task:?}, {features} features");
                assert!(booster.trees.iter().any(|tree| tree.stopper == TreeStopper::MaxNodes));
            }
        }
    }

    #[test]
    fn a_tree_that_was_cut_too_early_is_noticed() {
        let task = Task::BinaryClassification;
        let (booster, nodes) = largest_tree(task, 31, 8);
        let with = |max_tree_nodes| Params { max_tree_nodes, ..Params::new(task, 1, 1) };
        assert_eq!(nodes, 31);
        assert!(!memory_was_short(&booster, 3000, &with(31)));
        assert!(!memory_was_short(&booster, 3000, &with(32)), "a split needs room for two nodes");
        assert!(memory_was_short(&booster, 3000, &with(33)));
    }
}
