//! What an import may do, and what it reports.

use std::ops::ControlFlow;

use mainstay_data::dates::DateOrder;
use mainstay_data::schema::DeclaredTypes;
use serde::{Deserialize, Serialize};

use super::error::ImportError;

/// How the text of a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TextFormat {
    /// What separates fields. If it is not said it is a comma, and a file that then has a single column with
    /// another separator in its name is refused.
    pub delimiter: Option<char>,
    /// Whether numbers are written as `3,14`.
    pub decimal_comma: bool,
    /// How dates are written that are not in the form of RFC 3339, which is always read.
    pub date_order: Option<DateOrder>,
}

impl TextFormat {
    /// The delimiter as the parser takes it.
    pub(super) fn delimiter_byte(self) -> Result<u8, ImportError> {
        let delimiter = u8::try_from(self.delimiter.unwrap_or(',')).map_err(|_| ImportError::Delimiter)?;
        let is_usable = delimiter.is_ascii() && !matches!(delimiter, b'"' | b'\n' | b'\r');
        is_usable.then_some(delimiter).ok_or(ImportError::Delimiter)
    }
}

/// How a file is read and how much of it may be bad.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// Types that override what would be inferred.
    pub declared: DeclaredTypes,
    /// How text is written.
    pub format: TextFormat,
    /// Texts that mean null in columns that hold no text.
    pub null_tokens: Vec<String>,
    /// Texts that mean null in text columns. `NA` is none of them: it is Namibia's country code.
    pub text_null_tokens: Vec<String>,
    /// The share of rows, and of bytes, that may be bad. Beyond it the import fails.
    pub max_bad_share: f64,
    /// How many rows may be bad, whatever their share.
    pub max_bad_rows: u64,
    /// Longest field, in bytes.
    pub max_field_bytes: usize,
    /// Longest record, in bytes.
    pub max_record_bytes: usize,
    /// How many times larger than its compressed form the content of a zip archive may be.
    pub max_zip_ratio: u64,
    /// Largest content of a zip archive, in bytes.
    pub max_unzipped_bytes: u64,
    /// Rows in one Parquet file at most.
    pub rows_per_file: u64,
}

impl Default for ImportOptions {
    fn default() -> Self {
        let texts = |tokens: &[&str]| tokens.iter().map(|&token| token.to_owned()).collect();
        Self {
            declared: DeclaredTypes::new(),
            format: TextFormat::default(),
            null_tokens: texts(&["", "NA", "N/A", "NaN", "nan", "null", "NULL"]),
            text_null_tokens: texts(&[""]),
            max_bad_share: 0.01,
            max_bad_rows: 100_000,
            max_field_bytes: 1 << 20,
            max_record_bytes: 8 << 20,
            max_zip_ratio: 200,
            max_unzipped_bytes: 64 << 30,
            rows_per_file: 4_000_000,
        }
    }
}

/// What the import is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading everything once to learn the types.
    Inferring,
    /// Reading and writing.
    Writing,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// In which phase.
    pub phase: Phase,
    /// Rows read in this phase.
    pub rows: u64,
    /// Bytes of the source read in this phase.
    pub bytes: u64,
    /// Bytes of the source.
    pub total_bytes: u64,
}

/// Told now and then how far an import is; may stop it.
pub type Observer<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;
