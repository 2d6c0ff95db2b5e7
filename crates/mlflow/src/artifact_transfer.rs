//! Uploads in parts, and URLs with which clients ask a store directly. No store of ours has either: these calls
//! check what they are given and say so, in the words at which clients fall back to plain ones.

use axum::extract::{Path, State};
use mainstay_core::action::Action;
use serde::Deserialize;

use crate::artifact_owner::owned;
use crate::artifact_path::{artifact_directory, artifact_path, decoded};
use crate::body::Call;
use crate::logged_model::admitted;
use crate::run::{existing, parse_run_id};
use crate::table::Table;
use crate::wire::{int64, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Longest life of a URL, in seconds: a week, which is what stores allow.
const MAX_EXPIRATION: i64 = 604_800;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::RunRead, Action::RunWrite);
    let proxied = Table::artifacts()
        .post("mpu/create/{*path}", write, create_multipart)
        .post("mpu/complete/{*path}", write, complete_multipart)
        .post("mpu/abort/{*path}", write, abort_multipart)
        .get("presigned/{*path}", read, presigned);
    let direct = Table::v2().post("artifacts/presigned-upload-url", write, upload_url).post(
        "artifacts/presigned-download-url",
        read,
        download_url,
    );
    [proxied, direct].into_iter().flat_map(Table::rows).collect()
}

/// The file of a multipart upload.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Multipart {
    path: Option<String>,
    parts: Option<serde_json::Value>,
}

/// Checks the name of the file: clients before 3.18 send their local path, of which the last part counts.
fn file_name(path: &str) -> Result<(), MlflowError> {
    let last = |text: &str| text.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let name = last(&decoded(&last(path))?);
    artifact_path(&name).map(drop)
}

/// What all three calls check.
async fn multipart(
    state: &MlflowState,
    caller: &Caller,
    directory: &str,
    request: Multipart,
) -> Result<(), Error> {
    if let Some(directory) = artifact_directory(directory)? {
        owned(state, caller, directory).await?;
    }
    file_name(&required("path", request.path)?)?;
    Err(MlflowError::Unsupported("Multipart upload").into())
}

async fn create_multipart(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
    Call(request): Call<Multipart>,
) -> Result<(), Error> {
    multipart(&state, &caller, &path, request).await
}

async fn complete_multipart(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
    Call(request): Call<Multipart>,
) -> Result<(), Error> {
    required("path", request.path.clone())?;
    if request.parts.is_none() {
        return Err(MlflowError::Missing("parts").into());
    }
    multipart(&state, &caller, &path, request).await
}

async fn abort_multipart(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
    Call(request): Call<Multipart>,
) -> Result<(), Error> {
    multipart(&state, &caller, &path, request).await
}

async fn presigned(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<(), Error> {
    owned(&state, &caller, artifact_path(&path)?).await?;
    Err(MlflowError::Unsupported("Multipart download").into())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UrlFor {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "modelId")]
    model_id: Option<String>,
    path: Option<String>,
    #[serde(deserialize_with = "int64")]
    expiration: Option<i64>,
}

/// The scheme of artifacts that clients reach through a proxy alone.
fn proxied_scheme(uri: &str) -> Option<&str> {
    let scheme = uri.split_once(':')?.0;
    ["http", "https", "mlflow-artifacts"].contains(&scheme).then_some(scheme)
}

async fn upload_url(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<UrlFor>,
) -> Result<(), Error> {
    let path = required("path", request.path)?;
    let run = request.run_id.filter(|id| !id.is_empty());
    let model = request.model_id.filter(|id| !id.is_empty());
    if run.is_some() == model.is_some() {
        return Err(MlflowError::PresignedUrl(
            "Exactly one of run_id and model_id must be provided.".to_owned(),
        )
        .into());
    }
    artifact_path(&path)?;
    let uri = match (run, model) {
        (Some(run), _) => existing(&state, &caller, parse_run_id(&run)?).await?.run.artifact_uri,
        (None, Some(model)) => admitted(&state, &caller, model.parse()?).await?.model.artifact_uri,
        (None, None) => String::new(),
    };
    Err(match proxied_scheme(&uri) {
        Some(scheme) => MlflowError::PresignedUrl(format!(
            "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: {scheme}). \
             This endpoint requires a direct cloud storage artifact URI."
        )),
        None => MlflowError::Unsupported("Presigned upload"),
    }
    .into())
}

async fn download_url(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<UrlFor>,
) -> Result<(), Error> {
    let run = required("run_id", request.run_id)?;
    artifact_path(&required("path", request.path)?)?;
    if let Some(expiration) = request.expiration.filter(|seconds| !(1..=MAX_EXPIRATION).contains(seconds)) {
        let refused =
            format!("expiration must be between 1 and {MAX_EXPIRATION} seconds (got {expiration}).");
        return Err(MlflowError::PresignedUrl(refused).into());
    }
    let uri = existing(&state, &caller, parse_run_id(&run)?).await?.run.artifact_uri;
    Err(match proxied_scheme(&uri) {
        Some(scheme) => MlflowError::PresignedUrl(format!(
            "Presigned download is not supported for runs with proxied artifact storage (artifact URI scheme: \
             {scheme}). This endpoint requires a run with a direct cloud storage artifact URI."
        )),
        None => MlflowError::Unsupported("Presigned download"),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_local_path_is_the_name() {
        for good in ["a.bin", "/home/x/a.bin", "C:\\x\\a.bin", "dir%2Fa.bin"] {
            assert_eq!(file_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a/", "..", "a/..", "src%5C..", "."] {
            assert_eq!(file_name(bad), Err(MlflowError::InvalidPath), "{bad}");
        }
    }

    #[test]
    fn some_places_are_behind_a_proxy() {
        assert_eq!(proxied_scheme("mlflow-artifacts:/0/r"), Some("mlflow-artifacts"));
        assert_eq!(proxied_scheme("s3://b/r"), None);
    }
}
