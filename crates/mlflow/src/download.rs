//! One artifact as a download.

use axum::response::Response;
use futures::TryStreamExt as _;
use http::HeaderMap;
use mainstay_core::object::{ObjectPath, Objects};

use crate::{Error, MlflowError};

/// Answers with the object at `path`, or says that there is none, or that it is a directory.
pub async fn download(
    objects: &dyn Objects,
    path: &ObjectPath,
    request: &HeaderMap,
) -> Result<Response, Error> {
    if let Some(answer) = mainstay_api::download::download(objects, path, request).await? {
        return Ok(answer);
    }
    let is_directory = objects.entries(Some(path)).await?.try_next().await?.is_some();
    let path = path.to_string();
    let missing = if is_directory { MlflowError::IsDirectory(path) } else { MlflowError::NoArtifact(path) };
    Err(missing.into())
}
