//! `POST /api/v1/endpoints/{name}/rollback`: undoes the newest change of what answers, at once.
//!
//! Canaries go first and the champion stays; where none answers, the champion gives way to the one before
//! it. A running rollout is aborted.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, Method};
use mainstay_core::action::Action;
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_serving::command::RollBackEndpoint;
use serde::{Deserialize, Serialize};

use super::revision::{PinnedBody, RevisionBody};
use super::{EndpointState, ONE};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::precondition::{etag, expected};
use crate::native::reason::reason;
use crate::native::request::{JsonBody, One};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route<EndpointState>> {
    let act = (Action::EndpointRollback, ONE);
    let path = (Method::POST, "/api/v1/endpoints/{name}/rollback");
    vec![Route::new(Protocol::Native, path, act, roll_back)]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollBackBody {
    reason: String,
    /// The revision that the caller read, where it shall matter.
    expected: Option<u64>,
}

#[derive(Debug, Serialize)]
struct RolledBackBody {
    revision: RevisionBody,
    /// Who answers now.
    champion: PinnedBody,
    /// The rollout that it aborted.
    aborted: Option<RolloutId>,
}

async fn roll_back(
    State(state): State<EndpointState>,
    caller: Caller,
    One(name): One<Name>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RollBackBody>,
) -> Result<impl IntoResponse, Error> {
    let command = RollBackEndpoint {
        workspace: caller.workspace,
        endpoint: name,
        expected: expected(&headers, body.expected)?,
        reason: reason(body.reason)?,
    };
    let done = state.commands.roll_back(&caller.principal, command).await?;
    let tag = etag(done.revision.number);
    let body = RolledBackBody {
        revision: RevisionBody::from(done.revision),
        champion: PinnedBody::from(done.champion),
        aborted: done.aborted,
    };
    Ok((tag, Json(body)))
}
