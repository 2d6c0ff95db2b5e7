//! `/api/v1/endpoints`: what is asked for predictions, what answers there, and how that changes.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /api/v1/endpoints` | the endpoints of the workspace, by name |
//! | `GET /api/v1/endpoints/{name}` | one, with its running rollout, the predictor's view and the monitor's |
//! | `PUT /api/v1/endpoints/{name}` | creates it, or changes its definition |
//! | `GET /api/v1/endpoints/{name}/predictions` | what was asked and answered, in the order of the log |
//! | `GET`, `POST /api/v1/endpoints/{name}/revisions` | what it served, newest first; sets its arms |
//! | `POST /api/v1/endpoints/{name}/rollback` | undoes the newest change of what answers |
//! | `GET /api/v1/endpoints/{name}/rollouts` | its rollouts, newest first |
//! | `GET /api/v1/rollouts/{id}` | one rollout |
//! | `POST /api/v1/rollouts/{id}/decision` | a person's word on a running one |
//!
//! An endpoint's entity tag is its revision's number.

mod define;
mod port;
mod predictions;
mod read;
mod revision;
mod rollback;
mod rollout;

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_registry::port::RegistryReader;
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::error::ServingError;
use mainstay_serving::port::{ServingStore, ServingTx};
use mainstay_serving::revision::Revision;

pub use predictions::{LogPlace, PredictionSource};

pub use port::{EndpointCommands, EndpointProgress, EndpointServing, Progress, Served, Trouble, ViewReads};

use super::Error;
use crate::caller::Caller;
use crate::route::{Route, RouteScope};

/// What the handlers here need.
#[derive(Clone)]
pub struct EndpointState {
    /// Endpoints, revisions and rollouts.
    pub endpoints: Arc<dyn ServingStore>,
    /// The digests of versions.
    pub registered: Arc<dyn RegistryReader>,
    /// Commands on definitions.
    pub serving: Commands<dyn ServingTx>,
    /// Commands on what answers.
    pub commands: Arc<dyn EndpointCommands>,
    /// What the predictor of this process serves, if it has one.
    pub serves: Option<Arc<dyn EndpointServing>>,
    /// The prediction log of this process, if it has one.
    pub predictions: Option<Arc<dyn PredictionSource>>,
    /// How far the monitor of this process has come, if it has one.
    pub progress: Option<Arc<dyn EndpointProgress>>,
}

/// The table.
pub fn routes() -> Vec<Route<EndpointState>> {
    let parts = [
        read::routes(),
        define::routes(),
        predictions::routes(),
        revision::routes(),
        rollback::routes(),
        rollout::routes(),
    ];
    parts.into_iter().flatten().collect()
}

/// The scope of a route on one endpoint.
const ONE: RouteScope = RouteScope::Path(ResourceKind::Endpoint, "name");

/// An endpoint of the caller's workspace with its newest revision.
async fn existing(
    state: &EndpointState,
    caller: &Caller,
    name: &Name,
) -> Result<(Endpoint, Revision), Error> {
    let found = state.endpoints.endpoint(&caller.workspace, name).await?;
    Ok(found.ok_or_else(|| ServingError::NoEndpoint(name.clone()))?)
}
