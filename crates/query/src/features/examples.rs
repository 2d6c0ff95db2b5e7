//! Training examples: entity rows and labels from a source, and the whole frame of a service.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema as ArrowSchema};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt as _, cast, ident};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt as _;
use mainstay_core::time::DataTime;
use mainstay_features::definition::{EVENT_TIMESTAMP, FeatureService, ROW_ID};
use mainstay_features::rule::CreatedCutoff;

use super::column::arrow_of;
use super::error::FeatureError;
use super::point_in_time::{FrameStream, JoinedView, point_in_time};
use super::relation::{expression, facts, instant, select};
use super::request::RequestEvaluator;
use crate::scan::Table;

/// The column of the label.
pub const LABEL: &str = "label";
/// The column of the instant at which the label was known.
pub const LABEL_KNOWN_AT: &str = "label_known_at";

/// Which examples are wanted: those with `from ≤ event_timestamp < until` whose label was known at
/// `known_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examples {
    /// The first instant.
    pub from: DataTime,
    /// The first instant that is out.
    pub until: DataTime,
    /// The data time at which one looks: labels that became known later are not there yet.
    pub known_at: DataTime,
}

/// Entity rows of a service from its label's source: `row_id` (1, 2, 3 … by instant and key),
/// `event_timestamp`, `label_known_at`, `label`, the join keys, and the columns that the request features
/// read. Rows whose label is NULL are no examples.
pub fn examples(
    session: &SessionContext,
    service: &FeatureService,
    table: &Table,
    wanted: Examples,
) -> Result<DataFrame, FeatureError> {
    let place = format!("feature_services {}", service.name);
    let Some(label) = &service.label else {
        return Err(FeatureError::Incomplete(format!("{place}: it has no label, so it has no examples")));
    };
    let facts = facts(session, &label.source, table)?;
    let value = expression(&facts.frame, &format!("{place}.label.expression"), &label.expression)?;
    let mut columns = vec![
        facts.ts.alias(EVENT_TIMESTAMP),
        facts.created.alias(LABEL_KNOWN_AT),
        cast(value, arrow_of(label.dtype)).alias(LABEL),
    ];
    let mut names: BTreeSet<String> = [EVENT_TIMESTAMP, LABEL_KNOWN_AT, LABEL].map(str::to_owned).into();
    for key in &service.keys {
        let column = expression(&facts.frame, &format!("{place}.keys.{}", key.name), &key.expression)?;
        columns.push(cast(column, arrow_of(key.dtype)).alias(&key.name));
        names.insert(key.name.clone());
    }
    let with_instant = facts.frame.clone().with_column(EVENT_TIMESTAMP, instant(DataTime::MIN))?;
    for feature in &service.request {
        let at = format!("{place}.request.{}", feature.name);
        let read = expression(&with_instant, &at, &feature.expression)?;
        let mut read: Vec<&str> =
            read.column_refs().into_iter().map(datafusion::common::Column::name).collect();
        read.sort_unstable();
        for name in read {
            if names.insert(name.to_owned()) {
                columns.push(ident(name));
            }
        }
    }
    let rows = select(facts.frame, &place, columns)?
        .filter(ident(EVENT_TIMESTAMP).gt_eq(instant(wanted.from)))?
        .filter(ident(EVENT_TIMESTAMP).lt(instant(wanted.until)))?
        .filter(ident(LABEL_KNOWN_AT).lt_eq(instant(wanted.known_at)))?
        .filter(ident(LABEL).is_not_null())?;
    let own: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    let keys = service.keys.iter().map(|key| key.name.as_str());
    let first = [EVENT_TIMESTAMP].into_iter().chain(keys);
    let rest = own.iter().map(String::as_str).filter(|name| *name != EVENT_TIMESTAMP);
    let order = first.chain(rest).map(|name| ident(name).sort(true, true)).collect();
    let number = row_number().order_by(order).build()?.alias("__number");
    let mut out: Vec<Expr> = vec![cast(ident("__number"), DataType::Int64).alias(ROW_ID)];
    out.extend(own.iter().map(ident));
    Ok(rows.window(vec![number])?.select(out)?)
}

/// Everything that a training frame is made of.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// The service: label, features, request features.
    pub service: &'a FeatureService,
    /// The table of the label's source.
    pub label: &'a Table,
    /// The emitted rows of the views that the service reads.
    pub views: &'a [JoinedView<'a>],
    /// Which examples.
    pub examples: Examples,
    /// Whether rows are hidden until they are known.
    pub cutoff: CreatedCutoff,
}

/// The frame that a model of a service is trained on: the examples' columns, then the stored features in
/// the service's order, then the request features.
pub async fn training_frame(
    session: &SessionContext,
    set: TrainingSet<'_>,
) -> Result<FrameStream, FeatureError> {
    let entities = examples(session, set.service, set.label, set.examples)?;
    let own = entities.schema().fields().len();
    let joined = point_in_time(session, entities, set.views, &set.service.features, set.cutoff).await?;
    let fields: Vec<_> = joined.schema.fields().iter().cloned().collect();
    let input = Arc::new(ArrowSchema::new(fields.iter().take(own).cloned().collect::<Vec<_>>()));
    let request = RequestEvaluator::new(session, &set.service.request, &input)?;
    let added = request.fields().into_iter().map(Arc::new);
    let schema = Arc::new(ArrowSchema::new(fields.into_iter().chain(added).collect::<Vec<_>>()));
    let batches = joined.batches.map(move |batch| request.extend(&batch?)).boxed();
    Ok(FrameStream { schema, batches })
}
