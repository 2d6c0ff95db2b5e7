//! Why traces refuse. Sentences that clients and their tests read begin as those of `MLflow`'s own store do.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::experiment::ExperimentError;
use mainstay_core::id::RunId;
use mainstay_core::lifecycle::WrongLifecycle;
use mainstay_core::text::TextError;
use thiserror::Error;

use crate::assessment::AssessmentId;
use crate::id::TraceId;
use crate::metrics::{MetricsError, Unobserved};
use mainstay_core::search::SearchError;

/// Why a command or query on traces was refused.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The text is not a trace id.
    #[error(
        "Invalid value \"{0}\" for parameter 'trace_id' supplied: give 1 to 50 characters without '/', '%', '?', \
         '#' and control characters, ending in neither space nor period"
    )]
    InvalidId(String),
    /// The text is no id of an assessment.
    #[error(
        "Invalid value \"{0}\" for parameter 'assessment_id' supplied: give 1 to 50 characters, none of them a control character"
    )]
    InvalidAssessmentId(String),
    /// An assessment without a name.
    #[error(
        "Missing value for required parameter 'assessment_name'. See the API docs for more information about request parameters."
    )]
    NoAssessmentName,
    /// There is no such assessment.
    #[error("Assessment with ID '{id}' not found for trace '{trace}'")]
    NoAssessment {
        /// Which.
        id: AssessmentId,
        /// Of which trace.
        trace: TraceId,
    },
    /// The id is taken.
    #[error("Failed to create assessment for trace '{trace}': it has one with ID '{id}' already")]
    AssessmentExists {
        /// Which.
        id: AssessmentId,
        /// Of which trace.
        trace: TraceId,
    },
    /// A trace has as many as it may have.
    #[error("trace '{trace}' has {limit} assessments, which is the most that a trace can have")]
    TooManyAssessments {
        /// The trace.
        trace: TraceId,
        /// The most.
        limit: usize,
    },
    /// An assessment is changed to two things.
    #[error("Cannot specify both `expectation` and `feedback` parameters.")]
    AssessedTwice,
    /// An expectation for what is none.
    #[error("Cannot update expectation value on a Feedback assessment.")]
    NotExpectation,
    /// Feedback for what is none.
    #[error("Cannot update feedback value on an Expectation assessment.")]
    NotFeedback,
    /// The issue that a trace has does not become another.
    #[error("Cannot update an issue reference: delete it and create another one.")]
    IssueChanged,
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
    /// There is no such run.
    #[error("Run with id={0} not found")]
    NoRun(RunId),
    /// It is about the experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The experiment is deleted.
    #[error(transparent)]
    Lifecycle(#[from] WrongLifecycle),
    /// A key is not one.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A search text or page token cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// Sums cannot be understood.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for TraceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidId(_)
            | Self::InvalidAssessmentId(_)
            | Self::NoAssessmentName
            | Self::TooManyAssessments { .. }
            | Self::AssessedTwice
            | Self::NotExpectation
            | Self::NotFeedback
            | Self::IssueChanged
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
            Self::NoTag { .. } | Self::NoTrace(_) | Self::NoRun(_) | Self::NoAssessment { .. } => {
                ErrorCode::NotFound
            }
            Self::AssessmentExists { .. } => ErrorCode::AlreadyExists,
            Self::Experiment(error) => error.code(),
            Self::Lifecycle(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::Search(error) => error.code(),
            Self::Metrics(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

impl From<Unobserved> for TraceError {
    fn from(error: Unobserved) -> Self {
        match error {
            Unobserved::Storage(error) => error.into(),
            Unobserved::Metrics(error) => error.into(),
        }
    }
}
