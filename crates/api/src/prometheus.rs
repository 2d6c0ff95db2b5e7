//! `GET /metrics`, in Prometheus' text format; see [`crate::meter`] for what is counted.
//!
//! Whoever may read it learns the names of the endpoints of all workspaces.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::{Method, header};
use mainstay_core::action::Action;

use crate::dialect::Protocol;
use crate::meter::{Exposition, Meter, MetricSource};
use crate::route::{Route, RouteScope};

/// What the handler here needs.
#[derive(Clone)]
pub struct MetricsState {
    /// What the protocols count.
    pub meter: Arc<Meter>,
    /// Further numbers.
    pub sources: Vec<Arc<dyn MetricSource>>,
}

/// The table.
pub fn routes() -> Vec<Route<MetricsState>> {
    let read = (Action::ServerRead, RouteScope::Server);
    vec![Route::new(Protocol::Prometheus, (Method::GET, "/metrics"), read, metrics)]
}

async fn metrics(State(state): State<MetricsState>) -> impl IntoResponse {
    let mut text = Exposition::default();
    state.meter.write(&mut text);
    for source in &state.sources {
        source.collect(&mut text);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.into_text())
}
