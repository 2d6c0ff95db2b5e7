//! Why evaluation refuses. Sentences that clients read begin as `MLflow`'s do.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::experiment::ExperimentError;
use mainstay_core::page::InvalidPageToken;
use mainstay_core::text::TextError;
use thiserror::Error;

use mainstay_core::experiment::ExperimentId;
use mainstay_core::search::SearchError;

/// Why a command or query of evaluation was refused.
#[derive(Debug, Error)]
pub enum EvaluationError {
    /// There is no such dataset.
    #[error("Evaluation dataset with id '{0}' not found")]
    NoDataset(String),
    /// There is no such dataset to tag.
    #[error("Could not find evaluation dataset with ID {0}")]
    NoDatasetToTag(String),
    /// There is no such dataset to link with experiments.
    #[error("Dataset '{0}' not found")]
    NoDatasetToLink(String),
    /// There is no such experiment.
    #[error("No Experiment with id={0}")]
    NoExperiment(ExperimentId),
    /// The text is not a kind of source.
    #[error(
        "Invalid dataset record source type: {0}. \
         Valid source types: ['UNSPECIFIED', 'TRACE', 'HUMAN', 'DOCUMENT', 'CODE']"
    )]
    SourceType(String),
    /// A list has more items than its limit.
    #[error("one call takes at most {limit} {what}, and this one has {got}; split it")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most items allowed.
        limit: usize,
        /// How many there are.
        got: usize,
    },
    /// A record says more than its limit.
    #[error(
        "a record of an evaluation dataset holds at most {limit} bytes of JSON; keep what is larger as an artifact"
    )]
    LongRecord {
        /// The most bytes allowed.
        limit: usize,
    },
    /// There is no such column to search by.
    #[error("Invalid identifier token '{0}' specified; use an attribute, or tags.<key>")]
    Identifier(String),
    /// A list is compared otherwise than by `IN`, or with another column than the name.
    #[error("List values for 'name' are only supported with the IN comparator.")]
    ListComparator,
    /// An instant is compared with something else than whole milliseconds.
    #[error("Invalid value for numeric attribute '{key}': '{value}'")]
    NotInteger {
        /// The column.
        key: String,
        /// What it is compared with.
        value: f64,
    },
    /// It is about an experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A text is not one.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A search text or page token cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<InvalidPageToken> for EvaluationError {
    fn from(token: InvalidPageToken) -> Self {
        SearchError::from(token).into()
    }
}

impl Coded for EvaluationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoDataset(_)
            | Self::NoDatasetToTag(_)
            | Self::NoDatasetToLink(_)
            | Self::NoExperiment(_) => ErrorCode::NotFound,
            Self::SourceType(_) | Self::TooMany { .. } | Self::LongRecord { .. } => {
                ErrorCode::InvalidArgument
            }
            Self::Identifier(_) | Self::ListComparator | Self::NotInteger { .. } => ErrorCode::InvalidFilter,
            Self::Experiment(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::Search(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}
