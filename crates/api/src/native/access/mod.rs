//! `/api/v1/tokens`, `/api/v1/grants`, `/api/v1/webhooks`, `/api/v1/users` and `/api/v1/workspaces`: who may, where,
//! and who is told.
//!
//! | route | what it does |
//! |---|---|
//! | `GET`, `POST /api/v1/tokens`, `DELETE /api/v1/tokens/{id}` | tokens of the workspace; the secret is shown once |
//! | `GET`, `POST /api/v1/grants`, `DELETE /api/v1/grants/{actor}/{role}` | roles of one actor in the workspace |
//! | `GET`, `POST /api/v1/webhooks`, `DELETE /api/v1/webhooks/{id}` | webhooks of the workspace; the secret is shown once |
//! | `GET`, `POST /api/v1/users`, `PUT …/{name}/password`, `PUT …/{name}/admin`, `DELETE …/{name}` | who logs in |
//! | `GET`, `POST /api/v1/workspaces`, `DELETE /api/v1/workspaces/{name}` | all workspaces |
//!
//! Only admins of the workspace come here, and to users and workspaces only those of the server.

mod grant;
mod token;
mod user;
mod webhook;
mod workspace;

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::Entropy;
use mainstay_core::time::Clock;
use mainstay_governance::port::{GovernanceReader, GovernanceTx, PasswordHashing, PeopleReader, PeopleTx};

use crate::route::Route;

/// What the handlers here need.
#[derive(Clone)]
pub struct AccessState {
    /// Tokens, grants and webhooks.
    pub reader: Arc<dyn GovernanceReader>,
    /// Commands on them.
    pub commands: Commands<dyn GovernanceTx>,
    /// Users and workspaces.
    pub people: Arc<dyn PeopleReader>,
    /// Commands on those.
    pub users: Commands<dyn PeopleTx>,
    /// Hashes passwords.
    pub hashing: Arc<dyn PasswordHashing>,
    /// Machine time, by which tokens expire.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub entropy: Arc<dyn Entropy>,
}

/// The table.
pub fn routes() -> Vec<Route<AccessState>> {
    [token::routes(), grant::routes(), webhook::routes(), user::routes(), workspace::routes()]
        .into_iter()
        .flatten()
        .collect()
}
