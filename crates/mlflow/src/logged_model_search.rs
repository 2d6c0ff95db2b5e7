//! `POST logged-models/search`.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::search::{LoggedModelFilter, LoggedModelOrder, LoggedModelSearch, MeasuredOn};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::logged_model_body::LoggedModelBody;
use crate::table::Table;
use crate::wire::{int64, list, page, required, some_list};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// How many models a page has if nothing is said: the default of the message.
const UNSAID: i64 = 50;
/// How many it has if none are wanted: `SEARCH_LOGGED_MODEL_MAX_RESULTS_DEFAULT`.
const NONE_WANTED: i64 = 100;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2().post("logged-models/search", Action::RunRead, search).rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OnDataset {
    #[serde(alias = "datasetName")]
    dataset_name: Option<String>,
    #[serde(alias = "datasetDigest")]
    dataset_digest: Option<String>,
}

impl OnDataset {
    /// The dataset that is named, if one is.
    fn measured(self) -> Option<MeasuredOn> {
        let digest = self.dataset_digest.filter(|digest| !digest.is_empty());
        self.dataset_name.filter(|name| !name.is_empty()).map(|name| (name, digest))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OrderBy {
    #[serde(alias = "fieldName")]
    field_name: Option<String>,
    ascending: Option<bool>,
    #[serde(flatten)]
    dataset: OnDataset,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    #[serde(alias = "experimentIds", deserialize_with = "some_list")]
    experiment_ids: Option<Vec<String>>,
    filter: Option<String>,
    #[serde(deserialize_with = "list")]
    datasets: Vec<OnDataset>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "orderBy", deserialize_with = "list")]
    order_by: Vec<OrderBy>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<LoggedModelBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<Found>, Error> {
    let experiments = request.experiment_ids.ok_or(MlflowError::Missing("experiment_ids"))?;
    let experiments = experiments.iter().map(|id| ExperimentId::parse(id));
    let mut experiments: Vec<ExperimentId> = experiments.collect::<Result<_, _>>()?;
    let readable = caller.readable();
    experiments.retain(|id| readable.has(id));
    let datasets = request.datasets.into_iter().map(|on| on.measured().ok_or(MlflowError::NamelessDataset));
    let datasets: Vec<MeasuredOn> = datasets.collect::<Result<_, _>>()?;
    let filter = LoggedModelFilter::parse(request.filter.as_deref().unwrap_or_default(), datasets.clone())?;
    let mut order = LoggedModelOrder::over(datasets);
    for by in request.order_by {
        let field = required("field_name", by.field_name)?;
        order = order.then(&field, by.ascending.unwrap_or(true), by.dataset.measured())?;
    }
    let wanted = match request.max_results.unwrap_or(UNSAID) {
        0 => NONE_WANTED,
        wanted => wanted,
    };
    let page = page(Some(wanted), (usize::MAX, usize::MAX), request.page_token.as_deref())?;
    let search = LoggedModelSearch::new(filter, order, &page)?;
    let found = state.tracked.search_logged_models(&caller.workspace, &experiments, search).await?;
    Ok(Json(Found {
        models: found.items.into_iter().map(LoggedModelBody::from).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}
