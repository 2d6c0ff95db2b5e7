//! `POST traces/search`, and its predecessor.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::page::Page;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::port::{TraceQuery, TraceScope};
use mainstay_traces::search::{TraceFilter, TraceOrder};
use serde::{Deserialize, Serialize};

use crate::body::{InfoBody, Location};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{int64, list, page};
use mainstay_mlflow::{Error, Mlflow, MlflowError, MlflowState};

/// `SEARCH_TRACES_DEFAULT_MAX_RESULTS` and the most that a search gives at once.
const PAGE: (usize, usize) = (100, 500);

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3().post("traces/search", Action::RunRead, search).rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    locations: Option<Vec<Location>>,
    #[serde(flatten)]
    wanted: Wanted,
}

/// What both versions ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub(super) filter: Option<String>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    pub(super) max_results: Option<i64>,
    #[serde(alias = "orderBy", deserialize_with = "list")]
    pub(super) order_by: Vec<String>,
    #[serde(alias = "pageToken")]
    pub(super) page_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    traces: Vec<InfoBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<Found>, Error> {
    let locations = request.locations.ok_or(MlflowError::Missing("locations"))?;
    let ids: Vec<&str> = locations.iter().filter_map(Location::experiment).collect();
    let foreign: Vec<String> =
        ids.iter().filter(|id| id.contains('.')).map(|id| id.chars().take(20).collect()).collect();
    if !foreign.is_empty() {
        return Err(MlflowError::ForeignLocations(foreign.join(", ")).into());
    }
    let Page { items, next } = found(&state, &caller, &ids, request.wanted).await?;
    Ok(Json(Found {
        traces: items.into_iter().map(InfoBody::from).collect(),
        next_page_token: next.map(|token| token.to_string()),
    }))
}

/// The traces of some experiments, of those that the caller may read.
pub(super) fn scope<T: AsRef<str>>(caller: &Caller, experiments: &[T]) -> Result<TraceScope, Error> {
    let experiments = experiments.iter().map(|id| ExperimentId::parse(id.as_ref()));
    let mut experiments = experiments.collect::<Result<Vec<_>, _>>()?;
    let readable = caller.readable();
    experiments.retain(|id| readable.has(id));
    Ok(TraceScope { workspace: caller.workspace.clone(), experiments })
}

/// One page of the traces of some experiments, of those that the caller may read.
pub(super) async fn found(
    state: &Mlflow,
    caller: &Caller,
    experiments: &[&str],
    wanted: Wanted,
) -> Result<Page<AssessedTrace>, Error> {
    let query = TraceQuery {
        scope: scope(caller, experiments)?,
        filter: TraceFilter::parse(wanted.filter.as_deref().unwrap_or_default())?,
        order: TraceOrder::parse(&wanted.order_by)?,
        page: page(wanted.max_results, PAGE, wanted.page_token.as_deref())?,
    };
    let found = state.trace_search.search(&query).await?;
    let items = state.traced.traces(&caller.workspace, &found.items).await?;
    Ok(Page { items, next: found.next })
}
