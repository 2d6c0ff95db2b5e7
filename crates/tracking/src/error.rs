//! Why tracking refuses. The sentences for things that do not exist, and for changed parameters, begin
//! as those of `MLflow`'s own store do, since its clients and their tests read them.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::experiment::ExperimentError;
use mainstay_core::id::RunId;
use mainstay_core::lifecycle::WrongLifecycle;
use mainstay_core::text::TextError;
use thiserror::Error;

use crate::logged_model::LoggedModelId;
use crate::search::SearchError;

/// Why a command or query of tracking was refused.
#[derive(Debug, Error)]
pub enum TrackingError {
    /// The text is not the id of a logged model.
    #[error("'{0}' is not a logged model id: it is 'm-' and 32 hexadecimal characters")]
    InvalidLoggedModelId(String),
    /// The text is not a run status.
    #[error("'{0}' is not a run status: use RUNNING, SCHEDULED, FINISHED, FAILED or KILLED")]
    InvalidStatus(String),
    /// A list has more items than its limit.
    #[error(
        "A batch logging request can contain at most {limit} {what}. Got {got} {what}. \
         Please split up {what} across multiple requests and try again."
    )]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most items allowed.
        limit: usize,
        /// How many there are.
        got: usize,
    },
    /// A timestamp is negative.
    #[error(
        "Invalid value {timestamp_ms} for parameter 'timestamp' supplied: metric '{key}' (value={value}). \
         Timestamp must be a nonnegative long (64-bit integer) "
    )]
    NegativeTimestamp {
        /// The metric.
        key: String,
        /// What was measured.
        value: f64,
        /// When.
        timestamp_ms: i64,
    },
    /// A parameter stands twice in one batch.
    #[error(
        "Duplicate parameter keys have been submitted: ['{0}']. Please ensure the request contains only one param \
         value per param key."
    )]
    DuplicateParam(String),
    /// A parameter has another value already.
    #[error(
        "Changing param values is not allowed. Param with key='{key}' was already logged with value='{old}' \
         for run ID='{run}'. Attempted logging new value '{new}'."
    )]
    ParamChanged {
        /// The run.
        run: RunId,
        /// The key.
        key: String,
        /// What it is.
        old: String,
        /// What it should have become.
        new: String,
    },
    /// Run name and run-name tag differ.
    #[error(
        "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
         (run_name='{name}', mlflow.runName='{tag}')."
    )]
    TwoNames {
        /// The argument.
        name: String,
        /// The tag.
        tag: String,
    },
    /// The experiment's name is taken, perhaps by a deleted one.
    #[error(
        "Experiment(name={name}) already exists{}",
        state_of_other(*.deleted)
    )]
    ExperimentExists {
        /// The name.
        name: String,
        /// Whether the other one is deleted.
        deleted: bool,
    },
    /// Other things lie at the place that was named for an experiment.
    #[error(
        "Invalid value '{0}' for parameter 'artifact_location': it lies among the artifacts of another experiment, \
         around them, or where other files lie; name another place"
    )]
    PlaceTaken(String),
    /// There is no such run.
    #[error("Run with id={0} not found")]
    NoRun(RunId),
    /// There is no such tag.
    #[error("No tag with key '{key}' found for model with ID '{model}'.")]
    NoModelTag {
        /// The key.
        key: String,
        /// The logged model.
        model: LoggedModelId,
    },
    /// There is no such tag.
    #[error("No tag with name: {key} in {of}")]
    NoTag {
        /// The key.
        key: String,
        /// Of what.
        of: String,
    },
    /// There is no such logged model.
    #[error("Logged model with ID '{0}' not found.")]
    NoLoggedModel(LoggedModelId),
    /// It is about an experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The thing is not in the lifecycle stage that this needs.
    #[error(transparent)]
    Lifecycle(#[from] WrongLifecycle),
    /// A key or value is not one.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A search text or page token cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

const fn state_of_other(deleted: bool) -> &'static str {
    if deleted { " in deleted state. Restore it, or choose another name." } else { "." }
}

impl Coded for TrackingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidLoggedModelId(_)
            | Self::InvalidStatus(_)
            | Self::TooMany { .. }
            | Self::NegativeTimestamp { .. }
            | Self::DuplicateParam(_)
            | Self::ParamChanged { .. }
            | Self::PlaceTaken(_)
            | Self::TwoNames { .. } => ErrorCode::InvalidArgument,
            Self::NoRun(_) | Self::NoTag { .. } | Self::NoModelTag { .. } | Self::NoLoggedModel(_) => {
                ErrorCode::NotFound
            }
            Self::ExperimentExists { .. } => ErrorCode::AlreadyExists,
            Self::Experiment(error) => error.code(),
            Self::Lifecycle(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::Search(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }

    fn position(&self) -> Option<usize> {
        match self {
            Self::Search(error) => error.position(),
            _ => None,
        }
    }
}
