//! Why a request cannot be understood. Every sentence says what to send instead.

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

use super::tensor::TensorError;

/// Why a request cannot be understood.
#[derive(Debug, Error)]
pub enum OipError {
    /// Not JSON of the protocol's shape.
    #[error(
        "the request cannot be read: {0}; note that JSON has no NaN or Infinity: write null for a missing number"
    )]
    Json(serde_json::Error),
    /// A header length that is no number.
    #[error(
        "Inference-Header-Content-Length is not a whole number; give the length of the JSON part in bytes"
    )]
    HeaderNumber,
    /// A header length beyond the body.
    #[error("Inference-Header-Content-Length is {length}, and the body has {body} bytes")]
    HeaderLength {
        /// What the header says.
        length: usize,
        /// How long the body is.
        body: usize,
    },
    /// A body without JSON.
    #[error("requests of binary data alone are not taken; describe the tensors in JSON before them")]
    RawRequest,
    /// Less binary data than announced.
    #[error("input '{name}' announces {size} bytes of binary data, and {left} are left in the body")]
    BinarySize {
        /// The input.
        name: String,
        /// What its `binary_data_size` says.
        size: usize,
        /// What is there.
        left: usize,
    },
    /// More binary data than announced.
    #[error("the body has {0} bytes behind the last input's data; check each binary_data_size")]
    Trailing(usize),
    /// Neither data nor a size of binary data, or both.
    #[error("input '{0}' needs either 'data' or the parameter 'binary_data_size', and not both")]
    Data(String),
    /// A name twice.
    #[error("the {what} '{name}' is given twice; give it once")]
    Duplicate {
        /// Input or output.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Shared memory.
    #[error("shared memory is not offered; send the data in the request")]
    SharedMemory,
    /// Classification.
    #[error("the output parameter 'classification' is not offered; ask for the scores and rank them")]
    Classification,
    /// An output that the model does not have.
    #[error("the endpoint has no output '{name}'; it has: {known}")]
    UnknownOutput {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Not an instant.
    #[error("the parameter 'data_time' is an RFC 3339 instant such as 2013-01-01T05:00:00Z, not {0:?}")]
    DataTime(String),
    /// Not a key.
    #[error("the parameter 'key' is text or a whole number, of 1 to {0} bytes")]
    Key(usize),
    /// A tensor is wrong.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// No such version.
    #[error("version '{0}' does not answer on this endpoint; leave it out, or see the endpoint's metadata")]
    Version(String),
    /// The path cannot be read.
    #[error("the address cannot be read; percent-encode names as UTF-8")]
    Path,
    /// Loading, and soon ready.
    #[error("the server is loading its models; try again shortly")]
    NotReady,
}

impl Coded for OipError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Json(_)
            | Self::HeaderNumber
            | Self::HeaderLength { .. }
            | Self::RawRequest
            | Self::BinarySize { .. }
            | Self::Trailing(_)
            | Self::Data(_)
            | Self::Path => ErrorCode::MalformedBody,
            Self::Duplicate { .. }
            | Self::SharedMemory
            | Self::Classification
            | Self::DataTime(_)
            | Self::Key(_) => ErrorCode::InvalidArgument,
            Self::UnknownOutput { .. } => ErrorCode::SignatureMismatch,
            Self::Tensor(error) => error.code(),
            Self::Version(_) => ErrorCode::NotFound,
            Self::NotReady => ErrorCode::Unavailable,
        }
    }
}
