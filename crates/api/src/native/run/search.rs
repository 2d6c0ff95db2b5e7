//! `POST /api/v1/runs/search`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use mainstay_core::page::{Page, PageRequest, PageToken};
use mainstay_tracking::port::{ProjectedPage, RowRange, Rows, RunSelection};
use mainstay_tracking::search::{RunGrouping, RunOrder, RunProjection};
use serde::{Deserialize, Serialize};

use super::super::Error;
use super::super::request::JsonBody;
use super::group::GroupBody;
use super::row::RowBody;
use super::{RequestError, RunState, Shown, in_field, selection, within};
use crate::caller::Caller;

/// Rows or groups of an answer whose request does not say.
const DEFAULT_LIMIT: usize = 100;
/// Most rows or groups of an answer.
const MAX_LIMIT: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SearchBody {
    experiments: Option<Vec<String>>,
    filter: Option<String>,
    view: Option<Shown>,
    order_by: Vec<String>,
    columns: Option<Vec<String>>,
    offset: Option<usize>,
    limit: Option<usize>,
    snapshot: Option<String>,
    page_token: Option<String>,
    count: bool,
    group_by: Vec<String>,
    aggregates: Vec<String>,
    order_groups_by: Vec<String>,
}

impl SearchBody {
    /// Refuses fields that say nothing together.
    fn check(&self) -> Result<(), RequestError> {
        let is_grouped = !self.group_by.is_empty();
        let is_at_offset = self.offset.is_some() || self.snapshot.is_some();
        let apart = [
            (is_grouped && self.columns.is_some(), "columns", "group_by"),
            (is_grouped && self.snapshot.is_some(), "snapshot", "group_by"),
            (is_grouped && self.page_token.is_some(), "page_token", "group_by"),
            (is_at_offset && self.page_token.is_some(), "page_token", "offset"),
        ];
        let alone = [
            (!self.aggregates.is_empty(), "aggregates"),
            (!self.order_groups_by.is_empty(), "order_groups_by"),
        ];
        if let Some((_, field, other)) = apart.into_iter().find(|(is_so, ..)| *is_so) {
            return Err(RequestError::Together { field, other });
        }
        match alone.into_iter().find(|(is_sent, _)| *is_sent && !is_grouped) {
            Some((_, field)) => Err(RequestError::Alone { field, needs: "group_by" }),
            None => Ok(()),
        }
    }
}

/// Rows on the wire.
#[derive(Debug, Serialize)]
struct RowsBody {
    runs: Vec<Option<RowBody>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    #[serde(flatten)]
    place: Place,
}

/// Where the rows stand.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Place {
    Listed { offset: usize, snapshot: Option<String>, is_current: bool },
    Paged { next_page_token: Option<String> },
}

/// Groups on the wire.
#[derive(Debug, Serialize)]
struct GroupsBody {
    groups: Vec<GroupBody>,
    offset: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_runs: Option<usize>,
}

pub(super) async fn search(
    State(state): State<RunState>,
    caller: Caller,
    JsonBody(mut body): JsonBody<SearchBody>,
) -> Result<Response, Error> {
    body.check()?;
    let order = RunOrder::parse(&body.order_by).map_err(in_field("order_by"))?.natural();
    let limit = within("limit", body.limit, DEFAULT_LIMIT, (0, MAX_LIMIT))?;
    let filter = body.filter.take();
    let selection = selection(&state, &caller, body.experiments.take(), body.view, filter.as_deref()).await?;
    if body.group_by.is_empty() {
        Ok(Json(rows(&state, body, selection, order, limit).await?).into_response())
    } else {
        Ok(Json(groups(&state, body, selection, order, limit).await?).into_response())
    }
}

async fn rows(
    state: &RunState,
    body: SearchBody,
    selection: RunSelection,
    order: RunOrder,
    limit: usize,
) -> Result<RowsBody, Error> {
    let columns = match &body.columns {
        Some(texts) => RunProjection::parse(texts).map_err(in_field("columns"))?,
        None => RunProjection::ALL,
    };
    let row = |summary| RowBody::new(summary, &columns);
    if body.offset.is_some() || body.snapshot.is_some() {
        let offset = body.offset.unwrap_or_default();
        let range = RowRange { offset, limit, list: body.snapshot };
        let Rows { runs, total, list, is_current } =
            state.runs.rows(selection, order, range, columns.clone()).await?;
        return Ok(RowsBody {
            runs: runs.into_iter().map(|run| run.map(row)).collect(),
            total: body.count.then_some(total),
            place: Place::Listed { offset, snapshot: list, is_current },
        });
    }
    let after = body.page_token.as_deref().map(str::parse::<PageToken>).transpose()?;
    let page = PageRequest { limit, after };
    let ProjectedPage { page: Page { items, next }, total } =
        state.runs.page(selection, order, page, columns.clone()).await?;
    Ok(RowsBody {
        runs: items.into_iter().map(|run| Some(row(run))).collect(),
        total: body.count.then_some(total),
        place: Place::Paged { next_page_token: next.map(|token| token.to_string()) },
    })
}

async fn groups(
    state: &RunState,
    body: SearchBody,
    selection: RunSelection,
    order: RunOrder,
    limit: usize,
) -> Result<GroupsBody, Error> {
    let SearchBody { group_by, aggregates, order_groups_by, .. } = &body;
    let grouping = RunGrouping::parse(group_by, aggregates, order_groups_by).map_err(in_field("group_by"))?;
    let offset = body.offset.unwrap_or_default();
    let found = state.runs.groups(selection, order, grouping.clone(), (offset, limit)).await?;
    let group = |group| GroupBody::new(group, &grouping, aggregates);
    Ok(GroupsBody {
        groups: found.groups.into_iter().map(group).collect(),
        offset,
        total: body.count.then_some(found.total),
        total_runs: body.count.then_some(found.runs),
    })
}
