//! Model versions: create, get, describe, stage, delete, and where their artifacts are.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::clip;
use mainstay_registry::command::{DeleteVersion, DescribeVersion, RegisterVersion, TransitionStage};
use mainstay_registry::model::Stage;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_registry::prompt::{IS_PROMPT, says_prompt};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::model_body::VersionBody;
use crate::model_source::{accept, download_uri, existing};
use crate::registered_model::{model_name, registry_tags};
use crate::table::Table;
use crate::wire::{Empty, KeyValue, list, required};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::ModelRead, Action::ModelWrite);
    Table::v2()
        .post("model-versions/create", write, create)
        .get("model-versions/get", read, get)
        .patch("model-versions/update", write, update)
        .post("model-versions/transition-stage", write, transition_stage)
        .delete("model-versions/delete", Action::ModelDelete, delete)
        .get("model-versions/get-download-uri", read, get_download_uri)
        .rows()
}

#[derive(Debug, Serialize)]
struct One {
    model_version: VersionBody,
}

async fn one(
    state: &Mlflow,
    workspace: &Name,
    name: &ModelName,
    number: VersionNumber,
) -> Result<Json<One>, Error> {
    Ok(Json(One { model_version: existing(state, workspace, name, number).await?.into() }))
}

/// The version of `model` that a message names. A whole number that no version can have is one that is not
/// there, however it is written (`int` in Python).
pub(crate) fn version_number(model: &ModelName, version: Option<String>) -> Result<VersionNumber, Error> {
    let text = required("version", version)?;
    let digits = text.trim().trim_start_matches('+');
    let is_integer = {
        let bare = digits.strip_prefix('-').unwrap_or(digits);
        !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_integer {
        return Err(MlflowError::NotVersion(clip(&text)).into());
    }
    VersionNumber::parse(digits)
        .map_err(|_| MlflowError::NoVersion { model: model.clone(), number: clip(digits) }.into())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    name: Option<String>,
    source: Option<String>,
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
    #[serde(alias = "runLink")]
    run_link: Option<String>,
    description: Option<String>,
    #[serde(alias = "modelId")]
    model_id: Option<String>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Create>,
) -> Result<Json<One>, Error> {
    let name = model_name(request.name)?;
    caller.admitted(ResourceKind::Model, &name)?;
    let uri = required("source", request.source)?;
    let run = request.run_id.filter(|id| !id.is_empty()).map(RunRef::new).transpose()?;
    let model = request.model_id.filter(|id| !id.is_empty()).map(|id| id.parse()).transpose()?;
    let flag = request.tags.iter().rfind(|tag| tag.key == IS_PROMPT);
    let is_prompt = flag.is_some_and(|tag| says_prompt(&tag.value));
    // Files are read here, before the command: nothing inside a transaction may wait for them.
    let source = accept(&state, &caller, uri, (run, model), is_prompt).await?;
    let command = RegisterVersion {
        workspace: caller.workspace.clone(),
        name: name.clone(),
        source: source.uri,
        location: source.location,
        run: source.run,
        run_link: request.run_link.unwrap_or_default(),
        logged_model: source.logged_model.map(|id| id.to_string()),
        description: request.description.unwrap_or_default(),
        tags: registry_tags(request.tags)?,
        digest: source.digest,
    };
    let version = state.registry.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, &name, version.number).await
}

/// A message that names a version, and what some of them carry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
    stage: Option<String>,
    #[serde(alias = "archiveExistingVersions")]
    archive_existing_versions: Option<bool>,
}

impl Named {
    fn key(&mut self) -> Result<(ModelName, VersionNumber), Error> {
        let name = model_name(self.name.take())?;
        let number = version_number(&name, self.version.take())?;
        Ok((name, number))
    }
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<One>, Error> {
    let (name, number) = request.key()?;
    caller.admitted(ResourceKind::Model, &name)?;
    one(&state, &caller.workspace, &name, number).await
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<One>, Error> {
    let (name, number) = request.key()?;
    let description = request.description.unwrap_or_default();
    let workspace = caller.workspace.clone();
    let command = DescribeVersion { workspace, name: name.clone(), number, description };
    state.registry.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, &name, number).await
}

async fn transition_stage(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<One>, Error> {
    let (name, number) = request.key()?;
    let command = TransitionStage {
        workspace: caller.workspace.clone(),
        name: name.clone(),
        number,
        stage: Stage::choice(&required("stage", request.stage)?)?,
        archive_existing: request.archive_existing_versions.unwrap_or(false),
    };
    state.registry.run(&caller.principal, command).await?;
    one(&state, &caller.workspace, &name, number).await
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let (name, number) = request.key()?;
    let command = DeleteVersion { workspace: caller.workspace, name, number };
    state.registry.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Serialize)]
struct DownloadUri {
    artifact_uri: String,
}

async fn get_download_uri(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Named>,
) -> Result<Json<DownloadUri>, Error> {
    let (name, number) = request.key()?;
    caller.admitted(ResourceKind::Model, &name)?;
    let artifact_uri = download_uri(&state, &caller.workspace, &name, number).await?;
    Ok(Json(DownloadUri { artifact_uri }))
}
