//! `POST runs/search`.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::page::{Page, PageRequest};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::search::{RunFilter, RunOrder, View};
use serde::{Deserialize, Serialize};

use super::body::Call;
use super::run_body::RunBody;
use super::table::Table;
use super::wire::{Choice, int64, list, page, view};
use super::{Error, MlflowState};
use crate::caller::Caller;
use crate::route::Route;

/// `SEARCH_MAX_RESULTS_DEFAULT` and `SEARCH_MAX_RESULTS_THRESHOLD`.
const PAGE: (usize, usize) = (1_000, 50_000);

/// Which runs are wanted, and how.
#[derive(Debug, Clone)]
pub struct RunQuery {
    /// Of these experiments.
    pub experiments: Vec<ExperimentId>,
    /// Whether deleted ones are shown.
    pub view: View,
    /// Which.
    pub filter: RunFilter,
    /// In which order.
    pub order: RunOrder,
    /// Which part of them.
    pub page: PageRequest,
}

/// Searches over the summaries of all runs, as
/// [`RunIndex`](mainstay_tracking::index::RunIndex) does.
#[async_trait]
pub trait RunSearch: Send + Sync {
    /// One page of the ids of runs. Whatever was committed before the call is in it.
    async fn search(&self, query: &RunQuery) -> Result<Page<RunId>, TrackingError>;
}

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2().post("runs/search", Action::RunRead, search).rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
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
struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<RunBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<Found>, Error> {
    let experiments = request.experiment_ids.iter().map(|id| ExperimentId::parse(id));
    let query = RunQuery {
        experiments: experiments.collect::<Result<_, _>>()?,
        view: view("run_view_type", request.run_view_type.as_ref())?,
        filter: RunFilter::parse(request.filter.as_deref().unwrap_or_default())?,
        order: RunOrder::parse(&request.order_by)?,
        page: page(request.max_results, PAGE, request.page_token.as_deref())?,
    };
    let found = state.runs.search(&query).await?;
    // The index knows the runs of all workspaces; those of others are left out here.
    let runs = state.tracked.runs(&caller.workspace, &found.items).await?;
    Ok(Json(Found {
        runs: runs.into_iter().map(RunBody::from).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}
