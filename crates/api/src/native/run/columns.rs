//! `POST /api/v1/runs/columns` and `POST /api/v1/runs/columns/values`: what a search can name.

use axum::Json;
use axum::extract::State;
use mainstay_tracking::index::{ColumnKind, KnownColumn, Values, Vocabulary};
use mainstay_tracking::search::GroupColumn;
use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::request::JsonBody;
use super::{RunState, Shown, in_field, selection, within};
use crate::caller::Caller;

/// Columns of an answer whose request does not say, and the most.
const COLUMNS: (usize, usize) = (1_000, 10_000);
/// Values of an answer whose request does not say, and the most.
const VALUES: (usize, usize) = (20, 1_000);

/// A kind of column on the wire.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Metrics,
    Params,
    Tags,
}

impl From<Kind> for ColumnKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Metrics => Self::Metric,
            Kind::Params => Self::Param,
            Kind::Tags => Self::Tag,
        }
    }
}

impl From<ColumnKind> for Kind {
    fn from(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Metric => Self::Metrics,
            ColumnKind::Param => Self::Params,
            ColumnKind::Tag => Self::Tags,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ColumnsBody {
    experiments: Option<Vec<String>>,
    view: Option<Shown>,
    filter: Option<String>,
    kinds: Option<Vec<Kind>>,
    prefix: String,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct ColumnBody {
    column: String,
    kind: Kind,
    key: String,
    runs: usize,
}

impl From<KnownColumn> for ColumnBody {
    fn from(column: KnownColumn) -> Self {
        let name = column.name();
        Self { column: name, kind: column.kind.into(), key: column.key, runs: column.runs }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct VocabularyBody {
    columns: Vec<ColumnBody>,
    total: usize,
    runs: usize,
}

pub(super) async fn columns(
    State(state): State<RunState>,
    caller: Caller,
    JsonBody(body): JsonBody<ColumnsBody>,
) -> Result<Json<VocabularyBody>, Error> {
    let limit = within("limit", body.limit, COLUMNS.0, (1, COLUMNS.1))?;
    let selection = selection(&state, &caller, body.experiments, body.view, body.filter.as_deref()).await?;
    let all = || vec![Kind::Metrics, Kind::Params, Kind::Tags];
    let kinds = body.kinds.unwrap_or_else(all).into_iter().map(ColumnKind::from).collect();
    let Vocabulary { columns, total, runs } =
        state.runs.vocabulary(selection, kinds, body.prefix, limit).await?;
    Ok(Json(VocabularyBody { columns: columns.into_iter().map(ColumnBody::from).collect(), total, runs }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValuesBody {
    experiments: Option<Vec<String>>,
    view: Option<Shown>,
    filter: Option<String>,
    column: String,
    #[serde(default)]
    prefix: String,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct ValueBody {
    value: String,
    runs: usize,
    filter: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ValuesFound {
    column: String,
    values: Vec<ValueBody>,
    total: usize,
    with_value: usize,
    without_value: usize,
}

pub(super) async fn values(
    State(state): State<RunState>,
    caller: Caller,
    JsonBody(body): JsonBody<ValuesBody>,
) -> Result<Json<ValuesFound>, Error> {
    let limit = within("limit", body.limit, VALUES.0, (1, VALUES.1))?;
    let column = GroupColumn::parse(&body.column).map_err(in_field("column"))?;
    let selection = selection(&state, &caller, body.experiments, body.view, body.filter.as_deref()).await?;
    let found = state.runs.values(selection, column.clone(), body.prefix, limit).await?;
    let Values { values, total, with_value, without_value } = found;
    let values = values.into_iter().map(|known| ValueBody {
        filter: column.is(Some(&known.value)).to_string(),
        value: known.value,
        runs: known.runs,
    });
    Ok(Json(ValuesFound {
        column: column.name(),
        values: values.collect(),
        total,
        with_value,
        without_value,
    }))
}
