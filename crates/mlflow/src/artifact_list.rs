//! `GET artifacts/list` and `GET logged-models/{model_id}/artifacts/directories`: what lies in a
//! directory of a run or logged model.

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_core::object::{Entry, Listing, ObjectPath, Objects};
use serde::{Deserialize, Serialize};

use crate::artifact_path::artifact_directory;
use crate::body::Call;
use crate::logged_model::admitted;
use crate::run::{existing, parse_run_id, run_named};
use crate::table::Table;
use crate::{Error, Mlflow, MlflowError, MlflowState};
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

impl FileInfo {
    /// A file or directory in one whose path is `prefix`.
    pub(crate) fn new(prefix: &str, entry: &Entry) -> Self {
        let separator = if prefix.is_empty() { "" } else { "/" };
        Self {
            path: format!("{prefix}{separator}{}", entry.name),
            is_dir: entry.size.is_none(),
            file_size: entry.size,
        }
    }
}

/// Most files and directories in one directory that are told. MLflow's clients know no pages of them and take what they
/// are told for all; so more are refused.
const MAX_LISTED: usize = 100_000;

/// What lies in a directory, all of it.
pub(crate) async fn listed(
    objects: &dyn Objects,
    directory: Option<&ObjectPath>,
) -> Result<Vec<Entry>, Error> {
    Ok(whole(objects.list(directory, MAX_LISTED).await?)?)
}

/// What is told of a directory: all of it, or why not.
fn whole(listing: Listing) -> Result<Vec<Entry>, MlflowError> {
    if listing.has_more {
        return Err(MlflowError::LargeDirectory { limit: MAX_LISTED });
    }
    Ok(listing.entries)
}

/// The directory `below` the artifacts at `root_uri`; paths are relative to the latter.
async fn listing(state: &Mlflow, root_uri: String, below: Option<ObjectPath>) -> Result<Json<Files>, Error> {
    let root = state.place(&root_uri).ok_or_else(|| MlflowError::ElsewhereArtifacts(root_uri.clone()))??;
    let (directory, prefix) = match &below {
        None => (root.path, ""),
        Some(below) => {
            (root.path.join(below.as_str()).map_err(|_| MlflowError::InvalidPath)?, below.as_str())
        }
    };
    let entries = listed(&*root.objects, Some(&directory)).await?;
    let files = entries.iter().map(|entry| FileInfo::new(prefix, entry)).collect();
    Ok(Json(Files::new(Some(root_uri), files)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OfRun {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
    path: Option<String>,
}

pub(crate) async fn of_run(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<OfRun>,
) -> Result<Json<Files>, Error> {
    let run = run_named(request.run_id, request.run_uuid)?;
    let below = artifact_directory(request.path.as_deref().unwrap_or_default())?;
    let run = existing(&state, &caller, parse_run_id(&run)?).await?.run;
    listing(&state, run.artifact_uri, below).await
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
    let below = artifact_directory(request.artifact_directory_path.as_deref().unwrap_or_default())?;
    let model = admitted(&state, &caller, model_id.parse()?).await?.model;
    listing(&state, model.artifact_uri, below).await
}

#[cfg(test)]
mod tests {
    use mainstay_core::error::{Coded as _, ErrorCode};

    use super::*;

    #[test]
    fn a_directory_is_told_whole_or_not_at_all() {
        let entries = vec![Entry { name: "a".into(), size: Some(1) }];
        let all = whole(Listing { entries: entries.clone(), has_more: false });
        assert_eq!(all.unwrap(), entries);
        let refused = whole(Listing { entries, has_more: true }).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidArgument);
        assert!(refused.to_string().contains("more than 100000 files"), "{refused}");
    }
}
