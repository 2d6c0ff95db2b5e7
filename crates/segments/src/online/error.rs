//! What can go wrong in the online store.

use std::io;
use std::path::{Path, PathBuf};

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::time::DataTime;
use mainstay_features::online::PackError;
use thiserror::Error;

/// Why the online store refuses or fails.
#[derive(Debug, Error)]
pub enum OnlineError {
    /// Another process has the directory.
    #[error("the online feature store {0} is used by another process; stop it first")]
    InUse(PathBuf),
    /// A file was written by a later version of the program.
    #[error("the online feature store has format version {found}; this program reads version {known}")]
    Version {
        /// In the file.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// No such view was defined here.
    #[error("the feature view {0:?} is not in the online store; materialise it first")]
    UnknownView(String),
    /// The name is taken by another definition.
    #[error("the feature view {0:?} is in the online store with another definition; materialise it anew")]
    Defined(String),
    /// The view is not any more what rows were to be added to.
    #[error("the feature view {0:?} was materialised otherwise meanwhile; materialise it again")]
    Overtaken(String),
    /// The rows that could answer were dropped.
    #[error("the online store answers from {horizon} on; {at} is earlier")]
    BeforeHorizon {
        /// The data time of the request.
        at: DataTime,
        /// The earliest data time that is answered.
        horizon: DataTime,
    },
    /// A row's `created` is not known, so it could never be seen.
    #[error("a row for the online store needs the instant at which it became known")]
    NoCreated,
    /// A row cannot be packed or unpacked.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The disk, or a file on it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for OnlineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InUse(_) | Self::Defined(_) => ErrorCode::WrongState,
            Self::Overtaken(_) => ErrorCode::RevisionConflict,
            Self::Version { .. } => ErrorCode::Unsupported,
            Self::UnknownView(_) => ErrorCode::NotFound,
            Self::BeforeHorizon { .. } => ErrorCode::InvalidArgument,
            Self::NoCreated => ErrorCode::InvalidData,
            Self::Pack(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

impl From<io::Error> for OnlineError {
    fn from(error: io::Error) -> Self {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let cause = Box::new(error);
        Self::Storage(if full { StorageError::Full(cause) } else { StorageError::Failed(cause) })
    }
}

/// A file that is not what it must be.
pub(super) fn corrupt(path: &Path, what: &str) -> OnlineError {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    OnlineError::Storage(StorageError::Corrupt(format!("online feature store, {name}: {what}")))
}
