//! Experiments: create, get, rename, delete, restore, tag.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::command::{
    ArtifactLocation, CreateExperiment, DeleteExperiment, DeleteExperimentTag, RenameExperiment,
    RestoreExperiment, SetExperimentTag,
};
use mainstay_tracking::experiment::{ExperimentDetail, ExperimentId, ExperimentName};
use mainstay_tracking::text::Pair;
use serde::{Deserialize, Serialize};

use crate::artifact_neighbours::named;
use crate::body::Call;
use crate::table::Table;
use crate::wire::{Empty, KeyValue, list, pairs, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write, removal) = (Action::RunRead, Action::RunWrite, Action::RunDelete);
    Table::v2()
        .get("experiments/get", read, get)
        .get("experiments/get-by-name", read, get_by_name)
        .post("experiments/create", Action::ExperimentCreate, create)
        .post("experiments/update", write, update)
        .post("experiments/delete", removal, delete)
        .post("experiments/restore", removal, restore)
        .post("experiments/set-experiment-tag", write, set_tag)
        .post("experiments/delete-experiment-tag", write, delete_tag)
        .rows()
}

/// `Experiment`.
#[derive(Debug, Serialize)]
pub(crate) struct ExperimentBody {
    experiment_id: String,
    name: String,
    artifact_location: String,
    lifecycle_stage: &'static str,
    creation_time: i64,
    last_update_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    workspace: String,
}

impl ExperimentBody {
    /// An experiment of a workspace.
    pub(crate) fn new(ExperimentDetail { experiment, tags }: ExperimentDetail, workspace: &Name) -> Self {
        Self {
            experiment_id: experiment.id.to_string(),
            name: experiment.name.to_string(),
            artifact_location: experiment.artifact_location,
            lifecycle_stage: experiment.lifecycle.as_str(),
            creation_time: experiment.created.millis(),
            last_update_time: experiment.updated.millis(),
            tags: pairs(tags),
            workspace: workspace.to_string(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct One {
    experiment: ExperimentBody,
}

/// A message that names an experiment, and what some of them carry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    #[serde(alias = "newName")]
    new_name: Option<String>,
    key: Option<String>,
    value: Option<String>,
}

impl Named {
    fn named(&mut self) -> Result<String, MlflowError> {
        required("experiment_id", self.experiment_id.take())
    }

    fn id(&mut self) -> Result<ExperimentId, Error> {
        Ok(ExperimentId::parse(&self.named()?)?)
    }
}

pub(crate) async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<One>, Error> {
    let id = request.id()?;
    caller.admitted(ResourceKind::Experiment, id)?;
    let found = state.tracked.experiment(&caller.workspace, id).await?;
    let found = found.ok_or(ExperimentError::Missing(id))?;
    Ok(Json(One { experiment: ExperimentBody::new(found, &caller.workspace) }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ByName {
    #[serde(alias = "experimentName")]
    experiment_name: Option<String>,
}

async fn get_by_name(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<ByName>,
) -> Result<Json<One>, Error> {
    let name = ExperimentName::new(required("experiment_name", request.experiment_name)?)?;
    let found = state.tracked.experiment_named(&caller.workspace, &name).await?;
    let found = found.ok_or_else(|| MlflowError::NoExperimentNamed(name.to_string()))?;
    caller.admitted(ResourceKind::Experiment, found.experiment.id)?;
    Ok(Json(One { experiment: ExperimentBody::new(found, &caller.workspace) }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    name: Option<String>,
    #[serde(alias = "artifactLocation")]
    artifact_location: Option<String>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
}

#[derive(Debug, Serialize)]
struct Created {
    experiment_id: String,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Create>,
) -> Result<Json<Created>, Error> {
    let name = required("name", request.name)?;
    let tags = request.tags.into_iter().map(|tag| Pair::experiment_tag(tag.key, tag.value));
    let location = match request.artifact_location.filter(|uri| !uri.is_empty()) {
        None => ArtifactLocation::Under(state.artifact_root.of(&caller.workspace)),
        Some(uri) => {
            let uri = state.artifact_root.checked(uri, &caller.workspace)?;
            named(&state, &caller, uri).await?
        }
    };
    let command = CreateExperiment {
        workspace: caller.workspace,
        name: ExperimentName::given(name)?,
        location,
        tags: tags.collect::<Result<_, _>>()?,
    };
    let experiment = state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Created { experiment_id: experiment.id.to_string() }))
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let text = request.named()?;
    let name = required("new_name", request.new_name)?;
    let id = ExperimentId::parse(&text)?;
    let command = RenameExperiment { workspace: caller.workspace, id, name: ExperimentName::given(name)? };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteExperiment { workspace: caller.workspace, id: request.id()? };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn restore(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let command = RestoreExperiment { workspace: caller.workspace, id: request.id()? };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn set_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let (text, key) = (request.named()?, required("key", request.key)?);
    let tag = Pair::experiment_tag(key, request.value.unwrap_or_default())?;
    let command = SetExperimentTag { workspace: caller.workspace, id: ExperimentId::parse(&text)?, tag };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete_tag(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let (text, key) = (request.named()?, required("key", request.key)?);
    let command = DeleteExperimentTag { workspace: caller.workspace, id: ExperimentId::parse(&text)?, key };
    state.tracking.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
