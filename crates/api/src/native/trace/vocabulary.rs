//! `POST /api/v1/traces/columns` and `POST /api/v1/traces/columns/values`: what a search can name. What a filter asks
//! of spans is not looked at here: spans are not in memory.

use axum::Json;
use axum::extract::State;
use mainstay_traces::index::ColumnKind;
use mainstay_traces::search::ValueColumn;
use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::request::JsonBody;
use super::super::run::in_field;
use super::super::vocabulary::{ValuesFound, VocabularyBody, columns_limit, values_limit};
use super::{TraceState, selection};
use crate::caller::Caller;

/// A kind of column on the wire.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Tags,
    Metadata,
    Feedback,
    Expectation,
}

impl From<Kind> for ColumnKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Tags => Self::Tag,
            Kind::Metadata => Self::Metadata,
            Kind::Feedback => Self::Feedback,
            Kind::Expectation => Self::Expectation,
        }
    }
}

/// So many traces.
#[derive(Debug, Serialize)]
pub(super) struct Traces {
    traces: usize,
}

impl From<usize> for Traces {
    fn from(traces: usize) -> Self {
        Self { traces }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ColumnsBody {
    experiments: Option<Vec<String>>,
    filter: Option<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    kinds: Option<Vec<Kind>>,
    prefix: String,
    limit: Option<usize>,
}

pub(super) async fn columns(
    State(state): State<TraceState>,
    caller: Caller,
    JsonBody(body): JsonBody<ColumnsBody>,
) -> Result<Json<VocabularyBody<Traces>>, Error> {
    let limit = columns_limit(body.limit)?;
    let time = (body.since_ms, body.until_ms);
    let (scope, filter) = selection(&state, &caller, body.experiments, body.filter.as_deref(), time).await?;
    let kinds: Vec<ColumnKind> = match body.kinds {
        Some(kinds) => kinds.into_iter().map(ColumnKind::from).collect(),
        None => ColumnKind::ALL.into(),
    };
    Ok(Json(state.table.vocabulary(&scope, &filter, &kinds, &body.prefix, limit).await?.into()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValuesBody {
    experiments: Option<Vec<String>>,
    filter: Option<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    column: String,
    #[serde(default)]
    prefix: String,
    limit: Option<usize>,
}

pub(super) async fn values(
    State(state): State<TraceState>,
    caller: Caller,
    JsonBody(body): JsonBody<ValuesBody>,
) -> Result<Json<ValuesFound<Traces>>, Error> {
    let limit = values_limit(body.limit)?;
    let column = ValueColumn::parse(&body.column).map_err(in_field("column"))?;
    let time = (body.since_ms, body.until_ms);
    let (scope, filter) = selection(&state, &caller, body.experiments, body.filter.as_deref(), time).await?;
    let found = state.table.values(&scope, &filter, &column, &body.prefix, limit).await?;
    Ok(Json(ValuesFound::new(column.name(), found, |value| column.is(value))))
}
