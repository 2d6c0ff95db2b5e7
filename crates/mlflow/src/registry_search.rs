//! Searches over registered models and over their versions.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::ModelName;
use mainstay_registry::search::{
    ModelFilter, ModelOrder, ModelSearch, VersionFilter, VersionOrder, VersionSearch,
};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::model_body::{ModelBody, VersionBody};
use crate::table::Table;
use crate::wire::{int64, list, page};
use crate::{Error, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// `SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT` and `…_THRESHOLD`.
const MODELS_PAGE: (usize, usize) = (100, 1_000);
/// `SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT` and `…_THRESHOLD`.
pub(crate) const VERSIONS_PAGE: (usize, usize) = (200_000, 200_000);

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2()
        .get("registered-models/search", Action::ModelRead, models)
        .get("model-versions/search", Action::ModelRead, versions)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    filter: Option<String>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "orderBy", deserialize_with = "list")]
    order_by: Vec<String>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct FoundModels {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    registered_models: Vec<ModelBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn models(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<FoundModels>, Error> {
    let filter = ModelFilter::parse(request.filter.as_deref().unwrap_or_default())?;
    let order = ModelOrder::parse(&request.order_by)?;
    let page = page(request.max_results, MODELS_PAGE, request.page_token.as_deref())?;
    let search = ModelSearch::new(filter, order, caller.readable(), &page)?;
    let found = state.registered.search_models(&caller.workspace, search).await?;
    let names: Vec<ModelName> = found.items.iter().map(|detail| detail.model.name.clone()).collect();
    let mut versions: BTreeMap<ModelName, Vec<VersionDetail>> = BTreeMap::new();
    for version in state.registered.latest_versions(&caller.workspace, &names).await? {
        versions.entry(version.version.model.clone()).or_default().push(version);
    }
    let body = |detail: mainstay_registry::model::ModelDetail| {
        let versions = versions.remove(&detail.model.name).unwrap_or_default();
        ModelBody::new(detail, versions)
    };
    Ok(Json(FoundModels {
        registered_models: found.items.into_iter().map(body).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}

#[derive(Debug, Serialize)]
pub(crate) struct FoundVersions {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_versions: Vec<VersionBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

pub(crate) async fn versions(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<FoundVersions>, Error> {
    let filter = VersionFilter::parse(request.filter.as_deref().unwrap_or_default())?;
    let order = VersionOrder::parse(&request.order_by)?;
    let page = page(request.max_results, VERSIONS_PAGE, request.page_token.as_deref())?;
    let search = VersionSearch::new(filter, order, caller.readable(), &page)?;
    let found = state.registered.search_versions(&caller.workspace, search).await?;
    Ok(Json(FoundVersions {
        model_versions: found.items.into_iter().map(VersionBody::from).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}
