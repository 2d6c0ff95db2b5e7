//! Why a query could not be answered.

use std::io;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use mainstay_core::error::{Cause, Coded, ErrorCode, StorageError};
use mainstay_data::schema::DataType;
use parquet::errors::ParquetError;
use thiserror::Error;

/// Why a scan, a validation or an export failed.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The table has no such column.
    #[error("the table has no column {0:?}")]
    UnknownColumn(String),
    /// A filter compares a column with a value of another type.
    #[error("the column {column:?} is of type {found} and cannot be compared with a value of type {given}")]
    FilterType {
        /// Which column.
        column: String,
        /// Its type.
        found: DataType,
        /// The type of the value.
        given: DataType,
    },
    /// Memory and spill space did not suffice.
    #[error("the query needs more memory or spill space than it may use; select fewer rows or allow more")]
    Exhausted(#[source] Cause),
    /// A file of the table is missing, cut or changed.
    #[error("a file of the table cannot be read: {file}; restore it from a backup")]
    Damaged {
        /// Its object key.
        file: String,
        /// For the log.
        #[source]
        cause: Cause,
    },
    /// A result could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Anything else: a fault of ours.
    #[error("the query failed; see the log")]
    Failed(#[source] Cause),
}

impl Coded for QueryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownColumn(_) | Self::FilterType { .. } => ErrorCode::InvalidArgument,
            Self::Exhausted(_) => ErrorCode::TooLarge,
            Self::Damaged { .. } => ErrorCode::Corrupt,
            Self::Storage(error) => error.code(),
            Self::Failed(_) => ErrorCode::Internal,
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
            Self::Exhausted(error.into())
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<ArrowError> for QueryError {
    fn from(error: ArrowError) -> Self {
        Self::Failed(error.into())
    }
}

/// A file could not be written.
pub(crate) fn unwritten(error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full(error.into()),
        _ => StorageError::Failed(error.into()),
    }
}

/// A Parquet file could not be written.
pub(crate) fn unwritten_parquet(error: ParquetError) -> StorageError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => unwritten(*error),
            Err(cause) => StorageError::Failed(cause),
        },
        other => StorageError::Failed(other.into()),
    }
}
