//! What can go wrong in training, each case with a sentence that says what to do.

use mainstay_core::error::{Cause, Coded, ErrorCode};
use mainstay_monitoring::performance::PerformanceError;

/// Why a model could not be trained, exported or asked.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// There is no feature at all.
    #[error("the data set has no feature; name at least one feature column")]
    NoFeatures,
    /// More features than the limit.
    #[error("the data set has {found} features, the limit is {limit}; leave some out")]
    TooManyFeatures {
        /// Features in the data set.
        found: usize,
        /// The most that are accepted.
        limit: usize,
    },
    /// A column is shorter or longer than the label.
    #[error("feature `{feature}` has {found} rows, the label has {expected}; give both one value a row")]
    LengthMismatch {
        /// The feature's name.
        feature: String,
        /// Rows of the label.
        expected: usize,
        /// Rows of the feature.
        found: usize,
    },
    /// A feature's name cannot be an input of the exported model.
    #[error("feature name {name:?} cannot be used: {rule}")]
    InvalidName {
        /// The name.
        name: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A numeric value is infinite, or so large that sums of such values would be.
    #[error("feature `{feature}` is infinite or beyond ±1e37 in row {row}; write a missing value instead")]
    ExtremeValue {
        /// The feature's name.
        feature: String,
        /// The row, from 0.
        row: usize,
    },
    /// A label is not what the task needs.
    #[error("the label in row {row} is {value}; {rule}")]
    InvalidLabel {
        /// The row, from 0.
        row: usize,
        /// The label.
        value: f32,
        /// What the task needs.
        rule: &'static str,
    },
    /// All labels of a part are equal.
    #[error(
        "all labels of the {part} rows are equal, so nothing can be learned; choose rows that hold both outcomes"
    )]
    ConstantLabel {
        /// `training` or `validation`.
        part: &'static str,
    },
    /// The row ranges do not fit.
    #[error("the split cannot be used: {rule}")]
    InvalidSplit {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A parameter is out of its range.
    #[error("parameter `{name}` cannot be used: {rule}")]
    InvalidParameter {
        /// The parameter.
        name: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The columns handed to a predictor are not those of the training.
    #[error("the columns do not fit the model: expected {expected}, found {found}")]
    FeatureMismatch {
        /// What the model was trained on.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The machine had less free memory than the histograms need, which changes the trees.
    #[error(
        "the machine has too little free memory for the trees that were asked for, so another machine would give \
         another model; free some memory, or lower `max_tree_nodes` or `max_bins`"
    )]
    ShortOfMemory,
    /// The booster failed.
    #[error("the gradient booster failed; see the log")]
    Booster(#[source] Cause),
    /// The booster made a tree of a shape that the export does not know.
    #[error("the gradient booster made a tree that cannot be exported: {0}")]
    UnknownTree(&'static str),
    /// The linear model would need more weights than the limit.
    #[error(
        "the linear model would have {found} weights, the limit is {limit}; lower `max_categories` or leave features out"
    )]
    TooManyWeights {
        /// Weights of the design.
        found: usize,
        /// The most that are accepted.
        limit: usize,
    },
    /// The linear model's equations have no finite solution.
    #[error("the linear model did not converge; raise its `l2` or look for features with extreme values")]
    NotConverged,
    /// A candidate predicts infinite or undefined values.
    #[error(
        "candidate {candidate} predicts values that are not finite; look for features with extreme values"
    )]
    NotFinite {
        /// The candidate's position in the parameters, from 0.
        candidate: usize,
    },
    /// The exported model is larger than allowed.
    #[error(
        "the exported model takes {bytes} bytes, the limit is {limit}; lower `max_nodes`, `budget` or `max_categories`"
    )]
    ModelTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A metric could not be computed.
    #[error("a metric cannot be computed: {0}")]
    Metric(#[from] PerformanceError),
}

impl Coded for TrainingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoFeatures
            | Self::LengthMismatch { .. }
            | Self::ExtremeValue { .. }
            | Self::InvalidLabel { .. }
            | Self::ConstantLabel { .. }
            | Self::NotConverged
            | Self::NotFinite { .. }
            | Self::Metric(_) => ErrorCode::InvalidData,
            Self::InvalidName { .. } => ErrorCode::InvalidName,
            Self::TooManyFeatures { .. } | Self::TooManyWeights { .. } | Self::ModelTooLarge { .. } => {
                ErrorCode::TooLarge
            }
            Self::InvalidSplit { .. } | Self::InvalidParameter { .. } => ErrorCode::InvalidArgument,
            Self::FeatureMismatch { .. } => ErrorCode::SignatureMismatch,
            Self::ShortOfMemory => ErrorCode::Unavailable,
            Self::Booster(_) | Self::UnknownTree(_) => ErrorCode::Internal,
        }
    }
}
