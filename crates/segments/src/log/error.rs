//! Why a log cannot do its part.

use std::io;
use std::path::PathBuf;

use mainstay_core::error::{Cause, Coded, ErrorCode, StorageError};
use thiserror::Error;

use super::MAX_PAYLOAD;

/// Why a log cannot do its part.
#[derive(Debug, Error)]
pub enum LogError {
    /// A record of nothing, or one that is too large.
    #[error("a logged record has between 1 and {MAX_PAYLOAD} bytes; this one has {0}")]
    Size(usize),
    /// Another process has the log.
    #[error("another process uses this data directory; stop it, or choose another directory")]
    InUse,
    /// A segment does not check.
    #[error("a segment of the prediction log is damaged; see the log, and `mainstay audit verify`")]
    Corrupt {
        /// The file, for the log.
        path: PathBuf,
        /// From where on it does not check.
        offset: u64,
    },
    /// The disk failed, or is full.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        let cause: Cause = Box::new(error);
        Self::Storage(match kind {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StorageError::Full(cause)
            }
            _ => StorageError::Failed(cause),
        })
    }
}

impl Coded for LogError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Size(_) => ErrorCode::TooLarge,
            Self::InUse => ErrorCode::Unavailable,
            Self::Corrupt { .. } => ErrorCode::Corrupt,
            Self::Storage(error) => error.code(),
        }
    }
}
