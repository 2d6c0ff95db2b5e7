//! `GET` and `POST experiments/search`.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_tracking::search::{ExperimentFilter, ExperimentOrder, search_experiments};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::experiment::ExperimentBody;
use crate::table::Table;
use crate::wire::{Choice, int64, list, page, view};
use crate::{Error, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// `SEARCH_MAX_RESULTS_DEFAULT` and `SEARCH_MAX_RESULTS_THRESHOLD`.
const PAGE: (usize, usize) = (1_000, 50_000);

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2()
        .get("experiments/search", Action::RunRead, search)
        .post("experiments/search", Action::RunRead, search)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
    filter: Option<String>,
    #[serde(alias = "orderBy", deserialize_with = "list")]
    order_by: Vec<String>,
    #[serde(alias = "viewType")]
    view_type: Option<Choice>,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<ExperimentBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<Found>, Error> {
    let filter = ExperimentFilter::parse(request.filter.as_deref().unwrap_or_default())?;
    let order = ExperimentOrder::parse(&request.order_by)?;
    let view = view("view_type", request.view_type.as_ref())?;
    let page = page(request.max_results, PAGE, request.page_token.as_deref())?;
    let readable = caller.readable();
    let mut all = state.tracked.experiments(&caller.workspace).await?;
    all.retain(|found| readable.has(found.experiment.id));
    let found = search_experiments(all, view, &filter, &order, &page)?;
    Ok(Json(Found {
        experiments: found.items.into_iter().map(ExperimentBody::from).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}
