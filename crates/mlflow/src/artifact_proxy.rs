//! Artifacts by path: upload, download, removal and listing, streamed between client and store.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use futures::TryStreamExt as _;
use http::HeaderMap;
use mainstay_core::action::Action;
use serde::Deserialize;

use crate::artifact_list::{FileInfo, Files, listed};
use crate::artifact_owner::{owned, root_of, seen, writable};
use crate::artifact_path::{artifact_directory, artifact_path};
use crate::artifact_room::Room;
use crate::body::Call;
use crate::download;
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
    if path.ends_with('/') {
        return Err(MlflowError::InvalidPath.into());
    }
    let path = writable(&state, &caller, artifact_path(&path)?).await?;
    let bytes = body.into_data_stream().map_err(Into::into);
    let room = Room::in_workspace(&state, &caller.workspace).await?;
    let stored = state.objects.put(&path, Box::pin(bytes), room.at_most(ARTIFACT_LIMIT)).await;
    room.told(stored)?;
    room.taken(&state, &*state.objects, &path).await?;
    Ok(Json(Empty {}))
}

async fn download(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let path = owned(&state, &caller, artifact_path(&path)?).await?;
    download::download(&*state.objects, &path, &headers).await
}

/// What is not there needs no removal.
async fn remove(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Json<Empty>, Error> {
    let path = writable(&state, &caller, artifact_path(&path)?).await?;
    state.objects.delete(&path).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    path: Option<String>,
}

/// `?path=`: one directory, the root if none is named. The names are relative to it.
async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<List>,
) -> Result<Json<Files>, Error> {
    let directory = match artifact_directory(request.path.as_deref().unwrap_or_default())? {
        Some(path) => Some(owned(&state, &caller, path).await?),
        None => root_of(&caller.workspace),
    };
    let mut entries = listed(&*state.objects, directory.as_ref()).await?;
    if directory.is_none() {
        entries = seen(&state, &caller, entries).await?;
    }
    Ok(Json(Files::new(None, entries.iter().map(|entry| FileInfo::new("", entry)).collect())))
}
