//! Source rows → the rows of a feature view.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Expr, SortExpr, cast, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt as _;
use mainstay_core::time::DataTime;
use mainstay_data::schema::Schema;
use mainstay_data::table::DataFile;
use mainstay_features::definition::{
    Aggregate, CREATED_TIMESTAMP, Content, Dtype, EVENT_TIMESTAMP, Feature, FeatureView, Function,
};
use mainstay_features::online::Value;
use mainstay_features::window::{Cell, Fact, Step, Sweep};

use super::column::{Builder, Reader, arrow_of, view_schema};
use super::error::{FeatureError, missing};
use super::functions::feature_key;
use super::relation::{Facts, KEY, expression, facts, instant, key_columns, select};
use crate::durable::sync_directory;
use crate::scan::{LocalFile, Table};
use crate::table_writer::{TableWriter, Target};

/// Rows gathered into one batch of a windowed view.
const BATCH_ROWS: usize = 8_192;
/// Rows in a file at most.
const FILE_ROWS: u64 = 4 << 20;

/// Which rows are emitted: those that become visible after one instant and up to another. A row is
/// visible from the later of its two instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Visible {
    /// Rows visible here already are left out.
    pub after: Option<DataTime>,
    /// Rows not visible here yet are left out, the expiry of windows included.
    pub until: Option<DataTime>,
}

impl Visible {
    fn holds(self, at: DataTime) -> bool {
        self.after.is_none_or(|after| at > after) && self.until.is_none_or(|until| at <= until)
    }

    /// The same as SQL; a NULL `created` counts as no later than `ts`.
    fn predicate(self, ts: &Expr, created: &Expr) -> Expr {
        let later = |at| ts.clone().gt(instant(at)).or(created.clone().gt(instant(at)).is_true());
        let mut all = lit(true);
        if let Some(after) = self.after {
            all = all.and(later(after));
        }
        if let Some(until) = self.until {
            all = all.and(Expr::Not(Box::new(later(until))));
        }
        all
    }
}

/// The emitted rows, as files of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Emitted {
    /// Its columns.
    pub schema: Schema,
    /// Its files; one without rows if nothing was emitted.
    pub files: Vec<DataFile>,
    /// The number of rows.
    pub rows: u64,
}

/// Emits the rows of a view from its source's table, in the order (key, `event_timestamp`,
/// `created_timestamp`), into durable files named by their digests. The same source and definition give
/// the same bytes.
///
/// Source rows whose timestamp or key is NULL are no facts; for a windowed view also those whose
/// `created` is NULL.
pub async fn emit(
    session: &SessionContext,
    view: &FeatureView,
    source: &Table,
    visible: Visible,
    target: Target<'_>,
) -> Result<Emitted, FeatureError> {
    let facts = facts(session, &view.source, source)?;
    let schema = view_schema(view)?;
    let mut writer = TableWriter::new(target, &schema, FILE_ROWS);
    match &view.content {
        Content::Features(features) => plain(view, features, facts, visible, &mut writer).await?,
        Content::Aggregates(aggregates) => windowed(view, aggregates, facts, visible, &mut writer).await?,
    }
    let files = writer.publish()?;
    sync_directory(target.directory)?;
    let rows = files.iter().map(|file| file.rows).sum();
    Ok(Emitted { schema, files, rows })
}

fn ascending(columns: impl IntoIterator<Item = impl Into<String>>) -> Vec<SortExpr> {
    columns.into_iter().map(|name| ident(name).sort(true, true)).collect()
}

async fn plain(
    view: &FeatureView,
    features: &[Feature],
    facts: Facts,
    visible: Visible,
    writer: &mut TableWriter<'_>,
) -> Result<(), FeatureError> {
    let mut columns = key_columns(&facts.frame, view)?;
    columns.push(facts.ts.alias(EVENT_TIMESTAMP));
    columns.push(facts.created.alias(CREATED_TIMESTAMP));
    let place = format!("feature_views {}", view.name);
    for feature in features {
        let at = format!("{place}.features.{}", feature.name);
        let value = expression(&facts.frame, &at, &feature.expression)?;
        columns.push(cast(value, arrow_of(feature.dtype)).alias(&feature.name));
    }
    let mut rows = select(facts.frame, &place, columns)?.filter(ident(EVENT_TIMESTAMP).is_not_null())?;
    for key in &view.keys {
        rows = rows.filter(ident(&key.name).is_not_null())?;
    }
    rows = rows.filter(visible.predicate(&ident(EVENT_TIMESTAMP), &ident(CREATED_TIMESTAMP)))?;
    let order: Vec<String> =
        writer.arrow_schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut batches = rows.sort(ascending(order))?.execute_stream().await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        writer.write(&RecordBatch::try_new(Arc::clone(writer.arrow_schema()), batch.columns().to_vec())?)?;
    }
    Ok(())
}

