//! From a Parquet file to a table.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray as _, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_core::error::StorageError;
use mainstay_data::schema::{Column, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::Imported;
use super::cells::Grammar;
use super::convert::{convert, converts, natural};
use super::error::ImportError;
use super::options::{ImportOptions, Observer, Phase, Progress};
use super::quarantine::{Place, Quarantine, Reason};
use super::source::unreadable;
use crate::table_writer::{TableWriter, Target};

/// Cells of a batch.
const BATCH_CELLS: usize = 1 << 19;
/// Rows of a batch at most.
const BATCH_ROWS: usize = 16_384;
/// Bytes of text that a batch may hold before it is halved.
const BATCH_TEXT: u64 = 32 << 20;

/// Imports a Parquet file.
pub(super) fn import(
    path: &Path,
    target: Target<'_>,
    options: &ImportOptions,
    observer: &mut Observer<'_>,
) -> Result<Imported, ImportError> {
    let file = File::open(path).map_err(unreadable)?;
    let total_bytes = file.metadata().map_err(unreadable)?.len();
    let builder = open(file)?;
    let total_rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let schema = schema(builder.schema(), options)?;
    let batch_rows = (BATCH_CELLS / schema.columns().len()).clamp(1, BATCH_ROWS);
    let reader =
        builder.with_batch_size(batch_rows).build().map_err(|error| ImportError::Parquet(error.into()))?;

    let mut rows = Rows {
        schema: &schema,
        options,
        writer: TableWriter::new(target, &schema, options.rows_per_file),
        quarantine: Quarantine::new(target, options),
        bytes_per_row: total_bytes / total_rows.max(1),
        read: 0,
    };
    for batch in reader {
        rows.take(&batch.map_err(|error| ImportError::Parquet(error.into()))?)?;
        let share = rows.read as f64 / total_rows.max(1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a file's size"
        )]
        let bytes = (total_bytes as f64 * share.min(1.0)) as u64;
        let progress = Progress { phase: Phase::Writing, rows: rows.read, bytes, total_bytes };
        if let ControlFlow::Break(()) = observer(progress) {
            return Err(ImportError::Stopped);
        }
    }
    Imported::publish(rows.writer, rows.quarantine, rows.read, total_bytes, schema.clone())
}

/// Opens the file so that text is read as views, which share the bytes of repeated values: a small file
/// cannot become large in memory before its fields' lengths are checked.
fn open(file: File) -> Result<ParquetRecordBatchReaderBuilder<File>, ImportError> {
    let broken = |error: parquet::errors::ParquetError| ImportError::Parquet(error.into());
    let again = file.try_clone().map_err(unreadable)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(broken)?;
    let view = |field: &Arc<Field>| match field.data_type() {
        ArrowType::Utf8 | ArrowType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(ArrowType::Utf8View))
        }
        ArrowType::Dictionary(_, values) if matches!(**values, ArrowType::Utf8 | ArrowType::LargeUtf8) => {
            Arc::new(field.as_ref().clone().with_data_type(ArrowType::Utf8View))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<_> = builder.schema().fields().iter().map(view).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(ArrowSchema::new(fields)));
    ParquetRecordBatchReaderBuilder::try_new_with_options(again, options).map_err(broken)
}

fn schema(found: &ArrowSchema, options: &ImportOptions) -> Result<Schema, ImportError> {
    if let Some(missing) = options.declared.keys().find(|name| found.column_with_name(name).is_none()) {
        return Err(ImportError::DeclaredMissing(missing.clone()));
    }
    let column = |field: &Arc<Field>| {
        let from = field.data_type();
        let data_type = natural(from).ok_or_else(|| ImportError::ColumnType {
            column: field.name().clone(),
            found: from.to_string(),
        })?;
        let declared = options.declared.get(field.name()).copied().unwrap_or(data_type);
        if !converts(from, declared) {
            return Err(ImportError::Declared {
                column: field.name().clone(),
                found: from.to_string(),
                declared,
            });
        }
        Ok(Column::new(field.name(), declared))
    };
    let columns = found.fields().iter().map(column).collect::<Result<_, _>>()?;
    Ok(Schema::new(columns)?)
}

