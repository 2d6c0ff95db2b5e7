//! Why the predictor gives no answer.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_inference::RunError;
use mainstay_segments::log::LogError;
use mainstay_serving::schema::SchemaError;
use mainstay_serving::traffic::NothingServed;
use thiserror::Error;

use super::features::LookUpError;

/// Why a request is not answered.
#[derive(Debug, Error)]
pub enum PredictError {
    /// No such endpoint.
    #[error("there is no endpoint '{0}' in this workspace; see GET /api/v1/endpoints")]
    NoEndpoint(String),
    /// The record was not read yet.
    #[error(
        "endpoint '{0}' is not known here, and the record has not been read since the start; try again shortly"
    )]
    NotKnownYet(String),
    /// The endpoint is known, and its first revision cannot be served.
    #[error(
        "endpoint '{0}' cannot be served yet, as one of its models does not load; see GET /api/v1/endpoints/{0}"
    )]
    NotLoaded(Name),
    /// It has no champion.
    #[error(transparent)]
    NothingServed(#[from] NothingServed),
    /// A version that does not answer here.
    #[error("version {0} does not answer on this endpoint; leave it out, or see the endpoint's metadata")]
    Version(u64),
    /// An input that neither the model nor the schema has.
    #[error("the endpoint has no input '{name}'; it takes: {known}, or its features by name")]
    UnknownInput {
        /// What was sent.
        name: String,
        /// What there is.
        known: String,
    },
    /// A feature from two tensors.
    #[error("input '{0}' gives a feature that another input has given already; give each once")]
    GivenTwice(String),
    /// A tensor of another width.
    #[error("input '{name}' must have shape [-1, {width}], not {given:?} (-1 stands for the rows)")]
    Width {
        /// The input.
        name: String,
        /// Its columns.
        width: usize,
        /// The shape that was sent.
        given: Vec<usize>,
    },
    /// Parts of a request speak of different numbers of rows.
    #[error("'{what}' has {given} rows where the rest of the request has {expected}")]
    RowCount {
        /// Which part.
        what: String,
        /// Rows so far.
        expected: usize,
        /// Rows of this one.
        given: usize,
    },
    /// One id for two rows.
    #[error("prediction_id {0} is given to two rows; each prediction has its own")]
    RepeatedId(PredictionId),
    /// A time that has not come.
    #[error(
        "data_time {at} has not come: it may be five minutes ahead of this server's clock, so up to {latest}; check the client's clock and units"
    )]
    Future {
        /// What the request says.
        at: DataTime,
        /// The latest that is taken.
        latest: DataTime,
    },
    /// A label from a time that has not come.
    #[error(
        "a label that arrived at {at} is not taken: that is more than five minutes ahead of this server's clock; the latest is {latest}, check the client's clock and units"
    )]
    FutureLabel {
        /// What the label says.
        at: DataTime,
        /// The latest that is taken.
        latest: DataTime,
    },
    /// Neither features nor entities.
    #[error("the request gives neither inputs nor parameters.entity; send at least one of them")]
    NoInputs,
    /// Nothing to predict.
    #[error("the request has no rows; send at least one row")]
    NoRows,
    /// More rows than are taken at once.
    #[error("the request has {0} rows, and at most 65536 are taken; send fewer rows at once")]
    TooManyRows(usize),
    /// More values than are taken at once.
    #[error("a request has at most {0} values; send fewer rows at once")]
    TooManyValues(usize),
    /// A row breaks the schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Entity keys where nothing reads them.
    #[error("endpoint '{0}' has no feature service to look entities up in; send the features themselves")]
    NoFeatures(Name),
    /// The look-up of features was refused.
    #[error(transparent)]
    Features(#[from] LookUpError),
    /// The model refuses the values.
    #[error(transparent)]
    Run(RunError),
    /// Nobody in the chain could answer.
    #[error("no version could answer; the failure is logged with the prediction, try again shortly")]
    NoAnswer,
    /// Rows were answered by versions that differ in their outputs.
    #[error("the rows go to versions whose outputs differ in name or shape; send one row at a time")]
    MixedOutputs,
    /// The log cannot be used at all.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The process is stopping.
    #[error("the server is stopping; try again shortly")]
    Stopping,
    /// It died while it computed.
    #[error("the answer was not finished; try again, and see the log")]
    Unfinished,
}

impl Coded for PredictError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoEndpoint(_) | Self::Version(_) => ErrorCode::NotFound,
            Self::NotKnownYet(_) | Self::NotLoaded(_) | Self::NoAnswer | Self::Stopping => {
                ErrorCode::Unavailable
            }
            Self::NothingServed(error) => error.code(),
            Self::UnknownInput { .. } | Self::GivenTwice(_) | Self::Width { .. } | Self::RowCount { .. } => {
                ErrorCode::SignatureMismatch
            }
            Self::Schema(error) => error.code(),
            Self::NoInputs
            | Self::NoRows
            | Self::TooManyRows(_)
            | Self::TooManyValues(_)
            | Self::MixedOutputs
            | Self::NoFeatures(_)
            | Self::RepeatedId(_)
            | Self::Future { .. }
            | Self::FutureLabel { .. } => ErrorCode::InvalidArgument,
            Self::Features(error) => error.code(),
            Self::Run(error) => error.code(),
            Self::Log(error) => error.code(),
            Self::Unfinished => ErrorCode::Internal,
        }
    }
}
