//! A model that a script logged with MLflow becomes one that is gated and served: its ONNX graph is kept under
//! its own digest, to which verdicts are bound. What lies beside the graph in the logged directory is not.

use futures::StreamExt as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::object::{ModelFile, ObjectPath};
use mainstay_inference::{Limits, Model};
use mainstay_tracking::port::TrackingReader as _;

use super::Artifact;
use crate::StepError;
use crate::train::tracked::kept_here;
use crate::train::{MODEL_FILE, MODEL_LIMIT, put};
use mainstay_platform::Platform;

/// The one model that a run logged, once it is known that it can be served.
pub(super) async fn adopt(platform: &Platform, workspace: &Name, run: RunId) -> Result<Artifact, StepError> {
    let reader = &platform.database.reader;
    let found = reader.runs(workspace, &[run]).await.map_err(StepError::of)?;
    let missing = || StepError::refused(ErrorCode::NotFound, format!("there is no run {run}"));
    let found = found.into_iter().next().ok_or_else(missing)?;
    let ids: Vec<_> = found.attached.model_outputs.iter().map(|output| output.model).collect();
    let models = reader.logged_models(workspace, &ids).await.map_err(StepError::of)?;
    let [detail] = models.as_slice() else {
        let message =
            format!("run {run} logged {} models; the one to register must be the only one", models.len());
        return Err(StepError::refused(ErrorCode::WrongState, message));
    };
    let bytes = graph(platform, &detail.model.artifact_uri).await?;
    // What the evaluator cannot run is refused here, with the operator's name, not when it is served.
    Model::load(&bytes, &Limits::default()).map_err(StepError::of)?;
    let digest = Digest::of(&bytes);
    put(platform, &ObjectPath::of_model(&digest, ModelFile::Graph), bytes).await?;
    Ok(Artifact { digest, made_by: Some((run, detail.model.id)) })
}

/// The ONNX graph among the artifacts at a URI.
async fn graph(platform: &Platform, uri: &str) -> Result<Vec<u8>, StepError> {
    let refused = |why: &str| StepError::refused(ErrorCode::WrongState, format!("the model at {uri} {why}"));
    let root: ObjectPath = kept_here(uri).ok_or_else(|| refused("is not kept by this server"))?;
    let path = root.join(MODEL_FILE).map_err(StepError::of)?;
    let found = platform.objects.get(&path, None).await.map_err(StepError::of)?;
    let none = || refused("has no model.onnx; log it with mlflow.onnx.log_model");
    let mut content = found.ok_or_else(none)?;
    if content.status.size > MODEL_LIMIT {
        return Err(refused("is larger than what is served"));
    }
    let mut all = Vec::new();
    while let Some(chunk) = content.bytes.next().await {
        all.extend_from_slice(&chunk.map_err(|error| StepError::lost(error.to_string()))?);
    }
    Ok(all)
}
