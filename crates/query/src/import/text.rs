//! From CSV text to a table.

use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use mainstay_core::error::StorageError;
use mainstay_data::schema::{Column, DataType, MAX_COLUMNS, Schema};

use super::Imported;
use super::cells::{Cell, ColumnBuilder, Grammar};
use super::error::ImportError;
use super::infer::Evidence;
use super::options::{ImportOptions, Observer, Phase, Progress};
use super::quarantine::{Place, Quarantine, Reason};
use super::records::{Next, Record, RecordLimits, Records, TextRecord};
use super::source::TextSource;
use crate::table_writer::{TableWriter, Target};

/// What separates fields in the files that people have, besides commas.
pub(super) const DELIMITERS: [char; 3] = [';', '\t', '|'];

/// Rows between two reports of progress.
const REPORT_ROWS: u64 = 16_384;
/// Cells of a batch.
const BATCH_CELLS: usize = 1 << 19;
/// Rows of a batch at most.
const BATCH_ROWS: usize = 16_384;
/// Bytes of source that a batch is made of, about.
const BATCH_BYTES: u64 = 8 << 20;
/// Bytes of a field that a quarantined row shows.
const EXCERPT: usize = 200;

/// Imports CSV text.
pub(super) fn import(
    source: &TextSource,
    target: Target<'_>,
    options: &ImportOptions,
    observer: &mut Observer<'_>,
) -> Result<Imported, ImportError> {
    let delimiter = options.format.delimiter_byte()?;
    let names = header(source, delimiter, options)?;
    if let ([only], None) = (names.as_slice(), options.format.delimiter)
        && let Some(other) = DELIMITERS.into_iter().find(|other| only.contains(*other))
    {
        return Err(ImportError::OtherDelimiter(other.to_string()));
    }
    let schema = schema(source, delimiter, options, names, observer)?;
    let mut rows = Rows::new(&schema, target, options);
    let walk = Walk { source, options, delimiter, columns: schema.columns(), phase: Phase::Writing };
    let (count, bytes) = walk.run(observer, |row| rows.take(&row))?;
    rows.publish(count, bytes, schema.clone())
}

pub(super) fn limits(options: &ImportOptions) -> RecordLimits {
    RecordLimits { bytes: options.max_record_bytes.max(1), fields: MAX_COLUMNS }
}

/// The names of the columns.
pub(super) fn header(
    source: &TextSource,
    delimiter: u8,
    options: &ImportOptions,
) -> Result<Vec<String>, ImportError> {
    source.read(|input| match Records::new(input, delimiter, limits(options)).next()? {
        Next::End => Err(ImportError::Empty),
        Next::Oversized { .. } => Err(ImportError::Header),
        Next::Record(record) => {
            let text = record.text().ok_or(ImportError::Header)?;
            Ok(text.fields().map(|name| name.trim().to_owned()).collect())
        }
    })
}

/// The declared types, and the inferred ones of all other columns.
fn schema(
    source: &TextSource,
    delimiter: u8,
    options: &ImportOptions,
    names: Vec<String>,
    observer: &mut Observer<'_>,
) -> Result<Schema, ImportError> {
    if let Some(missing) = options.declared.keys().find(|name| !names.contains(name)) {
        return Err(ImportError::DeclaredMissing(missing.clone()));
    }
    let declared = |name: String| {
        let data_type = options.declared.get(&name).copied();
        Column { data_type: data_type.unwrap_or(DataType::Utf8), name }
    };
    let schema = Schema::new(names.into_iter().map(declared).collect())?;
    let is_open = |column: &Column| !options.declared.contains_key(&column.name);
    if !schema.columns().iter().any(is_open) {
        return Ok(schema);
    }
    let mut evidence: Vec<Option<Evidence>> =
        schema.columns().iter().map(|column| is_open(column).then(Evidence::default)).collect();
    let grammar = Grammar::of(options);
    let walk = Walk { source, options, delimiter, columns: schema.columns(), phase: Phase::Inferring };
    walk.run(observer, |row| {
        if let Ok(record) = row.content {
            for (field, evidence) in record.fields().zip(&mut evidence) {
                if let Some(evidence) = evidence.as_mut().filter(|_| !grammar.is_silent(field)) {
                    evidence.observe(field, &grammar);
                }
            }
        }
        Ok(())
    })?;
    let typed = schema.columns().iter().zip(&evidence).map(|(column, evidence)| Column {
        name: column.name.clone(),
        data_type: evidence
            .as_ref()
            .map_or(column.data_type, |evidence| evidence.conclude(options.max_bad_share)),
    });
    Ok(Schema::new(typed.collect())?)
}

/// A row of the file, whole or bad.
struct Row<'a> {
    place: Place,
    content: Result<TextRecord<'a>, (Reason, String)>,
    spent: u64,
}

/// One way through all rows of a file.
struct Walk<'a> {
    source: &'a TextSource,
    options: &'a ImportOptions,
    delimiter: u8,
    columns: &'a [Column],
    phase: Phase,
}

