//! Bad rows: kept apart with their reasons, and counted against a limit.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;

use mainstay_data::schema::DataType;
use mainstay_data::table::QuarantineFile;
use serde_json::json;
use thiserror::Error;

use super::error::ImportError;
use super::options::ImportOptions;
use crate::durable::Draft;
use crate::error::unwritten;
use crate::table_writer::Target;

/// How much of a bad row is kept, in characters.
const EXCERPT: usize = 2_000;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// Too few or too many fields.
    #[error("it has {found} fields, but there are {expected} columns")]
    FieldCount {
        /// Columns.
        expected: usize,
        /// Fields.
        found: usize,
    },
    /// A field is no value of its column's type.
    #[error("the value of {column:?} is not of type {data_type}")]
    Value {
        /// Which column.
        column: String,
        /// Its type.
        data_type: DataType,
    },
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A field is longer than allowed.
    #[error("the value of {column:?} is longer than {limit} bytes")]
    FieldSize {
        /// Which column.
        column: String,
        /// The limit.
        limit: usize,
    },
    /// The record is longer, or has more fields, than allowed.
    #[error("it is longer than {limit} bytes or has far too many fields; perhaps a quote is not closed")]
    RecordSize {
        /// The limit.
        limit: usize,
    },
}

impl Reason {
    /// A stable word for the kind of reason.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FieldCount { .. } => "field-count",
            Self::Value { .. } => "value",
            Self::NotUtf8 => "not-utf8",
            Self::FieldSize { .. } => "field-size",
            Self::RecordSize { .. } => "record-size",
        }
    }

    fn column(&self) -> Option<&str> {
        match self {
            Self::Value { column, .. } | Self::FieldSize { column, .. } => Some(column),
            _ => None,
        }
    }
}

/// Where a row is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1, without the header.
    pub row: u64,
    /// The line that it begins in, from 1 with the header; of text only.
    pub line: Option<u64>,
}

impl Place {
    /// Of a file without lines.
    pub(super) const fn row(row: u64) -> Self {
        Self { row, line: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}"),
            None => write!(f, "row {}", self.row),
        }
    }
}

/// Bad rows by kind of reason.
pub type ReasonCounts = BTreeMap<&'static str, u64>;

/// Gathers bad rows in a file of newline-delimited JSON:
/// `{"row":7,"line":8,"kind":"value","column":"dep_time","reason":"…","raw":"…"}`, rows counted from 1 without
/// the header, lines from 1 with it. The file appears only if there are any.
pub(super) struct Quarantine<'a> {
    target: Target<'a>,
    max_share: f64,
    max_rows: u64,
    draft: Option<Draft>,
    counts: ReasonCounts,
    rows: u64,
    bytes: u64,
    first: Option<(Place, String)>,
}

impl<'a> Quarantine<'a> {
    pub(super) fn new(target: Target<'a>, options: &ImportOptions) -> Self {
        Self {
            target,
            max_share: options.max_bad_share,
            max_rows: options.max_bad_rows,
            draft: None,
            counts: ReasonCounts::new(),
            rows: 0,
            bytes: 0,
            first: None,
        }
    }

    /// Puts a row aside. `spent` is how many bytes of the source it takes.
    pub(super) fn add(
        &mut self,
        place: Place,
        reason: &Reason,
        raw: &str,
        spent: u64,
    ) -> Result<(), ImportError> {
        self.rows += 1;
        self.bytes += spent;
        *self.counts.entry(reason.kind()).or_default() += 1;
        if self.first.is_none() {
            self.first = Some((place, reason.to_string()));
        }
        if self.rows > self.max_rows {
            return Err(self.too_many(place.row));
        }
        let line = json!({
            "row": place.row,
            "line": place.line,
            "kind": reason.kind(),
            "column": reason.column(),
            "reason": reason.to_string(),
            "raw": raw.chars().take(EXCERPT).collect::<String>(),
        });
        let draft = match &mut self.draft {
            Some(draft) => draft,
            None => self.draft.insert(Draft::new_in(self.target.directory)?),
        };
        writeln!(draft, "{line}").map_err(|error| unwritten(error).into())
    }

    fn too_many(&self, rows: u64) -> ImportError {
        let (first, reason) = self.first.clone().unwrap_or((Place::row(0), String::new()));
        ImportError::TooManyBadRows { bad: self.rows, rows, first, reason }
    }

    /// Fails if the share of bad rows or bytes is too large; otherwise names the file, if there is one.
    pub(super) fn publish(
        self,
        rows: u64,
        bytes: u64,
    ) -> Result<(Option<QuarantineFile>, ReasonCounts), ImportError> {
        let beyond = |part: u64, whole: u64| part as f64 > self.max_share * whole as f64;
        if beyond(self.rows, rows) || beyond(self.bytes, bytes) {
            return Err(self.too_many(rows));
        }
        let Some(draft) = self.draft else { return Ok((None, self.counts)) };
        let sealed = draft.seal()?;
        let name = format!("{}.bad.ndjson", sealed.digest.hex());
        let file = QuarantineFile {
            object_key: format!("{}{name}", self.target.key_prefix),
            sha256: sealed.digest,
            rows: self.rows,
            bytes: sealed.bytes,
        };
        sealed.publish(&self.target.directory.join(name))?;
        Ok((Some(file), self.counts))
    }
}
