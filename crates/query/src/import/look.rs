//! A look at a CSV file of which nothing is known: what separates its fields, and how its numbers and dates are
//! written. What follows from it is for a person, or for who asks, to decide: an import guesses none of it.

use std::path::Path;

use mainstay_data::dates::DateOrder;
use mainstay_data::scalar::parse_timestamp;
use mainstay_data::schema::{Column, DataType, Schema};

use super::cells::{Grammar, parse_float, parse_float_with_comma};
use super::error::ImportError;
use super::options::{ImportOptions, TextFormat};
use super::records::{Next, Records, TextRecord};
use super::source::{Source, TextSource};
use super::text::{DELIMITERS, header, limits};

/// Records that decide about the delimiter.
const SAMPLE: usize = 200;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What separates fields.
    pub delimiter: char,
    /// The columns, in order.
    pub columns: Vec<ColumnLook>,
    /// Rows, good and bad.
    pub rows: u64,
    /// Whether the text lies in an archive.
    pub is_archive: bool,
}

/// How the values of a column are written: how many are of which form. A value may be of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnLook {
    /// Its name.
    pub name: String,
    /// Values that are not null.
    pub values: u64,
    /// Instants and dates of RFC 3339.
    pub iso: u64,
    /// Other dates, by [`DateOrder::ALL`].
    pub orders: [u64; 3],
    /// Numbers with a decimal comma, such as `3,14`.
    pub decimal_comma: u64,
    /// Numbers with a decimal point.
    pub decimal_point: u64,
    /// The first value that is no date in any form.
    pub odd: Option<String>,
}

/// Looks through a file of text; `delimiter`, if it is known already. `None` for a file that is no text: Parquet
/// says itself what it holds.
pub fn look(
    path: &Path,
    delimiter: Option<char>,
    options: &ImportOptions,
) -> Result<Option<Look>, ImportError> {
    let source = match Source::detect(path, options)? {
        Source::Text(source) => source,
        Source::Parquet(_) => return Ok(None),
    };
    let delimiter = match delimiter {
        Some(delimiter) => delimiter,
        None => delimiter_of(&source, options)?,
    };
    let byte = TextFormat { delimiter: Some(delimiter), ..TextFormat::default() }.delimiter_byte()?;
    let names = header(&source, byte, options)?;
    // Names that make no table are told now, before anything is made of them.
    Schema::new(names.iter().map(|name| Column::new(name, DataType::Utf8)).collect())?;
    let mut columns: Vec<ColumnLook> =
        names.into_iter().map(|name| ColumnLook { name, ..ColumnLook::default() }).collect();
    let grammar = Grammar::of(options);
    let rows = source.read(|input| {
        let mut records = Records::new(input, byte, limits(options));
        let mut lines = 0_u64;
        loop {
            match records.next()? {
                Next::End => return Ok(lines.saturating_sub(1)),
                Next::Record(record) if lines > 0 => {
                    if let Some(text) = record.text().filter(|_| record.ends.len() == columns.len()) {
                        observe(text, &grammar, &mut columns);
                    }
                }
                Next::Record(_) | Next::Oversized { .. } => {}
            }
            lines += 1;
        }
    })?;
    Ok(Some(Look { delimiter, columns, rows, is_archive: source.zipped }))
}

fn observe(record: TextRecord<'_>, grammar: &Grammar<'_>, columns: &mut [ColumnLook]) {
    for (field, column) in record.fields().zip(columns) {
        if !grammar.is_silent(field) {
            column.observe(field.trim_ascii());
        }
    }
}

impl ColumnLook {
    fn observe(&mut self, field: &str) {
        self.values += 1;
        if field.as_bytes().first().is_some_and(|first| first.is_ascii_digit() || b"+-.,".contains(first)) {
            self.decimal_comma += u64::from(field.contains(',') && parse_float_with_comma(field).is_some());
            self.decimal_point += u64::from(field.contains('.') && parse_float(field).is_some());
            if parse_timestamp(field).is_some() {
                self.iso += 1;
                return;
            }
            let mut is_date = false;
            for possible in DateOrder::possible(field) {
                is_date = true;
                let counted =
                    DateOrder::ALL.iter().zip(&mut self.orders).find(|(order, _)| **order == possible);
                if let Some((_, count)) = counted {
                    *count += 1;
                }
            }
            if is_date {
                return;
            }
        }
        self.odd.get_or_insert_with(|| field.to_owned());
    }
}

/// The separator by which nearly all records have as many fields as there are names, and the most of them; a
/// comma if there is none.
fn delimiter_of(source: &TextSource, options: &ImportOptions) -> Result<char, ImportError> {
    let mut best = (',', 1);
    for candidate in std::iter::once(',').chain(DELIMITERS) {
        let byte = TextFormat { delimiter: Some(candidate), ..TextFormat::default() }.delimiter_byte()?;
        let (names, records, alike) = source.read(|input| {
            let mut reading = Records::new(input, byte, limits(options));
            let (mut names, mut records, mut alike) = (0, 0, 0);
            while records < SAMPLE {
                let fields = match reading.next()? {
                    Next::End => break,
                    Next::Record(record) => record.ends.len(),
                    Next::Oversized { .. } => 0,
                };
                if names == 0 {
                    names = fields.max(1);
                } else {
                    records += 1;
                    alike += usize::from(fields == names);
                }
            }
            Ok((names, records, alike))
        })?;
        let fits = alike * 10 >= records * 9;
        if fits && names > best.1 {
            best = (candidate, names);
        }
    }
    Ok(best.0)
}
