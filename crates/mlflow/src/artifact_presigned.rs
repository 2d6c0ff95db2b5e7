//! URLs with which clients ask the store directly: `GET mlflow-artifacts/presigned/{path}` for what this server
//! keeps, and `POST artifacts/presigned-{upload,download}-url` for artifacts of runs and models whose place is a
//! bucket. A store without URLs of its own says so, in the words at which clients ask this server instead.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header;
use mainstay_core::action::Action;
use mainstay_core::object::{DirectTransfer, ObjectPath, Objects};
use serde::{Deserialize, Serialize};

use crate::artifact_file::below;
use crate::artifact_owner::owned;
use crate::artifact_path::artifact_path;
use crate::artifact_root::Place;
use crate::body::Call;
use crate::logged_model::admitted;
use crate::run::{existing, parse_run_id};
use crate::table::Table;
use crate::wire::{int64, required};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Longest life of a URL, in seconds: a week, which is what stores allow.
const MAX_EXPIRATION: i64 = 604_800;
/// How long a URL for a download is good where the client does not say (`MLFLOW_PRESIGNED_DOWNLOAD_URL_TTL_SECONDS`).
const DOWNLOAD: i64 = 300;
/// And one for an upload.
const UPLOAD: i64 = 900;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::RunRead, Action::RunWrite);
    let proxied = Table::artifacts().get("presigned/{*path}", read, presigned);
    let direct = Table::v2().post("artifacts/presigned-upload-url", write, upload_url).post(
        "artifacts/presigned-download-url",
        read,
        download_url,
    );
    [proxied, direct].into_iter().flat_map(Table::rows).collect()
}

/// `PresignedDownloadUrlResponse`.
#[derive(Serialize)]
struct Presigned {
    url: String,
    headers: BTreeMap<String, String>,
    file_size: u64,
}

/// `CreatePresigned{Upload,Download}Url.Response`.
#[derive(Serialize)]
struct Answer {
    presigned_url: String,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
}

/// An answer that nobody on the way may keep.
fn unkept(answer: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

fn direct<'a>(objects: &'a dyn Objects, what: &'static str) -> Result<&'a dyn DirectTransfer, MlflowError> {
    objects.direct().ok_or(MlflowError::Unsupported(what))
}

/// Answers with a URL for the object at `path`.
pub(crate) async fn presigned_download(
    objects: &dyn Objects,
    path: &ObjectPath,
    what: &'static str,
) -> Result<Response, Error> {
    let found = direct(objects, what)?.download_url(path, lifetime(DOWNLOAD)?).await?;
    let (url, status) = found.ok_or_else(|| MlflowError::NoArtifact(path.to_string()))?;
    Ok(unkept(Presigned { url: url.reveal(), headers: BTreeMap::new(), file_size: status.size }))
}

async fn presigned(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, Error> {
    let path = owned(&state, &caller, artifact_path(&path)?).await?;
    presigned_download(&*state.objects, &path, "Multipart download").await
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

/// Whose artifact an upload becomes.
enum Owner {
    Run(String),
    Model(String),
}

fn lifetime(seconds: i64) -> Result<Duration, MlflowError> {
    let within = u64::try_from(seconds).ok().filter(|_| (1..=MAX_EXPIRATION).contains(&seconds));
    within.map(Duration::from_secs).ok_or_else(|| {
        let range = format!("expiration must be between 1 and {MAX_EXPIRATION} seconds (got {seconds}).");
        MlflowError::PresignedUrl(range)
    })
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
) -> Result<Response, Error> {
    let path = required("path", request.path)?;
    let given = |id: Option<String>| id.filter(|id| !id.is_empty());
    let owner = match (given(request.run_id), given(request.model_id)) {
        (Some(run), None) => Owner::Run(run),
        (None, Some(model)) => Owner::Model(model),
        _ => {
            let one = "Exactly one of run_id and model_id must be provided.";
            return Err(MlflowError::PresignedUrl(one.to_owned()).into());
        }
    };
    let path = artifact_path(&path)?;
    let uri = match owner {
        Owner::Run(run) => existing(&state, &caller, parse_run_id(&run)?).await?.run.artifact_uri,
        Owner::Model(model) => admitted(&state, &caller, model.parse()?).await?.model.artifact_uri,
    };
    if let Some(scheme) = proxied_scheme(&uri) {
        return Err(MlflowError::PresignedUrl(format!(
            "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: {scheme}). \
             This endpoint requires a direct cloud storage artifact URI."
        ))
        .into());
    }
    let lifetime = lifetime(request.expiration.unwrap_or(UPLOAD))?;
    let place = placed(&state, uri, &path, "Presigned upload")?;
    let url = direct(&*place.objects, "Presigned upload")?.upload_url(&place.path, lifetime).await?;
    Ok(unkept(Answer { presigned_url: url.reveal(), headers: BTreeMap::new(), file_size: None }))
}

async fn download_url(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<UrlFor>,
) -> Result<Response, Error> {
    let run = required("run_id", request.run_id)?;
    let path = artifact_path(&required("path", request.path)?)?;
    let lifetime = lifetime(request.expiration.unwrap_or(DOWNLOAD))?;
    let uri = existing(&state, &caller, parse_run_id(&run)?).await?.run.artifact_uri;
    if let Some(scheme) = proxied_scheme(&uri) {
        return Err(MlflowError::PresignedUrl(format!(
            "Presigned download is not supported for runs with proxied artifact storage (artifact URI scheme: \
             {scheme}). This endpoint requires a run with a direct cloud storage artifact URI."
        ))
        .into());
    }
    let place = placed(&state, uri, &path, "Presigned download")?;
    let found = direct(&*place.objects, "Presigned download")?.download_url(&place.path, lifetime).await?;
    let (url, status) = found.ok_or_else(|| MlflowError::NoArtifact(path.to_string()))?;
    let (presigned_url, file_size) = (url.reveal(), Some(status.size));
    Ok(unkept(Answer { presigned_url, headers: BTreeMap::new(), file_size }))
}

/// A file below a URI, in the store that is read there. Elsewhere nothing can be signed.
fn placed(state: &Mlflow, uri: String, path: &ObjectPath, what: &'static str) -> Result<Place, MlflowError> {
    match below(state, uri, path) {
        Err(MlflowError::ElsewhereArtifacts(_)) => Err(MlflowError::Unsupported(what)),
        placed => placed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_places_are_behind_a_proxy() {
        assert_eq!(proxied_scheme("mlflow-artifacts:/0/r"), Some("mlflow-artifacts"));
        assert_eq!(proxied_scheme("s3://b/r"), None);
    }

    #[test]
    fn a_url_lives_for_a_second_to_a_week() {
        assert_eq!(lifetime(604_800), Ok(Duration::from_hours(168)));
        for bad in [0, -1, 604_801, i64::MAX] {
            let told = lifetime(bad).unwrap_err().to_string();
            assert_eq!(told, format!("expiration must be between 1 and 604800 seconds (got {bad})."));
        }
    }
}
