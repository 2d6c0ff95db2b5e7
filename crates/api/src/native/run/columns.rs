//! `POST /api/v1/runs/columns` and `POST /api/v1/runs/columns/values`: what a search can name.

use axum::Json;
use axum::extract::State;
use mainstay_tracking::index::{ColumnKind, Values};
use mainstay_tracking::search::GroupColumn;
use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::request::JsonBody;
use super::super::vocabulary::{ValuesFound, VocabularyBody, columns_limit, values_limit};
use super::{RunState, Shown, in_field, selection};
use crate::caller::Caller;

/// A kind of column on the wire.
#[derive(Debug, Clone, Copy, Deserialize)]
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

/// So many runs.
#[derive(Debug, Serialize)]
pub(super) struct Runs {
    runs: usize,
}

impl From<usize> for Runs {
    fn from(runs: usize) -> Self {
        Self { runs }
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

pub(super) async fn columns(
    State(state): State<RunState>,
    caller: Caller,
    JsonBody(body): JsonBody<ColumnsBody>,
) -> Result<Json<VocabularyBody<Runs>>, Error> {
    let limit = columns_limit(body.limit)?;
    let selection = selection(&state, &caller, body.experiments, body.view, body.filter.as_deref()).await?;
    let all = || vec![Kind::Metrics, Kind::Params, Kind::Tags];
    let kinds = body.kinds.unwrap_or_else(all).into_iter().map(ColumnKind::from).collect();
    Ok(Json(state.runs.vocabulary(selection, kinds, body.prefix, limit).await?.into()))
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
pub(super) struct RunValues {
    #[serde(flatten)]
    found: ValuesFound<Runs>,
    with_value: usize,
    without_value: usize,
}

pub(super) async fn values(
    State(state): State<RunState>,
    caller: Caller,
    JsonBody(body): JsonBody<ValuesBody>,
) -> Result<Json<RunValues>, Error> {
    let limit = values_limit(body.limit)?;
    let column = GroupColumn::parse(&body.column).map_err(in_field("column"))?;
    let selection = selection(&state, &caller, body.experiments, body.view, body.filter.as_deref()).await?;
    let found = state.runs.values(selection, column.clone(), body.prefix, limit).await?;
    let Values { known, with_value, without_value } = found;
    let found = ValuesFound::new(column.name(), known, |value| column.is(Some(value)).to_string());
    Ok(Json(RunValues { found, with_value, without_value }))
}
