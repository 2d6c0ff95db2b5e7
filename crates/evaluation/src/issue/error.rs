//! Why an issue is refused. Sentences that clients read begin as `MLflow`'s do.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::experiment::ExperimentError;
use mainstay_core::id::RunId;
use mainstay_core::page::InvalidPageToken;
use mainstay_core::text::{TextError, clip};
use thiserror::Error;

use mainstay_core::search::SearchError;

/// Why a command or a search on issues was refused.
#[derive(Debug, Error)]
pub enum IssueError {
    /// There is no such issue.
    #[error("Issue with ID '{0}' not found")]
    NoIssue(String),
    /// Somebody chose an id that is taken.
    #[error("Issue ID already exists")]
    Exists,
    /// An id that no issue may have.
    #[error("issue_id must be iss-* and at most 36 characters")]
    Id,
    /// A name that is empty or too long.
    #[error("Issue name must contain 1 to 250 characters")]
    Name,
    /// Not one of the choices.
    #[error("Invalid issue {field}: '{value}'")]
    NoSuch {
        /// The field.
        field: &'static str,
        /// What was said, clipped.
        value: String,
    },
    /// An instant before the epoch.
    #[error("last_seen_timestamp must be nonnegative milliseconds")]
    LastSeen,
    /// Somebody's name is too long.
    #[error("Invalid {0}")]
    Person(&'static str),
    /// A list of short texts is too long, or one of its texts is.
    #[error("{0} must contain at most 100 nonempty strings of at most 250 characters")]
    Texts(&'static str),
    /// Too much metadata.
    #[error(
        "metadata must be a string map with at most 100 entries: keys of 1 to 250 characters, values of at most \
         65536 characters, and of 131072 together"
    )]
    Metadata,
    /// A key is set and deleted at once.
    #[error("Cannot update and delete the same key")]
    SetAndDeleted,
    /// The run is of another experiment.
    #[error("Source run must belong to the Issue experiment")]
    ForeignRun,
    /// No order.
    #[error("Invalid issue order_by: '{0}'")]
    OrderBy(String),
    /// Not a column of the filter.
    #[error("Invalid filter field '{0}'. Supported fields: {{'status', 'source_run_id'}}")]
    FilterField(String),
    /// The name that is looked for is too long.
    #[error("name must be a string of at most 250 characters")]
    NameSought,
    /// A list of what is looked for is too long.
    #[error("{0} must be a list of at most 100 strings")]
    Sought(&'static str),
    /// There is no such run.
    #[error("Run with id={0} not found")]
    NoRun(RunId),
    /// It is about the experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A text is not one.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The filter cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The page token is not one of ours.
    #[error(transparent)]
    PageToken(#[from] InvalidPageToken),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl IssueError {
    /// Not one of the choices.
    pub(super) fn no_such(field: &'static str, value: &str) -> Self {
        Self::NoSuch { field, value: clip(value) }
    }
}

impl Coded for IssueError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoIssue(_) | Self::NoRun(_) => ErrorCode::NotFound,
            Self::Exists => ErrorCode::AlreadyExists,
            Self::FilterField(_) => ErrorCode::InvalidFilter,
            Self::Experiment(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::Search(error) => error.code(),
            Self::PageToken(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::Id
            | Self::Name
            | Self::NoSuch { .. }
            | Self::LastSeen
            | Self::Person(_)
            | Self::Texts(_)
            | Self::Metadata
            | Self::SetAndDeleted
            | Self::ForeignRun
            | Self::OrderBy(_)
            | Self::NameSought
            | Self::Sought(_) => ErrorCode::InvalidArgument,
        }
    }
}
