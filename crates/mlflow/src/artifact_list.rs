//! `GET artifacts/list` and `GET logged-models/{model_id}/artifacts/directories`: what lies in a
//! directory of a run or logged model.

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::object::{ObjectPath, Objects};
use serde::{Deserialize, Serialize};

use crate::artifact_path::{artifact_path, stored_at};
use crate::body::Call;
use crate::logged_model::admitted;
use crate::run::{existing, run_id};
use crate::table::Table;
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2()
        .get("artifacts/list", Action::RunRead, of_run)
        .get("logged-models/{model_id}/artifacts/directories", Action::RunRead, of_model)
        .rows()
}

/// `FileInfo`.
#[derive(Debug, Serialize)]
pub(crate) struct FileInfo {
    path: String,
    is_dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
}

/// A listing.
#[derive(Debug, Serialize)]
pub(crate) struct Files {
    #[serde(skip_serializing_if = "Option::is_none")]
    root_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileInfo>,
}

impl Files {
    pub(crate) const fn new(root_uri: Option<String>, files: Vec<FileInfo>) -> Self {
        Self { root_uri, files }
    }
}

/// One directory; `prefix` goes before the names.
pub(crate) async fn files(
    objects: &dyn Objects,
    directory: &ObjectPath,
    prefix: &str,
) -> Result<Vec<FileInfo>, StorageError> {
    let entries = objects.list(Some(directory)).await?;
    let separator = if prefix.is_empty() { "" } else { "/" };
    let file = |entry: mainstay_core::object::Entry| FileInfo {
        path: format!("{prefix}{separator}{}", entry.name),
        is_dir: entry.size.is_none(),
        file_size: entry.size,
    };
    Ok(entries.into_iter().map(file).collect())
}

/// The directory `below` the artifacts at `root_uri`; paths are relative to the latter.
async fn listing(
    objects: &dyn Objects,
    root_uri: String,
    below: Option<String>,
) -> Result<Json<Files>, Error> {
    let root = stored_at(&root_uri).ok_or_else(|| MlflowError::ElsewhereArtifacts(root_uri.clone()))??;
    let found = match below.filter(|below| !below.is_empty()) {
        None => files(objects, &root, "").await?,
        Some(below) => {
            let below = artifact_path(below.trim_end_matches('/'))?;
            let directory = root.join(below.as_str()).map_err(|_| MlflowError::InvalidPath)?;
            files(objects, &directory, below.as_str()).await?
        }
    };
    Ok(Json(Files::new(Some(root_uri), found)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfRun {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
    path: Option<String>,
}

async fn of_run(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<OfRun>,
) -> Result<Json<Files>, Error> {
    let id = run_id(request.run_id, request.run_uuid)?;
    let run = existing(&state, &caller, id).await?.run;
    listing(&*state.objects, run.artifact_uri, request.path).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfModel {
    #[serde(alias = "artifactDirectoryPath")]
    artifact_directory_path: Option<String>,
}

async fn of_model(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(model_id): Path<String>,
    Call(request): Call<OfModel>,
) -> Result<Json<Files>, Error> {
    let model = admitted(&state, &caller, model_id.parse()?).await?.model;
    listing(&*state.objects, model.artifact_uri, request.artifact_directory_path).await
}
