//! Writing query results to files that people take away.

use std::io::{self, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::error::ArrowError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use parquet::arrow::ArrowWriter;

use crate::durable::{Draft, sync_directory};
use crate::error::{QueryError, unwritten, unwritten_parquet};
use crate::table_writer::properties;

/// The format of an exported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Parquet with zstd.
    Parquet,
    /// CSV with a header, empty fields for null, instants as RFC 3339.
    Csv,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// The SHA-256 of the file.
    pub sha256: Digest,
}

/// Writes a stream to `path`, which appears when it is whole and replaces what was there.
pub async fn export(
    mut batches: SendableRecordBatchStream,
    path: &Path,
    format: ExportFormat,
) -> Result<Exported, QueryError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let draft = Draft::new_in(directory)?;
    let mut sink = match format {
        ExportFormat::Parquet => {
            let writer = ArrowWriter::try_new(draft, batches.schema(), Some(properties()));
            Sink::Parquet(Box::new(writer.map_err(unwritten_parquet)?))
        }
        ExportFormat::Csv => Sink::Csv { draft, header: true },
    };
    if let Sink::Csv { .. } = sink {
        // A result without rows has a header, too.
        sink.write(&RecordBatch::new_empty(batches.schema()))?;
    }
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        sink.write(&batch)?;
    }
    let sealed = sink.finish()?.seal()?;
    let exported = Exported { rows, bytes: sealed.bytes, sha256: sealed.digest };
    sealed.publish(path)?;
    sync_directory(directory)?;
    Ok(exported)
}

enum Sink {
    Parquet(Box<ArrowWriter<Draft>>),
    Csv { draft: Draft, header: bool },
}

impl Sink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), StorageError> {
        match self {
            Self::Parquet(writer) => writer.write(batch).map_err(unwritten_parquet),
            Self::Csv { draft, header } => {
                let mut writer = WriterBuilder::new().with_header(*header).build(draft);
                *header = false;
                writer.write(batch).map_err(unwritten_csv)
            }
        }
    }

    fn finish(self) -> Result<Draft, StorageError> {
        match self {
            Self::Parquet(writer) => writer.into_inner().map_err(unwritten_parquet),
            Self::Csv { mut draft, .. } => {
                draft.flush().map_err(unwritten)?;
                Ok(draft)
            }
        }
    }
}

fn unwritten_csv(error: ArrowError) -> StorageError {
    match error {
        ArrowError::IoError(_, error) => unwritten(error),
        ArrowError::CsvError(_) => unwritten(io::Error::other(error)),
        other => StorageError::Failed(other.into()),
    }
}
