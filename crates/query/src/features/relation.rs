//! What the plans are made of: a source's facts, and a view's packed rows.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::functions::core::expr_fn::greatest;
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::scalar::ScalarValue;
use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::time::DataTime;
use mainstay_features::definition::{CREATED_TIMESTAMP, EVENT_TIMESTAMP, FeatureView, Source};
use mainstay_features::rule::CreatedCutoff;

use super::column::arrow_of;
use super::error::FeatureError;
use super::functions::{feature_key, feature_row};
use crate::scan::{Table, frame};

/// The canonical key, as bytes.
pub(super) const KEY: &str = "__key";
/// The instant from which a row may be seen, in µs.
pub(super) const VISIBLE: &str = "__visible";
/// The packed row.
pub(super) const PACKED: &str = "__packed";

/// The Arrow type of an instant.
pub(super) fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// An instant as an SQL value.
pub(super) fn instant(at: DataTime) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(at.micros()), Some("UTC".into())))
}

/// Reads an expression of a definition against a frame.
pub(super) fn expression(frame: &DataFrame, place: &str, text: &str) -> Result<Expr, FeatureError> {
    frame.parse_sql_expr(text).map_err(|error| FeatureError::Expression {
        place: place.to_owned(),
        expression: text.to_owned(),
        problem: first_line(&error),
    })
}

fn first_line(error: &datafusion::error::DataFusionError) -> String {
    error.strip_backtrace().lines().next().unwrap_or_default().to_owned()
}

/// Selects, naming the definition's place if the types do not fit.
pub(super) fn select(frame: DataFrame, place: &str, columns: Vec<Expr>) -> Result<DataFrame, FeatureError> {
    frame.select(columns).map_err(|error| FeatureError::Expression {
        place: place.to_owned(),
        expression: "the columns together".to_owned(),
        problem: first_line(&error),
    })
}

/// The facts of a source: its filtered table, and the expressions of its two instants. A naive timestamp
/// is UTC.
pub(super) struct Facts {
    pub(super) frame: DataFrame,
    pub(super) ts: Expr,
    /// The timestamp itself if the source names no `created`.
    pub(super) created: Expr,
}

pub(super) fn facts(session: &SessionContext, source: &Source, table: &Table) -> Result<Facts, FeatureError> {
    let place = |field: &str| format!("sources {}.{field}", source.name);
    let mut frame = frame(session, table)?;
    if let Some(filter) = &source.filter {
        let predicate = expression(&frame, &place("filter"), filter)?;
        frame = frame.filter(predicate).map_err(|error| FeatureError::Expression {
            place: place("filter"),
            expression: filter.clone(),
            problem: first_line(&error),
        })?;
    }
    let ts = cast(expression(&frame, &place("timestamp"), &source.timestamp)?, instant_type());
    let created = match &source.created {
        Some(text) => cast(expression(&frame, &place("created"), text)?, instant_type()),
        None => ts.clone(),
    };
    Ok(Facts { frame, ts, created })
}

/// The key's columns of a view over its source, cast to their types.
pub(super) fn key_columns(frame: &DataFrame, view: &FeatureView) -> Result<Vec<Expr>, FeatureError> {
    let column = |key: &mainstay_features::definition::JoinKey| {
        let place = format!("feature_views {}.keys.{}", view.name, key.name);
        Ok(cast(expression(frame, &place, &key.expression)?, arrow_of(key.dtype)).alias(&key.name))
    };
    view.keys.iter().map(column).collect()
}

/// A view's emitted rows as (`__key`, `__visible`, `__packed`) with the wanted features packed, in their
/// order. Rows with a NULL key are left out, because they match nothing; with the cut-off on also those
/// of which it is not known when they became known.
pub(super) fn packed(
    session: &SessionContext,
    view: &FeatureView,
    table: &Table,
    features: &[String],
    cutoff: CreatedCutoff,
) -> Result<DataFrame, FeatureError> {
    for feature in features {
        if view.feature(feature).is_none() {
            return Err(FeatureError::NoFeature { view: view.name.clone(), feature: feature.clone() });
        }
    }
    let (ts, created) = (ident(EVENT_TIMESTAMP), ident(CREATED_TIMESTAMP));
    let mut rows = frame(session, table)?.filter(ts.clone().is_not_null())?;
    for key in &view.keys {
        rows = rows.filter(ident(&key.name).is_not_null())?;
    }
    let visible = match cutoff {
        CreatedCutoff::On if !is_planted(Fault::CreatedCutoffOff) => {
            rows = rows.filter(created.clone().is_not_null())?;
            greatest(vec![ts.clone(), created.clone()])
        }
        CreatedCutoff::On | CreatedCutoff::Off => ts.clone(),
    };
    let key = feature_key(view.keys.iter().map(|key| ident(&key.name)).collect());
    Ok(rows.select(vec![
        key.alias(KEY),
        cast(visible, DataType::Int64).alias(VISIBLE),
        feature_row(ts, created, features.iter().map(ident).collect()).alias(PACKED),
    ])?)
}
