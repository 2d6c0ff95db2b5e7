//! `/health` and `/version`: what `mlflow` clients and load balancers ask first.

use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;

use super::NativeState;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// The MLflow semantics that we speak. Clients from 3.4 on ask `/version` before they send spans.
const SPOKEN: &str = "3.18.0";

pub(super) fn routes() -> Vec<Route<NativeState>> {
    let probe = (Action::ServerProbe, RouteScope::Server);
    vec![
        Route::new(Protocol::Native, (Method::GET, "/health"), probe, health).brief(),
        Route::new(Protocol::Native, (Method::GET, "/version"), probe, version).brief(),
        Route::new(Protocol::Native, (Method::GET, "/api/v1/version"), probe, own_version),
    ]
}

/// Answers `OK`: the body that `mlflow` expects.
async fn health() -> &'static str {
    "OK"
}

async fn version() -> &'static str {
    SPOKEN
}

async fn own_version(State(state): State<NativeState>) -> axum::Json<serde_json::Value> {
    axum::Json(serde_json::json!({ "mainstay": state.version, "mlflow": SPOKEN }))
}
