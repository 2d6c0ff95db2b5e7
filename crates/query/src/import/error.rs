//! Why an import fails as a whole. Single bad rows are quarantined instead.

use mainstay_core::error::{Cause, Coded, ErrorCode, StorageError};
use mainstay_data::schema::{DataType, MAX_COLUMNS, SchemaError};
use thiserror::Error;

use super::quarantine::Place;

/// Why an import failed. Nothing of it is visible then.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is no source.
    #[error("there is no such file; check its path")]
    Missing,
    /// The source cannot be read.
    #[error("the file cannot be read; check that it is a file that you may read, and that it is not cut off")]
    Unreadable(#[source] Cause),
    /// There is no header.
    #[error("the file is empty; a CSV file starts with a line of column names")]
    Empty,
    /// The header is not UTF-8, longer than a record may be, or has too many columns.
    #[error(
        "the line of column names is not UTF-8, too long, or has more than {MAX_COLUMNS} columns; save the \
         file as UTF-8 CSV and check the delimiter"
    )]
    Header,
    /// The column names do not make a schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The only column has a name that looks like several.
    #[error(
        "the line of column names holds no comma, but {0:?}: give `delimiter: {0:?}` if that separates the \
         fields, or `delimiter: \",\"` if there really is one column"
    )]
    OtherDelimiter(String),
    /// A declared column is not in the file.
    #[error("the column {0:?} is declared, but the file has no such column")]
    DeclaredMissing(String),
    /// The delimiter is not a usable byte.
    #[error("the delimiter must be a single ASCII character other than a quote or a line break")]
    Delimiter,
    /// An archive that is not exactly one file.
    #[error("a zip archive must hold exactly one file, a CSV; this one holds {0}")]
    ZipEntries(usize),
    /// An archive with an entry that points elsewhere, is encrypted or no regular file.
    #[error("the file in the zip archive is encrypted, a link, or has an unsafe path; pack it again plainly")]
    ZipEntry,
    /// An archive that unpacks to too much.
    #[error("the zip archive unpacks to more than is allowed ({0}); unpack it yourself if you trust it")]
    ZipBomb(&'static str),
    /// A damaged archive.
    #[error("the zip archive is damaged or uses a compression that is not supported")]
    Zip(#[source] Cause),
    /// A damaged Parquet file.
    #[error("the Parquet file is damaged or uses a feature that is not supported")]
    Parquet(#[source] Cause),
    /// A column of a type that tables do not have.
    #[error("the column {column:?} is of type {found}, which cannot be imported; convert or drop it")]
    ColumnType {
        /// Which column.
        column: String,
        /// Its Arrow type.
        found: String,
    },
    /// A declared type that the file's type does not convert to.
    #[error("the column {column:?} is of type {found} in the file and does not convert to {declared}")]
    Declared {
        /// Which column.
        column: String,
        /// Its Arrow type.
        found: String,
        /// The declared type.
        declared: DataType,
    },
    /// Too many rows are bad.
    #[error(
        "{bad} of {rows} rows are bad, more than allowed; the first is in {first}: {reason}. Correct the file, or \
         say how it is written: `types`, `date_order`, `decimal_comma`, `delimiter`"
    )]
    TooManyBadRows {
        /// Bad rows found so far.
        bad: u64,
        /// Rows read so far.
        rows: u64,
        /// Where the first bad row is.
        first: Place,
        /// What is wrong with it.
        reason: String,
    },
    /// The observer stopped it.
    #[error("the import was stopped; nothing was changed")]
    Stopped,
    /// The result cannot be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for ImportError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ZipBomb(_) => ErrorCode::TooLarge,
            Self::Missing => ErrorCode::NotFound,
            Self::Delimiter => ErrorCode::InvalidArgument,
            Self::Stopped => ErrorCode::WrongState,
            Self::Storage(error) => error.code(),
            _ => ErrorCode::InvalidData,
        }
    }
}

/// An import that failed, with the name that whoever asked for it has for the file.
#[derive(Debug, Error)]
#[error("{file}: {error}")]
pub struct FileError {
    /// The file.
    pub file: String,
    /// Why it was not imported.
    #[source]
    pub error: ImportError,
}

impl ImportError {
    /// The error of a file of this name.
    pub fn of(self, file: impl Into<String>) -> FileError {
        FileError { file: file.into(), error: self }
    }
}

impl Coded for FileError {
    fn code(&self) -> ErrorCode {
        self.error.code()
    }
}
