//! `gateway-proxy`: what MLflow's pages ask of a gateway that runs beside the server.

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::text::clip;
use serde::{Deserialize, Serialize};

use crate::error::CallError;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::Empty;
use mainstay_mlflow::{Error, Mlflow, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::ajax("/2.0/mlflow")
        .get("gateway-proxy", Action::GatewayRead, get)
        .post("gateway-proxy", Action::EndpointInvoke, post)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    gateway_path: Option<String>,
}

/// The endpoints of a gateway that is not there.
#[derive(Debug, Serialize)]
struct Nothing {
    endpoints: [Empty; 0],
}

async fn get(State(state): State<MlflowState>, Call(request): Call<Message>) -> Result<Json<Nothing>, Error> {
    passed_on(&state, &Method::GET, request)
}

async fn post(
    State(state): State<MlflowState>,
    Call(request): Call<Message>,
) -> Result<Json<Nothing>, Error> {
    passed_on(&state, &Method::POST, request)
}

fn passed_on(state: &Mlflow, method: &Method, request: Message) -> Result<Json<Nothing>, Error> {
    if !state.people.options.has_deployments_target {
        return Ok(Json(Nothing { endpoints: [] }));
    }
    let path = request.gateway_path.filter(|path| !path.is_empty()).ok_or(CallError::NoGatewayPath)?;
    if !may_be_passed_on(method, &path) {
        return Err(CallError::GatewayPath { path: clip(&path), method: method.clone() }.into());
    }
    Err(CallError::NoDataPlane("passing requests on to the gateway of MLFLOW_DEPLOYMENTS_TARGET").into())
}

/// Whether a path is one that a page asks for: the list of endpoints, or the invocation of one.
fn may_be_passed_on(method: &Method, path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if *method == Method::GET {
        parts == ["api", "2.0", "endpoints"]
    } else {
        matches!(parts.as_slice(), ["gateway", name, "invocations"] if !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_pages_ask_for_is_passed_on() {
        let get = |path| may_be_passed_on(&Method::GET, path);
        assert!(get("api/2.0/endpoints") && get("/api/2.0/endpoints/") && !get("hello/world") && !get(""));
        let post = |path| may_be_passed_on(&Method::POST, path);
        assert!(post("gateway/chat/invocations") && post("/gateway/chat/invocations/"));
        for bad in ["foo/bar", "foo/bar/baz", "gateway//invocations", "gateway/a/b/invocations", ""] {
            assert!(!post(bad), "{bad}");
        }
    }
}
