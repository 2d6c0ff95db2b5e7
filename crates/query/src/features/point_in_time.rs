//! Entity rows × views → a frame, by the rule of [`mainstay_features::rule`].
//!
//! Views with the same join keys are joined together: entity rows and packed feature rows are united,
//! sorted by (key, instant, kind), and the greatest packed row so far, per view, is the newest visible
//! one, because feature rows stand at the instant from which they are visible and packed rows order as
//! rows do. Views with other join keys follow in the same way, with what was found so far carried along.
//! The ttl is applied last, when the packed rows are taken apart.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimestampMicrosecondType};
use datafusion::functions_aggregate::min_max::max_udaf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt as _, WindowFrame, WindowFrameBound, WindowFrameUnits, cast, ident, lit,
};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::time::DataTime;
use mainstay_features::definition::{Dtype, EVENT_TIMESTAMP, FeatureRef, FeatureView, JoinKey, ROW_ID};
use mainstay_features::online::{PackError, PackedRow};
use mainstay_features::rule::CreatedCutoff;
use mainstay_features::span::Span;

use super::column::{Builder, arrow_of};
use super::error::{FeatureError, missing};
use super::functions::feature_key;
use super::relation::{KEY, PACKED, VISIBLE, instant_type, packed};
use crate::scan::Table;

/// Entity rows sort after the feature rows of the same instant, which they see.
const KIND: &str = "__kind";

/// A view to be joined.
#[derive(Debug, Clone, Copy)]
pub struct JoinedView<'a> {
    /// Its definition.
    pub view: &'a FeatureView,
    /// Its emitted rows.
    pub rows: &'a Table,
}

/// Batches of a frame.
pub struct FrameStream {
    /// The frame's columns.
    pub schema: SchemaRef,
    /// Its rows, in batches.
    pub batches: BoxStream<'static, Result<RecordBatch, FeatureError>>,
}

/// Joins the wanted features to the entity rows: one row per entity row, equal ones too, in the order of
/// `row_id`. The columns are the entity rows' own and then one per feature, `view__feature`.
///
/// Entity rows have the columns `row_id` (int64, distinct), `event_timestamp` (a naive one is UTC) and the
/// join keys of the views; others are carried along. An entity row with a NULL key gets NULLs.
pub async fn point_in_time(
    session: &SessionContext,
    entities: DataFrame,
    views: &[JoinedView<'_>],
    features: &[FeatureRef],
    cutoff: CreatedCutoff,
) -> Result<FrameStream, FeatureError> {
    let own: Vec<String> = entities.schema().fields().iter().map(|field| field.name().clone()).collect();
    let needed = views.iter().flat_map(|joined| joined.view.keys.iter().map(|key| key.name.as_str()));
    if let Some(absent) = needed.chain([ROW_ID, EVENT_TIMESTAMP]).find(|name| !own.iter().any(|o| o == name))
    {
        return Err(FeatureError::EntityColumn(absent.to_owned()));
    }
    let wanted = wanted(views, features)?;
    let typed = own.iter().map(|name| match name.as_str() {
        EVENT_TIMESTAMP => cast(ident(name), instant_type()).alias(name),
        ROW_ID => cast(ident(name), DataType::Int64).alias(name),
        _ => ident(name),
    });
    let mut frame = entities.select(typed.collect::<Vec<_>>())?;
    let mut groups: Vec<(&[JoinKey], Vec<usize>)> = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        let names =
            |keys: &[JoinKey]| keys.iter().map(|key| (key.name.clone(), key.dtype)).collect::<Vec<_>>();
        let keys = wanted.joined.view.keys.as_slice();
        match groups.iter_mut().find(|(known, _)| names(known) == names(keys)) {
            Some((_, group)) => group.push(at),
            None => groups.push((keys, vec![at])),
        }
    }
    for (keys, group) in &groups {
        frame = join(session, frame, keys, group, &wanted, cutoff)?;
    }
    let mut order: Vec<Expr> = own.iter().map(ident).collect();
    order.extend((0..wanted.len()).map(|at| ident(newest(at))));
    let rows = frame.select(order)?.sort(vec![ident(ROW_ID).sort(true, true)])?.execute_stream().await?;
    let opener =
        Opener::new(&rows.schema(), own.len(), wanted.iter().map(Wanted::ttl).collect(), features, views)?;
    let schema = Arc::clone(&opener.schema);
    let batches = rows.map_err(FeatureError::from).map(move |batch| opener.open(&batch?)).boxed();
    Ok(FrameStream { schema, batches })
}

