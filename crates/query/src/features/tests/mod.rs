//! Feature rows against the slow rule, against `DuckDB`'s answers, and against themselves in parts.

mod joined;
mod reference;
mod whole;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;
use mainstay_data::schema::{Column, DataType, Schema};
use mainstay_features::definition::{Definitions, FeatureView};

use super::*;
use crate::columns::arrow_schema;
use crate::scan::{LocalFile, Table};
use crate::session::{SessionOptions, open};
use crate::table_writer::{TableWriter, Target};

/// A session that spills into `dir`.
fn session(dir: &Path) -> SessionContext {
    open(&SessionOptions::spilling_to(dir.join("spill"))).unwrap()
}

fn target(dir: &Path) -> Target<'_> {
    Target { directory: dir, key_prefix: "" }
}

fn text(values: impl IntoIterator<Item = Option<impl Into<String>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(|v| v.map(Into::into)).collect::<StringArray>())
}

fn ints(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

fn times(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

/// Columns as a frame in memory.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, a)| (name, a, true))).unwrap()
}

/// Columns as a table of one file.
fn table(dir: &Path, columns: Vec<(&str, DataType, ArrayRef)>) -> Table {
    let schema = columns.iter().map(|(name, data_type, _)| Column::new(*name, *data_type)).collect();
    let schema = Schema::new(schema).unwrap();
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let mut writer = TableWriter::new(target(dir), &schema, 1 << 20);
    writer.write(&RecordBatch::try_new(arrow_schema(&schema), arrays).unwrap()).unwrap();
    let files = writer.publish().unwrap();
    let local = |file: &mainstay_data::table::DataFile| LocalFile {
        path: dir.join(&file.object_key),
        object_key: file.object_key.clone(),
        sha256: file.sha256,
        rows: file.rows,
    };
    Table { files: files.iter().map(local).collect(), schema }
}

fn view(definitions: &str, name: &str) -> FeatureView {
    Definitions::parse(definitions).unwrap().view(name).unwrap().clone()
}

/// All rows of a frame in one batch.
async fn collect(frame: FrameStream) -> RecordBatch {
    let batches: Vec<RecordBatch> = frame.batches.try_collect().await.unwrap();
    arrow::compute::concat_batches(&frame.schema, &batches).unwrap()
}

fn int_column(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
}

fn float_column(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    let column = batch.column_by_name(name).unwrap();
    column.as_primitive::<arrow::datatypes::Float64Type>().iter().collect()
}