impl Walk<'_> {
    /// Visits every row; gives how many there were and how many bytes.
    fn run(
        &self,
        observer: &mut Observer<'_>,
        mut visit: impl FnMut(Row<'_>) -> Result<(), ImportError>,
    ) -> Result<(u64, u64), ImportError> {
        self.source.read(|input| {
            let mut records = Records::new(input, self.delimiter, limits(self.options));
            let mut bytes = match records.next()? {
                Next::Record(header) => header.spent,
                Next::Oversized { .. } | Next::End => return Err(ImportError::Header),
            };
            let mut rows = 0;
            loop {
                let (content, spent, line) = match records.next()? {
                    Next::End => break,
                    Next::Record(record) => (self.check(&record), record.spent, record.line),
                    Next::Oversized { start, spent, line } => {
                        let reason = Reason::RecordSize { limit: self.options.max_record_bytes };
                        (Err((reason, String::from_utf8_lossy(start).into_owned())), spent, line)
                    }
                };
                rows += 1;
                bytes += spent;
                visit(Row { place: Place { row: rows, line: Some(line) }, content, spent })?;
                if rows.is_multiple_of(REPORT_ROWS) {
                    self.report(observer, rows, bytes)?;
                }
            }
            self.report(observer, rows, bytes)?;
            Ok((rows, bytes))
        })
    }

    fn report(&self, observer: &mut Observer<'_>, rows: u64, bytes: u64) -> Result<(), ImportError> {
        let progress = Progress { phase: self.phase, rows, bytes, total_bytes: self.source.total_bytes };
        match observer(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ImportError::Stopped),
        }
    }

    fn check<'r>(&self, record: &Record<'r>) -> Result<TextRecord<'r>, (Reason, String)> {
        let bad = |reason| (reason, record.excerpt(EXCERPT));
        let (expected, found) = (self.columns.len(), record.ends.len());
        if expected != found {
            return Err(bad(Reason::FieldCount { expected, found }));
        }
        let limit = self.options.max_field_bytes;
        if record.bytes.len() > limit {
            let starts = std::iter::once(&0).chain(record.ends);
            let mut lengths = record.ends.iter().zip(starts).map(|(end, start)| end.saturating_sub(*start));
            if let Some(column) =
                lengths.position(|length| length > limit).and_then(|at| self.columns.get(at))
            {
                return Err(bad(Reason::FieldSize { column: column.name.clone(), limit }));
            }
        }
        record.text().ok_or_else(|| bad(Reason::NotUtf8))
    }
}

/// Rows on their way into the table or the quarantine.
struct Rows<'a> {
    columns: &'a [Column],
    grammar: Grammar<'a>,
    builders: Vec<ColumnBuilder>,
    cells: Vec<Cell>,
    batch_limit: usize,
    pending: usize,
    pending_bytes: u64,
    writer: TableWriter<'a>,
    quarantine: Quarantine<'a>,
}

impl<'a> Rows<'a> {
    fn new(schema: &'a Schema, target: Target<'a>, options: &'a ImportOptions) -> Self {
        let columns = schema.columns();
        Self {
            columns,
            grammar: Grammar::of(options),
            builders: columns.iter().map(|column| ColumnBuilder::new(column.data_type)).collect(),
            cells: Vec::with_capacity(columns.len()),
            batch_limit: (BATCH_CELLS / columns.len().max(1)).clamp(1, BATCH_ROWS),
            pending: 0,
            pending_bytes: 0,
            writer: TableWriter::new(target, schema, options.rows_per_file),
            quarantine: Quarantine::new(target, options),
        }
    }

    fn take(&mut self, row: &Row<'_>) -> Result<(), ImportError> {
        let record = match &row.content {
            Ok(record) => *record,
            Err((reason, raw)) => return self.quarantine.add(row.place, reason, raw, row.spent),
        };
        self.cells.clear();
        for (field, column) in record.fields().zip(self.columns) {
            let Some(cell) = self.grammar.parse(field, column.data_type) else {
                let reason = Reason::Value { column: column.name.clone(), data_type: column.data_type };
                return self.quarantine.add(row.place, &reason, &record.excerpt(EXCERPT), row.spent);
            };
            self.cells.push(cell);
        }
        for ((builder, cell), field) in self.builders.iter_mut().zip(&self.cells).zip(record.fields()) {
            builder.append(*cell, field);
        }
        self.pending += 1;
        self.pending_bytes += row.spent;
        if self.pending >= self.batch_limit || self.pending_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        if self.pending == 0 {
            return Ok(());
        }
        let arrays = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        let batch = RecordBatch::try_new(self.writer.arrow_schema().clone(), arrays);
        self.writer.write(&batch.map_err(|error| StorageError::Failed(error.into()))?)?;
        (self.pending, self.pending_bytes) = (0, 0);
        Ok(())
    }

    /// Names the files, if few enough rows were bad.
    fn publish(mut self, rows: u64, bytes: u64, schema: Schema) -> Result<Imported, ImportError> {
        self.flush()?;
        Imported::publish(self.writer, self.quarantine, rows, bytes, schema)
    }
}