/// A view with the features wanted of it.
struct Wanted<'a> {
    joined: JoinedView<'a>,
    features: Vec<String>,
}

impl Wanted<'_> {
    fn ttl(&self) -> Option<Span> {
        self.joined.view.ttl
    }
}

/// The views that are wanted, in the order of their first feature.
fn wanted<'a>(views: &[JoinedView<'a>], features: &[FeatureRef]) -> Result<Vec<Wanted<'a>>, FeatureError> {
    let mut wanted: Vec<Wanted<'a>> = Vec::new();
    for feature in features {
        let known = wanted.iter_mut().find(|wanted| wanted.joined.view.name == feature.view);
        if let Some(known) = known {
            known.features.push(feature.feature.clone());
            continue;
        }
        let joined = views.iter().find(|joined| joined.view.name == feature.view).ok_or_else(|| {
            FeatureError::Incomplete(format!(
                "the rows of the feature view {:?} were not given",
                feature.view
            ))
        })?;
        wanted.push(Wanted { joined: *joined, features: vec![feature.feature.clone()] });
    }
    Ok(wanted)
}

/// The column with the newest packed row of the view at a position.
fn newest(at: usize) -> String {
    format!("__newest_{at}")
}

/// The column with the packed rows of the view at a position.
fn input(at: usize) -> String {
    format!("{PACKED}_{at}")
}

fn null(data_type: &DataType) -> Result<Expr, FeatureError> {
    Ok(lit(ScalarValue::try_from(data_type)?))
}

