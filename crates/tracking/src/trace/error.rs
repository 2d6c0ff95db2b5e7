//! Why traces refuse. Sentences that clients and their tests read begin as those of `MLflow`'s own store do.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use thiserror::Error;

use super::id::TraceId;
use crate::error::TrackingError;
use crate::search::SearchError;

/// Why a command or query on traces was refused.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The text is not a trace id.
    #[error(
        "Invalid value \"{0}\" for parameter 'trace_id' supplied: give 1 to 50 characters without '/', '%', '?', \
         '#' and control characters, ending in neither space nor period"
    )]
    InvalidId(String),
    /// The text is not a state.
    #[error("'{0}' is not a trace state: use OK, ERROR, IN_PROGRESS or STATE_UNSPECIFIED")]
    InvalidState(String),
    /// A text is longer than its limit.
    #[error("'{field}' exceeds the maximum length of {limit} characters")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// The most characters allowed.
        limit: usize,
    },
    /// More tags, or metadata, than one call may give a trace.
    #[error("a trace takes at most {limit} tags, and as many pairs of metadata, in one call")]
    TooManyPairs {
        /// The most.
        limit: usize,
    },
    /// The tag is the server's own.
    #[error("Tag '{0}' is immutable and cannot be set on a trace.")]
    TagSet(String),
    /// The tag is the server's own.
    #[error("Tag '{0}' is immutable and cannot be deleted on a trace.")]
    TagDeleted(String),
    /// There is no such tag.
    #[error("No trace tag with key '{key}' for trace with ID '{trace}'")]
    NoTag {
        /// The key.
        key: String,
        /// The trace.
        trace: TraceId,
    },
    /// There is no such trace.
    #[error("Trace with ID '{0}' not found.")]
    NoTrace(TraceId),
    /// The id is taken.
    #[error("Trace with ID '{0}' already exists in another experiment.")]
    Elsewhere(TraceId),
    /// Nothing says which traces are to be deleted.
    #[error("Either `max_timestamp_millis` or `trace_ids` must be specified.")]
    DeleteNothing,
    /// Two things say it.
    #[error("Only one of `max_timestamp_millis` and `trace_ids` can be specified.")]
    DeleteTwice,
    /// A number of traces beside a list of them.
    #[error("`max_traces` can't be specified if `trace_ids` is specified.")]
    DeleteCounted,
    /// No number of traces.
    #[error("`max_traces` must be a positive integer, received {0}.")]
    DeleteFewerThanOne(i64),
    /// More traces than one call links.
    #[error("Cannot link more than {limit} traces to a run in a single request. Provided {got} traces.")]
    TooManyLinked {
        /// The most.
        limit: usize,
        /// How many there are.
        got: usize,
    },
    /// What experiments and tags refuse.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// A search text or page token cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for TraceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidId(_)
            | Self::InvalidState(_)
            | Self::TooLong { .. }
            | Self::TooManyPairs { .. }
            | Self::TagSet(_)
            | Self::TagDeleted(_)
            | Self::Elsewhere(_)
            | Self::DeleteNothing
            | Self::DeleteTwice
            | Self::DeleteCounted
            | Self::DeleteFewerThanOne(_)
            | Self::TooManyLinked { .. } => ErrorCode::InvalidArgument,
            Self::NoTag { .. } | Self::NoTrace(_) => ErrorCode::NotFound,
            Self::Tracking(error) => error.code(),
            Self::Search(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}
