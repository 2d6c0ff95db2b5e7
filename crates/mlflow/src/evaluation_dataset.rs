//! Evaluation datasets: create, get, delete, search, tag, link with experiments.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::scope::ResourceKind;
use mainstay_evaluation::DatasetId;
use mainstay_evaluation::command::{
    CreateEvaluationDataset, DeleteEvaluationDataset, LinkEvaluationDataset, TagEvaluationDataset,
    UnlinkEvaluationDataset, UntagEvaluationDataset,
};
use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::error::EvaluationError;
use mainstay_evaluation::record::Object;
use mainstay_evaluation::search::{DatasetFilter, DatasetOrder, search_datasets};
use mainstay_tracking::experiment::ExperimentId;
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::evaluation_body::EvaluationDatasetBody;
use crate::json_text::{self, tag_text};
use crate::table::Table;
use crate::wire::{Empty, int64, list, page, required};
use crate::{Error, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::{Denied, Route};

/// `SEARCH_EVALUATION_DATASETS_MAX_RESULTS` and `SEARCH_MAX_RESULTS_THRESHOLD`.
const PAGE: (usize, usize) = (1_000, 50_000);

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::RunRead, Action::RunWrite);
    Table::v3()
        .post("datasets/create", write, create)
        .post("datasets/search", read, search)
        .get("datasets/search", read, search)
        .get("datasets/{dataset_id}", read, get)
        .delete("datasets/{dataset_id}", Action::RunDelete, delete)
        .patch("datasets/{dataset_id}/tags", write, set_tags)
        .delete("datasets/{dataset_id}/tags/{key}", write, delete_tag)
        .get("datasets/{dataset_id}/experiment-ids", read, experiment_ids)
        .post("datasets/{dataset_id}/add-experiments", write, add_experiments)
        .post("datasets/{dataset_id}/remove-experiments", write, remove_experiments)
        .rows()
}

#[derive(Debug, Serialize)]
struct One {
    dataset: EvaluationDatasetBody,
}

fn one(detail: EvaluationDatasetDetail) -> Json<One> {
    Json(One { dataset: detail.into() })
}

fn experiments(ids: &[String]) -> Result<Vec<ExperimentId>, ExperimentError> {
    ids.iter().map(|id| ExperimentId::parse(id)).collect()
}

/// Refuses a dataset of which the caller may not do to all experiments what the route does. One that has none is for
/// those whose role lets them in: for others nobody has asked, so that the guard refuses it.
pub(crate) fn admit(caller: &Caller, detail: &EvaluationDatasetDetail) -> Result<(), Denied> {
    detail.experiments.iter().try_for_each(|id| caller.admitted(ResourceKind::Experiment, id))
}

/// The tags in a JSON text; those that are null are left out.
fn tags(text: &str) -> Result<Vec<(String, String)>, Error> {
    let tags: Object = json_text::read("tags", text)?;
    Ok(tags.into_iter().filter_map(|(key, value)| Some((key, tag_text(value)?))).collect())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    name: Option<String>,
    #[serde(alias = "experimentIds", deserialize_with = "list")]
    experiment_ids: Vec<String>,
    tags: Option<String>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Create>,
) -> Result<Json<One>, Error> {
    let name = required("name", request.name)?;
    let tags = request.tags.filter(|text| !text.is_empty()).map_or(Ok(Vec::new()), |text| tags(&text))?;
    let (id, experiments) = (DatasetId::draw(&*state.entropy), experiments(&request.experiment_ids)?);
    let command = CreateEvaluationDataset::new(caller.workspace, id, name, tags, experiments)?;
    Ok(one(state.evaluation.run(&caller.principal, command).await?))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<One>, Error> {
    let found = match id.parse() {
        Ok(known) => state.evaluated.evaluation_dataset(&caller.workspace, known).await?,
        Err(_) => None,
    };
    let found = found.ok_or(EvaluationError::NoDataset(id))?;
    admit(&caller, &found)?;
    Ok(one(found))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Empty>, Error> {
    // What cannot be there needs no deletion.
    if let Ok(id) = id.parse() {
        let command = DeleteEvaluationDataset { workspace: caller.workspace, id };
        state.evaluation.run(&caller.principal, command).await?;
    }
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    #[serde(alias = "experimentIds", deserialize_with = "list")]
    experiment_ids: Vec<String>,
    #[serde(alias = "filterString")]
    filter_string: Option<String>,
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
    datasets: Vec<EvaluationDatasetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<Found>, Error> {
    let experiments = experiments(&request.experiment_ids)?.into_iter().collect();
    let filter = DatasetFilter::new(experiments, request.filter_string.as_deref().unwrap_or_default())?;
    let order = DatasetOrder::parse(&request.order_by)?;
    let page = page(request.max_results, PAGE, request.page_token.as_deref())?;
    let mut all = state.evaluated.evaluation_datasets(&caller.workspace).await?;
    let (readable, is_confined) = (caller.readable(), caller.is_confined());
    let is_seen = |of: &BTreeSet<ExperimentId>| !of.is_empty() && of.iter().all(|id| readable.has(id));
    all.retain(|detail| !is_confined || is_seen(&detail.experiments));
    let found = search_datasets(all, &filter, &order, &page)?;
    Ok(Json(Found {
        datasets: found.items.into_iter().map(EvaluationDatasetBody::from).collect(),
        next_page_token: found.next.map(|token| token.to_string()),
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tags {
    tags: Option<String>,
}

async fn set_tags(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Tags>,
) -> Result<Json<Empty>, Error> {
    let tags = tags(&required("tags", request.tags)?)?;
    let known = id.parse().map_err(|_| EvaluationError::NoDatasetToTag(id))?;
    let command = TagEvaluationDataset::new(caller.workspace, known, tags)?;
    state.evaluation.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result<Json<Empty>, Error> {
    if let Ok(id) = id.parse() {
        let command = UntagEvaluationDataset { workspace: caller.workspace, id, key };
        state.evaluation.run(&caller.principal, command).await?;
    }
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Serialize)]
struct ExperimentIds {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiment_ids: Vec<String>,
}

async fn experiment_ids(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ExperimentIds>, Error> {
    let found = match id.parse() {
        Ok(id) => state.evaluated.evaluation_dataset(&caller.workspace, id).await?,
        Err(_) => None,
    };
    if let Some(found) = &found {
        admit(&caller, found)?;
    }
    let experiments: BTreeSet<ExperimentId> = found.map(|detail| detail.experiments).unwrap_or_default();
    Ok(Json(ExperimentIds { experiment_ids: experiments.iter().map(ToString::to_string).collect() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Experiments {
    #[serde(alias = "experimentIds", deserialize_with = "list")]
    experiment_ids: Vec<String>,
}

/// The id of a dataset whose links change.
fn linkable(id: String) -> Result<DatasetId, EvaluationError> {
    id.parse().map_err(|_| EvaluationError::NoDatasetToLink(id))
}

async fn add_experiments(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Experiments>,
) -> Result<Json<One>, Error> {
    let (id, experiments) = (linkable(id)?, experiments(&request.experiment_ids)?);
    let command = LinkEvaluationDataset::new(caller.workspace, id, experiments)?;
    Ok(one(state.evaluation.run(&caller.principal, command).await?))
}

async fn remove_experiments(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Experiments>,
) -> Result<Json<One>, Error> {
    let (id, experiments) = (linkable(id)?, experiments(&request.experiment_ids)?.into_iter().collect());
    let command = UnlinkEvaluationDataset { workspace: caller.workspace, id, experiments };
    Ok(one(state.evaluation.run(&caller.principal, command).await?))
}