/// Adds the newest packed row of every view of a group to each row of the frame.
fn join(
    session: &SessionContext,
    frame: DataFrame,
    keys: &[JoinKey],
    group: &[usize],
    wanted: &[Wanted<'_>],
    cutoff: CreatedCutoff,
) -> Result<DataFrame, FeatureError> {
    let carried: Vec<(String, DataType)> =
        frame.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
    let parts = keys.iter().map(|key| cast(ident(&key.name), arrow_of(key.dtype))).collect();
    let mut columns: Vec<Expr> = carried.iter().map(|(name, _)| ident(name)).collect();
    columns.push(feature_key(parts).alias(KEY));
    columns.push(cast(ident(EVENT_TIMESTAMP), DataType::Int64).alias(VISIBLE));
    columns.push(lit(1_i8).alias(KIND));
    for at in group {
        columns.push(null(&DataType::Binary)?.alias(input(*at)));
    }
    let mut united = frame.select(columns)?;
    for at in group {
        let Some(Wanted { joined, features }) = wanted.get(*at) else { continue };
        let rows = packed(session, joined.view, joined.rows, features, cutoff)?;
        let mut columns: Vec<Expr> = Vec::with_capacity(carried.len() + 3 + group.len());
        for (name, data_type) in &carried {
            columns.push(null(data_type)?.alias(name));
        }
        columns.extend([ident(KEY), ident(VISIBLE), lit(0_i8).alias(KIND)]);
        for other in group {
            let own = if other == at { ident(PACKED) } else { null(&DataType::Binary)? };
            columns.push(own.alias(input(*other)));
        }
        united = united.union(rows.select(columns)?)?;
    }
    let windows = group.iter().map(|at| greatest_so_far(*at)).collect::<Result<Vec<_>, FeatureError>>()?;
    let mut kept: Vec<Expr> = carried.iter().map(|(name, _)| ident(name)).collect();
    kept.extend(group.iter().map(|at| ident(newest(*at))));
    Ok(united.window(windows)?.filter(ident(KIND).eq(lit(1_i8)))?.select(kept)?)
}

fn greatest_so_far(at: usize) -> Result<Expr, FeatureError> {
    let frame = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    let greatest = Expr::from(WindowFunction::new(max_udaf(), vec![ident(input(at))]))
        .partition_by(vec![ident(KEY)])
        .order_by(vec![ident(VISIBLE).sort(true, true), ident(KIND).sort(true, true)])
        .window_frame(frame)
        .build()?;
    Ok(greatest.alias(newest(at)))
}

/// Takes packed rows apart.
struct Opener {
    schema: SchemaRef,
    /// How many columns are the entity rows' own; the packed rows follow.
    own: usize,
    /// The position of the entity rows' instant.
    instant: usize,
    ttls: Vec<Option<Span>>,
    /// Per feature its view's position, its position in the packed row, and its type.
    features: Vec<(usize, usize, Dtype)>,
}

impl Opener {
    fn new(
        rows: &SchemaRef,
        own: usize,
        ttls: Vec<Option<Span>>,
        features: &[FeatureRef],
        views: &[JoinedView<'_>],
    ) -> Result<Self, FeatureError> {
        let mut fields: Vec<Arc<Field>> = rows.fields().iter().take(own).cloned().collect();
        let (mut order, mut places): (Vec<(&str, usize)>, _) = (Vec::new(), Vec::new());
        for feature in features {
            let unknown =
                || FeatureError::NoFeature { view: feature.view.clone(), feature: feature.feature.clone() };
            let joined = views.iter().find(|joined| joined.view.name == feature.view).ok_or_else(unknown)?;
            let (_, dtype) = joined.view.feature(&feature.feature).ok_or_else(unknown)?;
            let view = order.iter().position(|(name, _)| *name == feature.view).unwrap_or_else(|| {
                order.push((&feature.view, 0));
                order.len() - 1
            });
            let taken = order.get_mut(view).map_or(0, |(_, taken)| std::mem::replace(taken, *taken + 1));
            places.push((view, taken, dtype));
            fields.push(Arc::new(Field::new(feature.column(), arrow_of(dtype), true)));
        }
        let instant = rows.index_of(EVENT_TIMESTAMP)?;
        Ok(Self { schema: Arc::new(ArrowSchema::new(fields)), own, instant, ttls, features: places })
    }

    fn open(&self, batch: &RecordBatch) -> Result<RecordBatch, FeatureError> {
        let at = batch.column(self.instant).as_primitive_opt::<TimestampMicrosecondType>();
        let at = at.ok_or_else(|| missing(EVENT_TIMESTAMP))?;
        let mut builders: Vec<Builder> = self.features.iter().map(|f| Builder::new(f.2)).collect();
        for (view, ttl) in self.ttls.iter().enumerate() {
            let packed =
                batch.columns().get(self.own + view).and_then(|column| column.as_binary_opt::<i32>());
            let packed = packed.ok_or_else(|| missing(PACKED))?;
            for (bytes, at) in packed.iter().zip(at) {
                let values = bytes.map(|bytes| fresh(bytes, at, *ttl)).transpose()?.flatten();
                let mine = self.features.iter().zip(&mut builders).filter(|(feature, _)| feature.0 == view);
                for ((_, position, _), builder) in mine {
                    builder.append(values.as_ref().and_then(|values| values.get(*position)));
                }
            }
        }
        let own = batch.columns().iter().take(self.own).cloned();
        let columns: Vec<ArrayRef> = own.chain(builders.iter_mut().map(Builder::finish)).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// The values of a packed row, unless it is older than the ttl.
fn fresh(
    bytes: &[u8],
    at: Option<i64>,
    ttl: Option<Span>,
) -> Result<Option<Vec<mainstay_features::online::Value>>, PackError> {
    let row = PackedRow::new(bytes)?;
    let oldest = at.zip(ttl).map(|(at, ttl)| DataTime::from_micros(at).plus(-ttl.micros()));
    if oldest.is_some_and(|oldest| row.ts() < oldest) { Ok(None) } else { row.values().map(Some) }
}
