//! Experiments: named groups of runs.

use std::collections::BTreeMap;

pub use mainstay_core::experiment::{
    Experiment, ExperimentId, ExperimentName, MAX_EXPERIMENT_NAME, experiment_subject, uri_below,
};

/// An experiment with its tags: what readers hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentDetail {
    /// The experiment.
    pub experiment: Experiment,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}
