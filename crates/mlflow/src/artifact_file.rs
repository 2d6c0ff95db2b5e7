//! One file of a run, a model version or a logged model: `GET /get-artifact`,
//! `GET /model-versions/get-artifact`, `GET logged-models/{model_id}/artifacts/files`, and
//! `POST upload-artifact`.

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, header};
use mainstay_core::action::Action;
use mainstay_core::object::ObjectPath;
use mainstay_core::scope::ResourceKind;
use serde::Deserialize;

use crate::artifact_path::artifact_path;
use crate::artifact_presigned::presigned_download;
use crate::artifact_root::Place;
use crate::body::{Call, from_query};
use crate::download::download;
use crate::logged_model::admitted;
use crate::model_source::version_place;
use crate::model_version::version_number;
use crate::registered_model::model_name;
use crate::run::{existing, parse_run_id, run_named};
use crate::table::Table;
use crate::wire::required;
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Largest file that is uploaded this way, in bytes.
const MAX_UPLOAD: usize = 10 << 20;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::RunRead, Action::RunWrite);
    let plain = Table::plain()
        .get("get-artifact", read, of_run)
        .get("model-versions/get-artifact", Action::ModelRead, of_version)
        // A stock server merges slashes, and clients that join addresses rely on it.
        .get("/model-versions/get-artifact", Action::ModelRead, of_version);
    let below = Table::v2().get("logged-models/{model_id}/artifacts/files", read, of_model).post(
        "upload-artifact",
        write,
        upload,
    );
    [plain, below].into_iter().flat_map(Table::rows).collect()
}

/// Where a file lies below the artifacts at `root_uri`.
pub(crate) fn below(state: &Mlflow, root_uri: String, path: &ObjectPath) -> Result<Place, MlflowError> {
    state.place(&root_uri).ok_or(MlflowError::ElsewhereArtifacts(root_uri))??.below(path)
}

/// Sends a file, or a URL for it, if its store has one that clients can ask.
async fn sent(place: Place, is_presigned: bool, headers: &HeaderMap) -> Result<Response, Error> {
    if is_presigned {
        return presigned_download(&*place.objects, &place.path, "Presigned download").await;
    }
    download(&*place.objects, &place.path, headers).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    run_id: Option<String>,
    run_uuid: Option<String>,
    name: Option<String>,
    version: Option<String>,
    path: Option<String>,
    artifact_file_path: Option<String>,
    presigned: Option<String>,
}

impl Named {
    fn path(&self) -> Result<ObjectPath, MlflowError> {
        artifact_path(
            self.path.as_deref().filter(|path| !path.is_empty()).ok_or(MlflowError::Missing("path"))?,
        )
    }

    fn is_presigned(&self) -> bool {
        self.presigned.as_deref() == Some("true")
    }
}

async fn of_run(
    State(state): State<MlflowState>,
    caller: Caller,
    headers: HeaderMap,
    Call(request): Call<Named>,
) -> Result<Response, Error> {
    let path = request.path()?;
    let run = parse_run_id(&run_named(request.run_id, request.run_uuid)?)?;
    let run = existing(&state, &caller, run).await?.run;
    sent(below(&state, run.artifact_uri, &path)?, false, &headers).await
}

async fn of_version(
    State(state): State<MlflowState>,
    caller: Caller,
    headers: HeaderMap,
    Call(request): Call<Named>,
) -> Result<Response, Error> {
    let (path, is_presigned) = (request.path()?, request.is_presigned());
    let name = model_name(request.name)?;
    let number = version_number(&name, request.version)?;
    caller.admitted(ResourceKind::Model, &name)?;
    let root = version_place(&state, &caller, &name, number).await?;
    sent(root.below(&path)?, is_presigned, &headers).await
}

async fn of_model(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(model_id): Path<String>,
    headers: HeaderMap,
    Call(request): Call<Named>,
) -> Result<Response, Error> {
    let file = request.artifact_file_path.as_deref().filter(|path| !path.is_empty());
    let path = artifact_path(file.ok_or(MlflowError::NoFileNamed)?)?;
    let model = admitted(&state, &caller, model_id.parse()?).await?.model;
    sent(below(&state, model.artifact_uri, &path)?, request.is_presigned(), &headers).await
}

/// Puts the body at `path` of a run.
async fn upload(
    State(state): State<MlflowState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Error> {
    let named: Named = from_query(request.method(), request.uri())?;
    let run = required("run_id", named.run_id.filter(|id| !id.is_empty()).or(named.run_uuid))
        .map_err(|_| MlflowError::Unspecified("run_id or run_uuid"))?;
    let path = required("path", named.path).map_err(|_| MlflowError::Unspecified("path"))?;
    let path = artifact_path(&path)?;
    let bytes = Bytes::from_request(request, &()).await.map_err(|_| MlflowError::LargeArtifact)?;
    if bytes.is_empty() {
        return Err(MlflowError::Unspecified("data").into());
    }
    if bytes.len() > MAX_UPLOAD {
        return Err(MlflowError::LargeArtifact.into());
    }
    let run = existing(&state, &caller, parse_run_id(&run)?).await?.run;
    let place = below(&state, run.artifact_uri, &path)?;
    let whole = Box::pin(futures::stream::iter([Ok(bytes)]));
    place.objects.put(&place.path, whole, MAX_UPLOAD as u64).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], "").into_response())
}
