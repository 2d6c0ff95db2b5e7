//! Counts what a suite needs of a table, in one pass over the columns that it names.

use std::fs::File;
use std::io;

use arrow::array::{Array, RecordBatch};
use mainstay_data::expectations::{
    PARTIAL_LIMIT, Probe, Suite, SuiteResult, Unexpected, ValueCounts, ValueTest,
};
use mainstay_data::schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::columns::Values;
use crate::error::QueryError;
use crate::scan::{LocalFile, Table};

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// Judges a table. Blocks; memory is bounded by a batch of the columns that the suite names.
pub fn validate(table: &Table, suite: &Suite) -> Result<SuiteResult, QueryError> {
    let plan = suite.plan(&table.schema);
    let mut counter = Counter::new(&table.schema, &plan);
    let mut rows = 0;
    for file in &table.files {
        rows += if counter.probes.is_empty() { file.rows } else { counter.count_file(file, rows)? };
    }
    Ok(suite.evaluate(&table.schema, rows, &plan, &counter.counts))
}

struct Counter<'a> {
    /// Per probe of values: its position in the plan, the column and its type, the test.
    probes: Vec<(usize, usize, DataType, &'a ValueTest)>,
    /// The columns to read, ascending.
    columns: Vec<usize>,
    counts: Vec<ValueCounts>,
}

impl<'a> Counter<'a> {
    fn new(schema: &Schema, plan: &'a [Probe]) -> Self {
        let probes: Vec<_> = plan
            .iter()
            .enumerate()
            .filter_map(|(at, probe)| match probe {
                Probe::Values { column, test } => {
                    Some((at, *column, schema.columns().get(*column)?.data_type, test))
                }
                Probe::Nothing | Probe::Impossible(_) => None,
            })
            .collect();
        let mut columns: Vec<_> = probes.iter().map(|(_, column, ..)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        Self { probes, columns, counts: vec![ValueCounts::default(); plan.len()] }
    }

    /// Counts one file, whose first row is row `first` of the table; gives its number of rows.
    fn count_file(&mut self, file: &LocalFile, first: u64) -> Result<u64, QueryError> {
        let open = File::open(&file.path).map_err(|error| file.damaged(error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(open).map_err(|error| file.damaged(error))?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), self.columns.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
        let mut rows = 0;
        for batch in reader.map_err(|error| file.damaged(error))? {
            let batch = batch.map_err(|error| file.damaged(error))?;
            self.count_batch(&batch, first + rows)
                .ok_or_else(|| file.damaged(io::Error::other("its columns are not those of the table")))?;
            rows += batch.num_rows() as u64;
        }
        Ok(rows)
    }

    /// `None` if the batch does not have the columns that the schema promises.
    fn count_batch(&mut self, batch: &RecordBatch, first: u64) -> Option<()> {
        for (at, column, data_type, test) in &self.probes {
            let array = batch.columns().get(self.columns.binary_search(column).ok()?)?;
            let values = Values::of(array, *data_type)?;
            count(self.counts.get_mut(*at)?, &values, array.as_ref(), test, first);
        }
        Some(())
    }
}

/// Adds one batch of a column. NaN counts as null.
fn count(counts: &mut ValueCounts, values: &Values<'_>, array: &dyn Array, test: &ValueTest, first: u64) {
    counts.elements += array.len() as u64;
    let present = matches!(test, ValueTest::Present);
    if present && array.null_count() == 0 && !matches!(values, Values::Float(_)) {
        return;
    }
    for row in 0..array.len() {
        let fits = fits(values, row, test);
        if fits.is_none() {
            counts.missing += 1;
        }
        let unexpected = if present { fits.is_none() } else { fits == Some(false) };
        if unexpected {
            counts.unexpected += 1;
            if counts.partial.len() < PARTIAL_LIMIT {
                let value = if present { None } else { values.scalar(row) };
                counts.partial.push(Unexpected { row: first + row as u64, value });
            }
        }
    }
}

/// Whether the value at `row` fits; `None` if there is none.
fn fits(values: &Values<'_>, row: usize, test: &ValueTest) -> Option<bool> {
    match values {
        Values::Bool(a) => a.is_valid(row).then(|| test.fits_bool(a.value(row))),
        Values::Int(a) => a.is_valid(row).then(|| test.fits_int(a.value(row))),
        Values::Float(a) => {
            let value = a.is_valid(row).then(|| a.value(row)).filter(|value| !value.is_nan())?;
            Some(test.fits_float(value))
        }
        Values::Text(a) => a.is_valid(row).then(|| test.fits_text(a.value(row))),
        Values::Timestamp(a) => a.is_valid(row).then(|| test.fits_int(a.value(row))),
        Values::Date(a) => a.is_valid(row).then(|| test.fits_int(i64::from(a.value(row)))),
    }
}