struct Rows<'a> {
    schema: &'a Schema,
    options: &'a ImportOptions,
    writer: TableWriter<'a>,
    quarantine: Quarantine<'a>,
    bytes_per_row: u64,
    read: u64,
}

impl Rows<'_> {
    /// Takes a batch, in halves if its text is large.
    fn take(&mut self, batch: &RecordBatch) -> Result<(), ImportError> {
        let rows = batch.num_rows();
        let texts = batch.columns().iter().filter_map(|column| column.as_string_view_opt());
        let text: u64 = texts.flat_map(|column| column.lengths().map(u64::from)).sum();
        if text > BATCH_TEXT && rows > 1 {
            self.take(&batch.slice(0, rows / 2))?;
            return self.take(&batch.slice(rows / 2, rows - rows / 2));
        }
        let mut good = vec![true; rows];
        let mut reasons: Vec<(usize, usize, Reason)> = Vec::new();
        self.check_lengths(batch, &mut good, &mut reasons);
        let batch = filtered(batch, &good)?;
        // Row numbers in the source of the rows that are left.
        let numbers: UInt64Array =
            (self.read..).zip(&good).filter(|(_, good)| **good).map(|(row, _)| row + 1).collect();
        for (row, at, reason) in reasons.drain(..) {
            let raw = format!("a value of column {at}, left out for its length");
            self.quarantine.add(Place::row(self.read + row as u64 + 1), &reason, &raw, self.bytes_per_row)?;
        }
        self.read += rows as u64;

        let grammar = Grammar::of(self.options);
        let mut good = vec![true; batch.num_rows()];
        let mut arrays = Vec::with_capacity(batch.num_columns());
        for (at, (array, column)) in batch.columns().iter().zip(self.schema.columns()).enumerate() {
            let converted = convert(array, column.data_type, &grammar)?;
            for row in converted.bad {
                if let Some(good) = good.get_mut(row).filter(|good| **good) {
                    *good = false;
                    let reason = Reason::Value { column: column.name.clone(), data_type: column.data_type };
                    reasons.push((row, at, reason));
                }
            }
            arrays.push(converted.array);
        }
        reasons.sort_by_key(|(row, ..)| *row);
        for (row, at, reason) in reasons {
            let number = numbers.values().get(row).copied().unwrap_or(0);
            self.quarantine.add(Place::row(number), &reason, &shown(&batch, at, row), self.bytes_per_row)?;
        }
        let table = RecordBatch::try_new(self.writer.arrow_schema().clone(), arrays);
        let table = table.map_err(|error| StorageError::Failed(error.into()))?;
        Ok(self.writer.write(&filtered(&table, &good)?)?)
    }

    /// Marks rows with text that is too long.
    fn check_lengths(
        &self,
        batch: &RecordBatch,
        good: &mut [bool],
        reasons: &mut Vec<(usize, usize, Reason)>,
    ) {
        let limit = self.options.max_field_bytes;
        for (at, (array, column)) in batch.columns().iter().zip(self.schema.columns()).enumerate() {
            let Some(texts) = array.as_string_view_opt() else { continue };
            for (row, (length, good)) in texts.lengths().zip(good.iter_mut()).enumerate() {
                if *good && length as usize > limit && texts.is_valid(row) {
                    *good = false;
                    reasons.push((row, at, Reason::FieldSize { column: column.name.clone(), limit }));
                }
            }
        }
        reasons.sort_by_key(|(row, ..)| *row);
    }
}

fn filtered(batch: &RecordBatch, good: &[bool]) -> Result<RecordBatch, StorageError> {
    if good.iter().all(|good| *good) {
        return Ok(batch.clone());
    }
    let mask = BooleanArray::from(good.to_vec());
    filter_record_batch(batch, &mask).map_err(|error| StorageError::Failed(error.into()))
}

/// A bad value as a person reads it.
fn shown(batch: &RecordBatch, column: usize, row: usize) -> String {
    let options = FormatOptions::default();
    let formatter = batch.columns().get(column).map(|array| ArrayFormatter::try_new(array, &options));
    match formatter {
        Some(Ok(formatter)) => formatter.value(row).try_to_string().unwrap_or_default(),
        _ => String::new(),
    }
}
