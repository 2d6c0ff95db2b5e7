//! `POST /api/v1/traces/search`.

use axum::Json;
use axum::extract::State;
use mainstay_core::page::{Page, PageRequest, PageToken};
use mainstay_traces::port::TraceQuery;
use mainstay_traces::search::TraceOrder;
use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::request::JsonBody;
use super::super::run::{in_field, within};
use super::row::{RowBody, Wanted};
use super::{TraceState, selection};
use crate::caller::Caller;

/// Rows of an answer whose request does not say, and the most.
const ROWS: (usize, usize) = (100, 1_000);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SearchBody {
    experiments: Option<Vec<String>>,
    filter: Option<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    order_by: Vec<String>,
    columns: Vec<String>,
    limit: Option<usize>,
    page_token: Option<String>,
    count: bool,
}

/// Rows on the wire.
#[derive(Debug, Serialize)]
pub(super) struct RowsBody {
    traces: Vec<RowBody>,
    /// How many there are, if that was asked and can be told without reading spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    next_page_token: Option<String>,
}

pub(super) async fn search(
    State(state): State<TraceState>,
    caller: Caller,
    JsonBody(body): JsonBody<SearchBody>,
) -> Result<Json<RowsBody>, Error> {
    let order = TraceOrder::parse(&body.order_by).map_err(in_field("order_by"))?;
    let wanted = Wanted::parse(&body.columns).map_err(in_field("columns"))?;
    let limit = within("limit", body.limit, ROWS.0, (1, ROWS.1))?;
    let after = body.page_token.as_deref().map(str::parse::<PageToken>).transpose()?;
    let time = (body.since_ms, body.until_ms);
    let (scope, filter) = selection(&state, &caller, body.experiments, body.filter.as_deref(), time).await?;
    let total = if body.count { state.table.count(&scope, &filter).await? } else { None };
    let query = TraceQuery { scope, filter, order, page: PageRequest { limit, after } };
    let Page { items, next } = state.table.search(&query).await?;
    let traces = state.reader.traces(&caller.workspace, &items).await?;
    Ok(Json(RowsBody {
        traces: traces.into_iter().map(|trace| RowBody::new(trace, &wanted)).collect(),
        total,
        next_page_token: next.map(|token| token.to_string()),
    }))
}
