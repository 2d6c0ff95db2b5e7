//! `POST runs/search`.

use std::collections::HashMap;

use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::index::RunSummary;
use mainstay_tracking::port::RunQuery;
use mainstay_tracking::run::{Attachments, RunDetail};
use mainstay_tracking::search::{RunFilter, RunOrder};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::long::Long;
use crate::run_body::RunBody;
use crate::table::Table;
use crate::wire::{Choice, int64, list, page, view};
use crate::{Error, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// `SEARCH_MAX_RESULTS_DEFAULT` and `SEARCH_MAX_RESULTS_THRESHOLD`.
pub(crate) const PAGE: (usize, usize) = (1_000, 50_000);

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2().post("runs/search", Action::RunRead, search).rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    #[serde(alias = "experimentIds", deserialize_with = "list")]
    experiment_ids: Vec<String>,
    filter: Option<String>,
    #[serde(alias = "runViewType")]
    run_view_type: Option<Choice>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "orderBy", deserialize_with = "list")]
    order_by: Vec<String>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<RunBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

pub(crate) async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Long<Found>, Error> {
    let experiments = request.experiment_ids.iter().map(|id| ExperimentId::parse(id));
    let mut experiments: Vec<ExperimentId> = experiments.collect::<Result<_, _>>()?;
    let readable = caller.readable();
    experiments.retain(|id| readable.has(id));
    let query = RunQuery {
        workspace: caller.workspace.clone(),
        experiments,
        view: view("run_view_type", request.run_view_type.as_ref())?,
        filter: RunFilter::parse(request.filter.as_deref().unwrap_or_default())?,
        order: RunOrder::parse(&request.order_by)?,
        page: page(request.max_results, PAGE, request.page_token.as_deref())?,
    };
    let found = state.runs.search(&query).await?;
    let attached: Vec<RunId> =
        found.items.iter().filter(|summary| summary.is_attached).map(|summary| summary.run.id).collect();
    // Most runs are written from the index alone.
    let mut attached: HashMap<RunId, Attachments> = match attached.as_slice() {
        [] => HashMap::new(),
        ids => state.tracked.attachments(&caller.workspace, ids).await?.into_iter().collect(),
    };
    let body = |summary: RunSummary| {
        let RunSummary { run, metrics, params, tags, .. } = summary;
        let attached = attached.remove(&run.id).unwrap_or_default();
        RunBody::from(RunDetail { run, metrics, params, tags, attached })
    };
    Ok(Long(Found {
        runs: found.items.into_iter().map(body).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}
