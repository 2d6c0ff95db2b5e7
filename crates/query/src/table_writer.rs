//! Writes batches as the Parquet files of a table version.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::error::StorageError;
use mainstay_data::schema::Schema;
use mainstay_data::table::DataFile;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::columns::arrow_schema;
use crate::durable::{Draft, Sealed};
use crate::error::unwritten_parquet;
use crate::stats::StatsBuilder;

/// Rows in a row group at most.
const ROW_GROUP_ROWS: usize = 131_072;

/// Encoded bytes of a row group at which it is closed: they are held in memory until then.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// How our Parquet files are written: zstd, level 1.
pub(crate) fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}

/// Where files go, and under which keys they will be found.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// An existing directory.
    pub directory: &'a Path,
    /// What stands before a file's name in its object key: `tables/flights/`.
    pub key_prefix: &'a str,
}

/// Splits batches of one schema into files of at most so many rows.
pub(crate) struct TableWriter<'a> {
    target: Target<'a>,
    schema: &'a Schema,
    arrow: SchemaRef,
    rows_per_file: u64,
    open: Option<Open>,
    sealed: Vec<(Sealed, DataFile)>,
}

struct Open {
    writer: ArrowWriter<Draft>,
    stats: Vec<StatsBuilder>,
    rows: u64,
}

impl<'a> TableWriter<'a> {
    pub(crate) fn new(target: Target<'a>, schema: &'a Schema, rows_per_file: u64) -> Self {
        let rows_per_file = rows_per_file.max(1);
        Self { target, schema, arrow: arrow_schema(schema), rows_per_file, open: None, sealed: Vec::new() }
    }

    pub(crate) fn directory(&self) -> &'a Path {
        self.target.directory
    }

    pub(crate) fn arrow_schema(&self) -> &SchemaRef {
        &self.arrow
    }

    fn start(&self) -> Result<Open, StorageError> {
        let draft = Draft::new_in(self.target.directory)?;
        let writer = ArrowWriter::try_new(draft, self.arrow.clone(), Some(properties()));
        let stats = self.schema.columns().iter().map(|_| StatsBuilder::default()).collect();
        Ok(Open { writer: writer.map_err(unwritten_parquet)?, stats, rows: 0 })
    }

    /// Appends a batch, whose columns are those of the schema.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), StorageError> {
        let mut offset = 0;
        while offset < batch.num_rows() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.start()?,
            };
            let room = usize::try_from(self.rows_per_file - open.rows).unwrap_or(usize::MAX);
            let part = batch.slice(offset, room.min(batch.num_rows() - offset));
            for ((stats, array), column) in
                open.stats.iter_mut().zip(part.columns()).zip(self.schema.columns())
            {
                stats.update(array, column.data_type);
            }
            open.writer.write(&part).map_err(unwritten_parquet)?;
            if open.writer.in_progress_size() > ROW_GROUP_BYTES {
                open.writer.flush().map_err(unwritten_parquet)?;
            }
            open.rows += part.num_rows() as u64;
            offset += part.num_rows();
            if open.rows >= self.rows_per_file {
                self.seal(open)?;
            } else {
                self.open = Some(open);
            }
        }
        Ok(())
    }

    fn seal(&mut self, open: Open) -> Result<(), StorageError> {
        let sealed = open.writer.into_inner().map_err(unwritten_parquet)?.seal()?;
        let file = DataFile {
            object_key: format!("{}{}.parquet", self.target.key_prefix, sealed.digest.hex()),
            sha256: sealed.digest,
            rows: open.rows,
            bytes: sealed.bytes,
            columns: open.stats.into_iter().map(StatsBuilder::finish).collect(),
        };
        self.sealed.push((sealed, file));
        Ok(())
    }

    /// Seals the last file, then names all of them. A table without rows is one file without rows.
    pub(crate) fn publish(mut self) -> Result<Vec<DataFile>, StorageError> {
        match self.open.take() {
            Some(open) => self.seal(open)?,
            None if self.sealed.is_empty() => {
                let open = self.start()?;
                self.seal(open)?;
            }
            None => {}
        }
        let mut files = Vec::with_capacity(self.sealed.len());
        for (sealed, file) in self.sealed {
            let path = self.target.directory.join(format!("{}.parquet", sealed.digest.hex()));
            sealed.publish(&path)?;
            files.push(file);
        }
        Ok(files)
    }
}
