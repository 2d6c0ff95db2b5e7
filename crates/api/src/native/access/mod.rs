//! `/api/v1/tokens`, `/api/v1/grants` and `/api/v1/webhooks`: who may, and who is told.
//!
//! | route | what it does |
//! |---|---|
//! | `GET`, `POST /api/v1/tokens`, `DELETE /api/v1/tokens/{id}` | tokens of the workspace; the secret is shown once |
//! | `GET`, `POST /api/v1/grants`, `DELETE /api/v1/grants/{actor}/{role}` | roles of one actor in the workspace |
//! | `GET`, `POST /api/v1/webhooks`, `DELETE /api/v1/webhooks/{id}` | webhooks of the workspace; the secret is shown once |
//!
//! Only admins of the workspace come here.

mod grant;
mod token;
mod webhook;

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::Entropy;
use mainstay_core::time::Clock;
use mainstay_governance::port::{GovernanceReader, GovernanceTx};

use crate::route::Route;

/// What the handlers here need.
#[derive(Clone)]
pub struct AccessState {
    /// Tokens, grants and webhooks.
    pub reader: Arc<dyn GovernanceReader>,
    /// Commands on them.
    pub commands: Commands<dyn GovernanceTx>,
    /// Machine time, by which tokens expire.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub entropy: Arc<dyn Entropy>,
}

/// The table.
pub fn routes() -> Vec<Route<AccessState>> {
    [token::routes(), grant::routes(), webhook::routes()].into_iter().flatten().collect()
}
