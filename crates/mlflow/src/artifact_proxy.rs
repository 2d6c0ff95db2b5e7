//! Artifacts by path: upload, download, removal and listing, streamed between client and store.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;
use http::{HeaderValue, header};
use mainstay_core::action::Action;
use mainstay_core::object::{Content, ObjectPath};
use serde::Deserialize;

use crate::artifact_list::{Files, files};
use crate::artifact_path::{artifact_path, owned};
use crate::body::Call;
use crate::table::Table;
use crate::wire::Empty;
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Largest artifact, in bytes. It is never held in memory.
const ARTIFACT_LIMIT: u64 = 64 << 30;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::artifacts()
        .get("artifacts", Action::RunRead, list)
        .get("artifacts/{*path}", Action::RunRead, download)
        .put("artifacts/{*path}", Action::RunWrite, upload)
        .delete("artifacts/{*path}", Action::RunDelete, remove)
        .rows()
}

async fn upload(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
    body: Body,
) -> Result<Json<Empty>, Error> {
    let path = artifact_path(&path)?;
    owned(&state, &caller, &path).await?;
    refuse_root(&path)?;
    let bytes = body.into_data_stream().map_err(Into::into);
    state.objects.put(&path, Box::pin(bytes), ARTIFACT_LIMIT).await?;
    Ok(Json(Empty {}))
}

async fn download(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, Error> {
    let path = artifact_path(&path)?;
    owned(&state, &caller, &path).await?;
    let content = state.objects.get(&path, None).await?;
    let content = content.ok_or_else(|| MlflowError::NoArtifact(path.to_string()))?;
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    Ok(attachment(name, content))
}

/// A download that no browser shows as a page of ours.
fn attachment(name: &str, content: Content) -> Response {
    // Quotes and backslashes would end the name, and header values are ASCII.
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') { c } else { '_' })
        .collect();
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\""));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, HeaderValue::from(content.size)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or_else(|_| HeaderValue::from_static("attachment"))),
    ];
    (headers, Body::from_stream(content.bytes)).into_response()
}

async fn remove(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Empty>, Error> {
    let path = artifact_path(&path)?;
    owned(&state, &caller, &path).await?;
    refuse_root(&path)?;
    if !state.objects.delete(&path).await? {
        return Err(MlflowError::NoArtifact(path.to_string()).into());
    }
    Ok(Json(Empty {}))
}

/// The folder of an experiment is no artifact: nothing is put in its place, and it is not removed as a whole.
fn refuse_root(path: &ObjectPath) -> Result<(), MlflowError> {
    if path.as_str().contains('/') { Ok(()) } else { Err(MlflowError::InvalidPath) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    path: Option<String>,
}

/// `?path=`: one directory. The names are relative to it.
async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<List>,
) -> Result<Json<Files>, Error> {
    let path = crate::wire::required("path", request.path)?;
    let path = artifact_path(path.trim_end_matches('/'))?;
    owned(&state, &caller, &path).await?;
    Ok(Json(Files::new(None, files(&*state.objects, &path, "").await?)))
}
