//! `GET /v2`, `GET /v2/models/{model}[/versions/{version}]` and `…/config`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use serde::Serialize;

use super::service::{EndpointDescription, TensorDescription};
use super::tensor::Datatype;
use super::{Error, ModelPath, OipError, OipState};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// What we offer beyond the protocol, under Triton's names.
const EXTENSIONS: [&str; 3] = ["binary_tensor_data", "parameters", "model_configuration"];
/// The platform under which every model is described.
const PLATFORM: &str = "mainstay_onnx";

pub(super) fn routes() -> Vec<Route<OipState>> {
    let probe = (Action::ServerProbe, RouteScope::Server);
    let read = (Action::EndpointRead, RouteScope::Path(ResourceKind::Endpoint, "model"));
    let at = |path| (Method::GET, path);
    vec![
        Route::new(Protocol::Oip, at("/v2"), probe, server),
        Route::new(Protocol::Oip, at("/v2/models/{model}"), read, model),
        Route::new(Protocol::Oip, at("/v2/models/{model}/versions/{version}"), read, model),
        Route::new(Protocol::Oip, at("/v2/models/{model}/config"), read, config),
        Route::new(Protocol::Oip, at("/v2/models/{model}/versions/{version}/config"), read, config),
    ]
}

#[derive(Serialize)]
struct ServerMetadata {
    name: &'static str,
    version: &'static str,
    extensions: [&'static str; 3],
}

async fn server(State(state): State<OipState>) -> Json<ServerMetadata> {
    Json(ServerMetadata { name: "mainstay", version: state.version, extensions: EXTENSIONS })
}

#[derive(Serialize)]
struct ModelMetadata {
    name: String,
    versions: Vec<String>,
    platform: &'static str,
    inputs: Vec<TensorMetadata>,
    outputs: Vec<TensorMetadata>,
}

#[derive(Serialize)]
struct TensorMetadata {
    name: String,
    datatype: &'static str,
    shape: Vec<i64>,
}

impl From<TensorDescription> for TensorMetadata {
    fn from(tensor: TensorDescription) -> Self {
        let shape = dimensions(&tensor.shape);
        Self { name: tensor.name, datatype: tensor.datatype.as_str(), shape }
    }
}

/// -1 is any size.
fn dimensions(shape: &[Option<usize>]) -> Vec<i64> {
    shape.iter().map(|size| size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1)).collect()
}

/// What the endpoint of a path takes and gives; fails if the path names a version that does not answer.
pub(super) fn describe(
    state: &OipState,
    caller: &Caller,
    path: &ModelPath,
) -> Result<EndpointDescription, Error> {
    let found = state.service.describe(&caller.workspace, &path.model)?;
    match path.version()? {
        Some(version) if !found.versions.contains(&version) => {
            Err(OipError::Version(version.to_string()).into())
        }
        _ => Ok(found),
    }
}

async fn model(
    State(state): State<OipState>,
    caller: Caller,
    path: Result<Path<ModelPath>, PathRejection>,
) -> Result<Json<ModelMetadata>, Error> {
    let found = describe(&state, &caller, &ModelPath::read(path)?)?;
    Ok(Json(ModelMetadata {
        name: found.name.into(),
        versions: found.versions.iter().map(u64::to_string).collect(),
        platform: PLATFORM,
        inputs: found.inputs.into_iter().map(TensorMetadata::from).collect(),
        outputs: found.outputs.into_iter().map(TensorMetadata::from).collect(),
    }))
}

/// Triton's model configuration, as far as it says something true here: a `max_batch_size` of 0 means
/// that shapes stand as they are, with the rows as their first dimension.
#[derive(Serialize)]
struct ModelConfig {
    name: String,
    platform: &'static str,
    backend: &'static str,
    max_batch_size: u32,
    input: Vec<ConfigTensor>,
    output: Vec<ConfigTensor>,
}

#[derive(Serialize)]
struct ConfigTensor {
    name: String,
    data_type: String,
    dims: Vec<i64>,
}

impl From<TensorDescription> for ConfigTensor {
    fn from(tensor: TensorDescription) -> Self {
        // Triton's protobuf calls texts TYPE_STRING and everything else by its datatype.
        let data_type = match tensor.datatype {
            Datatype::Bytes => "TYPE_STRING".to_owned(),
            other => format!("TYPE_{}", other.as_str()),
        };
        Self { name: tensor.name, data_type, dims: dimensions(&tensor.shape) }
    }
}

async fn config(
    State(state): State<OipState>,
    caller: Caller,
    path: Result<Path<ModelPath>, PathRejection>,
) -> Result<Json<ModelConfig>, Error> {
    let found = describe(&state, &caller, &ModelPath::read(path)?)?;
    Ok(Json(ModelConfig {
        name: found.name.into(),
        platform: PLATFORM,
        backend: "mainstay",
        max_batch_size: 0,
        input: found.inputs.into_iter().map(ConfigTensor::from).collect(),
        output: found.outputs.into_iter().map(ConfigTensor::from).collect(),
    }))
}
