//! Traces as MLflow's clients and OpenTelemetry send and read them: the calls of `service.proto` on them, versions 2 and
//! 3, and `POST /v1/traces`.

mod artifact;
mod assessment;
mod assessment_body;
mod batch;
mod body;
mod delete;
mod get;
mod legacy;
mod link;
mod metrics;
mod otlp;
mod search;
mod span_json;
mod start;
mod tag;
mod time;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header;
use mainstay_core::scope::ResourceKind;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::error::TraceError;
use mainstay_traces::id::TraceId;

use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::{Error, Mlflow, MlflowError, MlflowState};

/// What must hold of any bytes that are sent to `/v1/traces`, for the fuzz targets in `fuzz/`.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use otlp::fuzzed;

/// The table.
pub fn routes() -> Vec<Route<MlflowState>> {
    [
        start::routes(),
        get::routes(),
        batch::routes(),
        search::routes(),
        tag::routes(),
        delete::routes(),
        link::routes(),
        artifact::routes(),
        assessment::routes(),
        metrics::routes(),
        legacy::routes(),
        otlp::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A trace that a message names. A text that no trace can have names none.
fn named(text: &str) -> Result<TraceId, Error> {
    TraceId::parse(text).map_err(|_| MlflowError::NoTrace(text.chars().take(100).collect()).into())
}

/// The trace, if there is one, and the caller may do to its experiment what the route does.
async fn existing(state: &Mlflow, caller: &Caller, id: &TraceId) -> Result<AssessedTrace, Error> {
    let found = state.traced.traces(&caller.workspace, std::slice::from_ref(id)).await?;
    let found = found.into_iter().next().ok_or_else(|| TraceError::NoTrace(id.clone()))?;
    caller.admitted(ResourceKind::Experiment, found.info.experiment)?;
    Ok(found)
}

/// JSON that was written by hand.
fn json(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