/// The column of an aggregate's cells: true where there is something to count, or the value.
fn cells(frame: &DataFrame, view: &FeatureView, aggregate: &Aggregate) -> Result<Expr, FeatureError> {
    let place = format!("feature_views {}.aggregates.{}.column", view.name, aggregate.name);
    let Some(column) = &aggregate.column else { return Ok(lit(true)) };
    let value = expression(frame, &place, column)?;
    Ok(match (aggregate.function, aggregate.dtype) {
        (Function::Count, _) => value.is_not_null(),
        (Function::Rate, _) => cast(value, DataType::Boolean),
        (_, Dtype::Int64) => cast(value, DataType::Int64),
        _ => cast(value, DataType::Float64),
    })
}

fn cell(function: Function, value: &Value) -> Cell {
    match value {
        Value::Bool(false) if function == Function::Count => Cell::Null,
        Value::Bool(b) => Cell::Int(i64::from(*b)),
        Value::Int(i) => Cell::Int(*i),
        Value::Float(f) => Cell::Float(*f),
        Value::Null | Value::Text(_) | Value::Time(_) => Cell::Null,
    }
}

async fn windowed(
    view: &FeatureView,
    aggregates: &[Aggregate],
    facts: Facts,
    visible: Visible,
    writer: &mut TableWriter<'_>,
) -> Result<(), FeatureError> {
    let keys = key_columns(&facts.frame, view)?;
    let mut columns = vec![feature_key(keys.iter().cloned().map(Expr::unalias).collect()).alias(KEY)];
    columns.extend(keys);
    columns.push(facts.ts.alias(EVENT_TIMESTAMP));
    columns.push(facts.created.alias(CREATED_TIMESTAMP));
    for (at, aggregate) in aggregates.iter().enumerate() {
        columns.push(cells(&facts.frame, view, aggregate)?.alias(format!("__cell_{at}")));
    }
    let mut rows = select(facts.frame, &format!("feature_views {}", view.name), columns)?;
    for needed in [KEY, EVENT_TIMESTAMP, CREATED_TIMESTAMP] {
        rows = rows.filter(ident(needed).is_not_null())?;
    }
    rows = needed_facts(rows, aggregates, visible).await?;
    let mut order = vec![KEY.to_owned(), EVENT_TIMESTAMP.to_owned(), CREATED_TIMESTAMP.to_owned()];
    order.extend((0..aggregates.len()).map(|at| format!("__cell_{at}")));
    let mut batches = rows.sort(ascending(order))?.execute_stream().await?;
    let mut out = Rows::new(view, visible, writer);
    let mut sweep = Sweep::new(aggregates);
    let mut current: Option<Vec<u8>> = None;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let input = Input::of(&batch, view, aggregates)?;
        for row in 0..batch.num_rows() {
            let key = input.key.value(row);
            if current.as_deref() != Some(key) {
                sweep.finish(&mut |step| out.push(&step))?;
                out.key = input.keys.iter().map(|reader| reader.value(row)).collect();
                current = Some(key.to_vec());
            }
            sweep.push(input.fact(row), &mut |step| out.push(&step))?;
        }
        out.write_full()?;
    }
    sweep.finish(&mut |step| out.push(&step))?;
    out.write()
}

/// Leaves out the facts that no wanted row folds: those that are not known at the end, and those that
/// have left every window before the first row. The first row is the first after `visible.after`, or the
/// first that a fact which became known after it changes.
async fn needed_facts(
    mut rows: DataFrame,
    aggregates: &[Aggregate],
    visible: Visible,
) -> Result<DataFrame, FeatureError> {
    let (ts, created) = (ident(EVENT_TIMESTAMP), ident(CREATED_TIMESTAMP));
    if let Some(until) = visible.until {
        rows = rows.filter(ts.clone().lt_eq(instant(until)).and(created.clone().lt_eq(instant(until))))?;
    }
    let Some(after) = visible.after else { return Ok(rows) };
    let late = rows.clone().filter(created.gt(instant(after)).and(ts.clone().lt_eq(instant(after))))?;
    let earliest = late.aggregate(Vec::new(), vec![min(ts.clone())])?.collect().await?;
    let earliest = earliest.first().and_then(|batch| {
        let column = batch.columns().first()?.as_primitive_opt::<TimestampMicrosecondType>()?;
        (!column.is_empty() && column.is_valid(0)).then(|| DataTime::from_micros(column.value(0)))
    });
    let longest = aggregates.iter().map(|a| a.window.micros()).max().unwrap_or(0);
    let from = earliest.map_or(after, |earliest| earliest.min(after)).plus(-longest);
    Ok(rows.filter(ts.gt_eq(instant(from)))?)
}

