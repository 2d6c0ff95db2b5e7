//! Files become tables: CSV, CSV in a zip archive, or Parquet, in; Parquet files with digests and
//! statistics, and a quarantine of bad rows with their reasons, out.
//!
//! Everything streams: memory is bounded by the limits in [`ImportOptions`], whatever the file. A CSV
//! file whose types are not all declared is read twice, first to learn them. The files appear under
//! names made of their digests, after they are durable, when the whole import has succeeded; if it
//! fails, there is nothing. (A crash may leave a `.draft-…` file, or a whole file that no table names.)
//!
//! These functions block; call them from a thread that may.

mod cells;
mod columnar;
mod convert;
mod error;
mod infer;
mod look;
mod options;
mod quarantine;
mod records;
mod source;
mod text;

use std::path::Path;

use mainstay_data::schema::Schema;
use mainstay_data::table::Manifest;

pub use self::error::{FileError, ImportError};
pub use self::look::{ColumnLook, Look, look};
pub use self::options::{ImportOptions, Observer, Phase, Progress, TextFormat};
use self::quarantine::Quarantine;
pub use self::quarantine::{Place, Reason, ReasonCounts};
use self::source::Source;
use crate::durable::sync_directory;
use crate::table_writer::TableWriter;
pub use crate::table_writer::Target;

/// What an import made.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The content of a table version, ready to be committed.
    pub manifest: Manifest,
    /// Rows read, good and bad.
    pub rows_read: u64,
    /// Bad rows by kind of reason.
    pub bad_rows: ReasonCounts,
}

impl Imported {
    /// The quarantine first: it is what may still refuse.
    fn publish(
        writer: TableWriter<'_>,
        quarantine: Quarantine<'_>,
        rows_read: u64,
        bytes: u64,
        schema: Schema,
    ) -> Result<Self, ImportError> {
        let directory = writer.directory();
        let (quarantine, bad_rows) = quarantine.publish(rows_read, bytes)?;
        let files = writer.publish()?;
        sync_directory(directory)?;
        Ok(Self { manifest: Manifest { schema, files, quarantine }, rows_read, bad_rows })
    }
}

/// Imports a file into `target`, telling `observer` how far it is.
pub fn import_file(
    path: &Path,
    target: Target<'_>,
    options: &ImportOptions,
    observer: &mut Observer<'_>,
) -> Result<Imported, ImportError> {
    match Source::detect(path, options)? {
        Source::Text(source) => text::import(&source, target, options, observer),
        Source::Parquet(path) => columnar::import(&path, target, options, observer),
    }
}
