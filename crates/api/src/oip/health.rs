//! `GET /v2/health/live`, `/v2/health/ready` and `/v2/models/{model}[/versions/{version}]/ready`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;

use super::metadata::describe;
use super::{Error, ModelPath, OipError, OipState};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<OipState>> {
    let probe = (Action::ServerProbe, RouteScope::Server);
    let read = (Action::EndpointRead, RouteScope::Path(ResourceKind::Endpoint, "model"));
    let at = |path| (Method::GET, path);
    vec![
        Route::new(Protocol::Oip, at("/v2/health/live"), probe, live).brief(),
        Route::new(Protocol::Oip, at("/v2/health/ready"), probe, ready).brief(),
        Route::new(Protocol::Oip, at("/v2/models/{model}/ready"), read, model_ready).brief(),
        Route::new(Protocol::Oip, at("/v2/models/{model}/versions/{version}/ready"), read, model_ready),
    ]
}

async fn live() -> StatusCode {
    StatusCode::OK
}

async fn ready(State(state): State<OipState>) -> Result<StatusCode, Error> {
    if state.service.is_ready() { Ok(StatusCode::OK) } else { Err(OipError::NotReady.into()) }
}

async fn model_ready(
    State(state): State<OipState>,
    caller: Caller,
    path: Result<Path<ModelPath>, PathRejection>,
) -> Result<StatusCode, Error> {
    describe(&state, &caller, &ModelPath::read(path)?)?;
    Ok(StatusCode::OK)
}
