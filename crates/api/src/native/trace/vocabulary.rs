//! `POST /api/v1/traces/columns` and `POST /api/v1/traces/columns/values`: what a search can name. What a filter asks
//! of spans is not looked at here: spans are not in memory.

use axum::Json;
use axum::extract::State;
use mainstay_traces::index::{ColumnKind, KnownColumn, Values, Vocabulary};
use mainstay_traces::search::ValueColumn;
use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::request::JsonBody;
use super::super::run::{in_field, within};
use super::{TraceState, selection};
use crate::caller::Caller;

/// Columns of an answer whose request does not say, and the most.
const COLUMNS: (usize, usize) = (1_000, 10_000);
/// Values of an answer whose request does not say, and the most.
const VALUES: (usize, usize) = (20, 1_000);

/// A kind of column on the wire.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
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

impl From<ColumnKind> for Kind {
    fn from(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Tag => Self::Tags,
            ColumnKind::Metadata => Self::Metadata,
            ColumnKind::Feedback => Self::Feedback,
            ColumnKind::Expectation => Self::Expectation,
        }
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

#[derive(Debug, Serialize)]
struct ColumnBody {
    column: String,
    kind: Kind,
    key: String,
    traces: usize,
}

impl From<KnownColumn> for ColumnBody {
    fn from(column: KnownColumn) -> Self {
        let name = column.name();
        Self { column: name, kind: column.kind.into(), key: column.key, traces: column.traces }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct VocabularyBody {
    columns: Vec<ColumnBody>,
    total: usize,
    traces: usize,
}

pub(super) async fn columns(
    State(state): State<TraceState>,
    caller: Caller,
    JsonBody(body): JsonBody<ColumnsBody>,
) -> Result<Json<VocabularyBody>, Error> {
    let limit = within("limit", body.limit, COLUMNS.0, (1, COLUMNS.1))?;
    let time = (body.since_ms, body.until_ms);
    let (scope, filter) = selection(&state, &caller, body.experiments, body.filter.as_deref(), time).await?;
    let kinds: Vec<ColumnKind> = match body.kinds {
        Some(kinds) => kinds.into_iter().map(ColumnKind::from).collect(),
        None => ColumnKind::ALL.into(),
    };
    let Vocabulary { columns, total, traces } =
        state.table.vocabulary(&scope, &filter, &kinds, &body.prefix, limit).await?;
    Ok(Json(VocabularyBody { columns: columns.into_iter().map(ColumnBody::from).collect(), total, traces }))
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

#[derive(Debug, Serialize)]
struct ValueBody {
    value: String,
    traces: usize,
    filter: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ValuesFound {
    column: String,
    values: Vec<ValueBody>,
    total: usize,
}

pub(super) async fn values(
    State(state): State<TraceState>,
    caller: Caller,
    JsonBody(body): JsonBody<ValuesBody>,
) -> Result<Json<ValuesFound>, Error> {
    let limit = within("limit", body.limit, VALUES.0, (1, VALUES.1))?;
    let column = ValueColumn::parse(&body.column).map_err(in_field("column"))?;
    let time = (body.since_ms, body.until_ms);
    let (scope, filter) = selection(&state, &caller, body.experiments, body.filter.as_deref(), time).await?;
    let Values { values, total } = state.table.values(&scope, &filter, &column, &body.prefix, limit).await?;
    let values = values.into_iter().map(|known| ValueBody {
        filter: column.is(&known.value),
        value: known.value,
        traces: known.traces,
    });
    Ok(Json(ValuesFound { column: column.name(), values: values.collect(), total }))
}