/// A batch of sorted facts.
struct Input<'a> {
    key: &'a arrow::array::BinaryArray,
    keys: Vec<Reader<'a>>,
    ts: &'a arrow::array::TimestampMicrosecondArray,
    created: &'a arrow::array::TimestampMicrosecondArray,
    cells: Vec<(Function, Reader<'a>)>,
}

impl<'a> Input<'a> {
    fn of(
        batch: &'a RecordBatch,
        view: &FeatureView,
        aggregates: &[Aggregate],
    ) -> Result<Self, FeatureError> {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
        let reader = |name: &str| Reader::of(column(name)?).ok_or_else(|| missing(name));
        let time = |name: &str| {
            column(name)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| missing(name))
        };
        let cell =
            |(at, aggregate): (usize, &Aggregate)| Ok((aggregate.function, reader(&format!("__cell_{at}"))?));
        Ok(Self {
            key: column(KEY)?.as_binary_opt::<i32>().ok_or_else(|| missing(KEY))?,
            keys: view.keys.iter().map(|key| reader(&key.name)).collect::<Result<_, FeatureError>>()?,
            ts: time(EVENT_TIMESTAMP)?,
            created: time(CREATED_TIMESTAMP)?,
            cells: aggregates.iter().enumerate().map(cell).collect::<Result<_, FeatureError>>()?,
        })
    }

    fn fact(&self, row: usize) -> Fact {
        Fact {
            ts: DataTime::from_micros(self.ts.value(row)),
            created: DataTime::from_micros(self.created.value(row)),
            cells: self.cells.iter().map(|(function, reader)| cell(*function, &reader.value(row))).collect(),
        }
    }
}

/// Rows on their way into files.
struct Rows<'a, 'w> {
    visible: Visible,
    key: Vec<Value>,
    keys: Vec<Builder>,
    instants: [Builder; 2],
    values: Vec<Builder>,
    count: usize,
    writer: &'a mut TableWriter<'w>,
}

impl<'a, 'w> Rows<'a, 'w> {
    fn new(view: &FeatureView, visible: Visible, writer: &'a mut TableWriter<'w>) -> Self {
        Self {
            visible,
            key: Vec::new(),
            keys: view.keys.iter().map(|key| Builder::new(key.dtype)).collect(),
            instants: [Builder::new(Dtype::Timestamp), Builder::new(Dtype::Timestamp)],
            values: view.schema().iter().map(|(_, dtype)| Builder::new(*dtype)).collect(),
            count: 0,
            writer,
        }
    }

    fn push(&mut self, step: &Step) {
        if !self.visible.holds(step.stamp.visible()) {
            return;
        }
        for (builder, value) in self.keys.iter_mut().zip(&self.key) {
            builder.append(Some(value));
        }
        for (builder, at) in self.instants.iter_mut().zip([step.stamp.ts, step.stamp.created]) {
            builder.append(Some(&Value::Time(at)));
        }
        for (builder, value) in self.values.iter_mut().zip(&step.values) {
            builder.append(Some(value));
        }
        self.count += 1;
    }

    fn write_full(&mut self) -> Result<(), FeatureError> {
        if self.count >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), FeatureError> {
        let builders = self.keys.iter_mut().chain(&mut self.instants).chain(&mut self.values);
        let columns = builders.map(Builder::finish).collect();
        self.count = 0;
        let batch = RecordBatch::try_new(Arc::clone(self.writer.arrow_schema()), columns)?;
        Ok(self.writer.write(&batch)?)
    }
}

impl Emitted {
    /// The rows as a table whose object keys lie under `root`.
    pub fn under(&self, root: &Path) -> Table {
        let local = |file: &DataFile| LocalFile {
            path: root.join(&file.object_key),
            object_key: file.object_key.clone(),
            sha256: file.sha256,
            rows: file.rows,
        };
        Table { schema: self.schema.clone(), files: self.files.iter().map(local).collect() }
    }
}
