//! Reading table versions: all of one, or some of its columns and rows, as a stream of batches.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;
use mainstay_core::digest::Digest;
use mainstay_core::error::Cause;
use mainstay_core::time::DataTime;
use mainstay_data::scalar::Scalar;
use mainstay_data::schema::{DataType, Schema};
use mainstay_data::table::Manifest;
use sha2::{Digest as _, Sha256};

use crate::columns::arrow_schema;
use crate::error::QueryError;

/// A file of a table on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its key in the object store, for messages.
    pub object_key: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its rows.
    pub rows: u64,
}

impl LocalFile {
    pub(crate) fn damaged(&self, cause: impl Into<Cause>) -> QueryError {
        QueryError::Damaged { file: self.object_key.clone(), cause: cause.into() }
    }

    /// Reads the file and compares its digest.
    pub fn verify(&self) -> Result<(), QueryError> {
        let mut file = File::open(&self.path).map_err(|error| self.damaged(error))?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer).map_err(|error| self.damaged(error))? {
                0 => break,
                count => hasher.update(buffer.get(..count).unwrap_or_default()),
            }
        }
        if Digest::from_bytes(hasher.finalize().into()) == self.sha256 {
            Ok(())
        } else {
            Err(self.damaged(io::Error::other("its digest is not the recorded one")))
        }
    }
}

/// A table version whose files are on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its columns.
    pub schema: Schema,
    /// Its files, in order.
    pub files: Vec<LocalFile>,
}

impl Table {
    /// The table of a manifest, with its object keys under `root`.
    pub fn under(root: &Path, manifest: &Manifest) -> Self {
        let local = |file: &mainstay_data::table::DataFile| LocalFile {
            path: root.join(&file.object_key),
            object_key: file.object_key.clone(),
            sha256: file.sha256,
            rows: file.rows,
        };
        Self { schema: manifest.schema.clone(), files: manifest.files.iter().map(local).collect() }
    }
}

/// Which rows are wanted. All conditions must hold; null meets none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowFilter {
    /// Rows whose instant in a column lies in `[from, until)`.
    pub between: Option<TimeRange>,
    /// Rows whose columns hold these values.
    pub equal: Vec<(String, Scalar)>,
}

/// `from <= column < until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRange {
    /// A timestamp column.
    pub column: String,
    /// The first instant.
    pub from: DataTime,
    /// The first instant that is out.
    pub until: DataTime,
}

/// Which part of a table is wanted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    /// The columns, in this order; all if absent.
    pub columns: Option<Vec<String>>,
    /// The rows.
    pub rows: RowFilter,
}

/// A table as a DataFusion frame, for further plans.
pub fn frame(session: &SessionContext, table: &Table) -> Result<DataFrame, QueryError> {
    let schema = arrow_schema(&table.schema);
    if table.files.is_empty() {
        return Ok(session.read_batch(arrow::array::RecordBatch::new_empty(schema))?);
    }
    let url = |file: &LocalFile| {
        let path = std::path::absolute(&file.path).map_err(|error| file.damaged(error))?;
        let path = path.to_str().ok_or_else(|| file.damaged(io::Error::other("its path is not UTF-8")))?;
        Ok(ListingTableUrl::parse(file_url(path))?)
    };
    let urls = table.files.iter().map(url).collect::<Result<Vec<_>, QueryError>>()?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
    let config =
        ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(schema);
    Ok(session.read_table(Arc::new(ListingTable::try_new(config)?))?)
}

/// An absolute path as a URL (RFC 8089). A bare path would be searched for glob characters.
fn file_url(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    let encoded = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    format!("file://{}", encoded.collect::<String>())
}

/// The wanted part of a table as a DataFusion frame.
pub fn select(
    session: &SessionContext,
    table: &Table,
    selection: &Selection,
) -> Result<DataFrame, QueryError> {
    let mut frame = frame(session, table)?;
    for condition in conditions(&table.schema, &selection.rows)? {
        frame = frame.filter(condition)?;
    }
    if let Some(columns) = &selection.columns {
        if let Some(unknown) = columns.iter().find(|name| table.schema.position(name).is_none()) {
            return Err(QueryError::UnknownColumn(unknown.clone()));
        }
        frame = frame.select(columns.iter().map(ident).collect::<Vec<_>>())?;
    }
    Ok(frame)
}

/// The wanted part of a table as a stream of batches. Rows may come in any order.
pub async fn scan(
    session: &SessionContext,
    table: &Table,
    selection: &Selection,
) -> Result<SendableRecordBatchStream, QueryError> {
    Ok(select(session, table, selection)?.execute_stream().await?)
}

fn conditions(schema: &Schema, filter: &RowFilter) -> Result<Vec<Expr>, QueryError> {
    let typed = |column: &String, given: DataType| match schema.type_of(column) {
        None => Err(QueryError::UnknownColumn(column.clone())),
        Some(found) if found != given => Err(QueryError::FilterType { column: column.clone(), found, given }),
        Some(_) => Ok(ident(column)),
    };
    let mut conditions = Vec::new();
    if let Some(TimeRange { column, from, until }) = &filter.between {
        let instant = typed(column, DataType::Timestamp)?;
        let from = lit(scalar_value(&Scalar::Timestamp(*from)));
        let until = lit(scalar_value(&Scalar::Timestamp(*until)));
        conditions.push(instant.clone().gt_eq(from).and(instant.lt(until)));
    }
    for (column, value) in &filter.equal {
        conditions.push(typed(column, value.data_type())?.eq(lit(scalar_value(value))));
    }
    Ok(conditions)
}

/// A value of the domain as DataFusion's.
pub fn scalar_value(value: &Scalar) -> ScalarValue {
    match value {
        Scalar::Bool(value) => ScalarValue::Boolean(Some(*value)),
        Scalar::Int(value) => ScalarValue::Int64(Some(*value)),
        Scalar::Float(value) => ScalarValue::Float64(Some(*value)),
        Scalar::Text(value) => ScalarValue::Utf8(Some(value.clone())),
        Scalar::Timestamp(at) => ScalarValue::TimestampMicrosecond(Some(at.micros()), Some("UTC".into())),
        Scalar::Date(days) => ScalarValue::Date32(Some(*days)),
    }
}
