//! `GET /api/v1/status`: where this process stands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::event::EventSeq;
use mainstay_core::time::MachineTime;
use serde::Serialize;

use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// Where a process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Since when it runs.
    pub started: MachineTime,
    /// The newest event that it has seen committed.
    pub head: EventSeq,
    /// Whether it answers inference requests.
    pub ready: bool,
    /// Up to which event the predictor has followed.
    pub followed: EventSeq,
    /// The digest of what the predictor serves by: equal in processes that serve the same.
    pub serves: Option<Digest>,
    /// Endpoints that it serves.
    pub endpoints: usize,
    /// Endpoints whose newest revision it cannot serve.
    pub troubles: usize,
}

/// Tells where this process stands. The server implements it.
pub trait ProcessStatus: Send + Sync {
    /// Now.
    fn standing(&self) -> Standing;
}

/// What the handler here needs.
#[derive(Clone)]
pub struct StatusState {
    /// This process.
    pub process: Arc<dyn ProcessStatus>,
    /// Which Mainstay this is.
    pub version: &'static str,
}

/// The table.
pub fn routes() -> Vec<Route<StatusState>> {
    let read = (Action::ServerRead, RouteScope::Server);
    vec![Route::new(Protocol::Native, (Method::GET, "/api/v1/status"), read, status)]
}

#[derive(Debug, Serialize)]
struct StatusBody {
    version: &'static str,
    /// Machine time.
    started: String,
    head: u64,
    predictor: PredictorBody,
}

#[derive(Debug, Serialize)]
struct PredictorBody {
    ready: bool,
    followed: u64,
    serves: Option<Digest>,
    endpoints: usize,
    troubles: usize,
}

async fn status(State(state): State<StatusState>) -> Json<StatusBody> {
    let standing = state.process.standing();
    Json(StatusBody {
        version: state.version,
        started: standing.started.to_string(),
        head: standing.head.0,
        predictor: PredictorBody {
            ready: standing.ready,
            followed: standing.followed.0,
            serves: standing.serves,
            endpoints: standing.endpoints,
            troubles: standing.troubles,
        },
    })
}
