//! Gradient boosting by the `perpetual` crate, made repeatable.
//!
//! What the crate documentation does not say, found in its source (3.0.0-rc.2):
//!
//! - Without a memory limit the number of nodes that a tree may have follows from the memory that is
//!   free when training starts, and histograms for all of them are written at once (gigabytes).
//!   A fixed limit makes it a function of the data; [`memory_was_short`] finds the one case left.
//! - `auto_class_weights` is on by default, which shifts the margins of unbalanced labels; it is off here.
//! - With small numeric regression tasks it adds a linear head to the trees; it is removed here,
//!   so that the trees are the model.
//! - A wall-clock limit exists and is never used.

use std::mem::size_of;
use std::ops::Range;

use perpetual::bin::Bin;
use perpetual::booster::config::BoosterConfig;
use perpetual::constants::{FREE_MEM_ALLOC_FACTOR, ITER_LIMIT, N_NODES_ALLOC_MAX, N_NODES_ALLOC_MIN};
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
            memory_limit: Some(memory_limit(params)),
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
    if memory_was_short(&booster, &matrix, params)? {
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

/// The limit in perpetual's unit, 10⁹ bytes.
fn memory_limit(params: &Params) -> f32 {
    f32::from(params.histogram_memory_mb) / 1000.0
}

/// Whether a tree was cut because the machine had less free memory than the limit.
///
/// Perpetual stops a tree at a number of nodes that it computes from the smaller of the limit and
/// the free memory. This repeats its arithmetic with the limit alone; a tree that stopped earlier saw less.
fn memory_was_short(
    booster: &PerpetualBooster,
    matrix: &Matrix<f64>,
    params: &Params,
) -> Result<bool, TrainingError> {
    let Some(cut_at) = booster
        .trees
        .iter()
        .filter(|tree| tree.stopper == TreeStopper::MaxNodes)
        .map(|tree| tree.nodes.len())
        .min()
    else {
        return Ok(false);
    };
    let bins: usize = perpetual::binning::bin_matrix(matrix, None, params.max_bins, f64::NAN, None)
        .map_err(|error| TrainingError::Booster(Box::new(error)))?
        .nunique
        .iter()
        .sum();
    let has_hessian = matches!(booster.cfg.objective, Objective::LogLoss);
    let bytes_per_row = matrix.cols * 2 + 16 + if has_hessian { 4 } else { 0 };
    let base_bytes = (matrix.rows * bytes_per_row) as f32;
    let histogram_bytes = (size_of::<Bin>() * bins) as f32
        + if matrix.cols > 1 {
            size_of::<NodeHistogram<'_>>() as f32
                + size_of::<FeatureHistogram<'_>>() as f32 * matrix.cols as f32
        } else {
            0.0
        };
    let trees = params.max_trees.unwrap_or(ITER_LIMIT).min(ITER_LIMIT) as f32;
    let ensemble_bytes = trees * 256.0 * (size_of::<Node>() as f32 * 1.3);
    let usable = (memory_limit(params) * 1e9 * 0.9 - base_bytes - ensemble_bytes).max(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as perpetual computes it")]
    let nodes = ((FREE_MEM_ALLOC_FACTOR * (usable / histogram_bytes)) as usize)
        .max(3)
        .min((matrix.rows * 2).max(N_NODES_ALLOC_MIN))
        .min(N_NODES_ALLOC_MAX);
    Ok(cut_at + 2 <= nodes)
}
