//! `/api/v1/workspaces`: created and removed by admins of the server.

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, default_workspace};
use mainstay_governance::command::{CreateWorkspace, DeleteWorkspace};
use serde::{Deserialize, Serialize};

use super::AccessState;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::Listing;
use crate::native::request::{JsonBody, One};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<AccessState>> {
    let all = (Action::ServerManage, RouteScope::Server);
    let one = (Action::ServerManage, RouteScope::Path(ResourceKind::Workspace, "name"));
    let (native, path) = (Protocol::Native, "/api/v1/workspaces");
    vec![
        Route::new(native, (Method::GET, path), all, list),
        Route::new(native, (Method::POST, path), all, create),
        Route::new(native, (Method::DELETE, "/api/v1/workspaces/{name}"), one, delete),
    ]
}

/// A workspace on the wire.
#[derive(Debug, Serialize)]
struct WorkspaceBody {
    name: Name,
    description: String,
}

async fn list(State(state): State<AccessState>, _: Caller) -> Result<Json<Listing<WorkspaceBody>>, Error> {
    let default = (default_workspace(), String::new());
    let others = state.people.people().await?.workspaces;
    let all = std::iter::once(default).chain(others);
    let bodies = all.map(|(name, description)| WorkspaceBody { name, description });
    Ok(Json(Listing::whole(bodies.collect())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: Name,
}

/// Whoever creates it is its first admin.
async fn create(
    State(state): State<AccessState>,
    caller: Caller,
    JsonBody(Wanted { name }): JsonBody<Wanted>,
) -> Result<(StatusCode, Json<WorkspaceBody>), Error> {
    let (workspace, admin) = (default_workspace(), caller.principal.actor.clone());
    let command = CreateWorkspace { workspace, name: name.clone(), admin };
    state.commands.run(&caller.principal, command).await?;
    Ok((StatusCode::CREATED, Json(WorkspaceBody { name, description: String::new() })))
}

async fn delete(
    State(state): State<AccessState>,
    caller: Caller,
    One(name): One<Name>,
) -> Result<StatusCode, Error> {
    state.users.run(&caller.principal, DeleteWorkspace { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
