//! `/api/v1/grants`: the roles of people in the workspace. `?actor=user:alice` says whose are listed.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::principal::{Actor, Role};
use mainstay_governance::command::{GrantRole, RevokeRole};
use mainstay_governance::user::UserName;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::AccessState;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::Listing;
use crate::native::request::{JsonBody, Params, Two};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<AccessState>> {
    let manage = (Action::AccessManage, RouteScope::Workspace);
    let (native, path) = (Protocol::Native, "/api/v1/grants");
    vec![
        Route::new(native, (Method::GET, path), manage, list),
        Route::new(native, (Method::POST, path), manage, grant),
        Route::new(native, (Method::DELETE, "/api/v1/grants/{actor}/{role}"), manage, revoke),
    ]
}

/// Not a person, or not a role.
#[derive(Debug, ThisError)]
enum GrantError {
    #[error("an actor is a person, written as user:alice; tokens carry their roles themselves")]
    Actor,
    #[error("a role is viewer, developer, approver or admin")]
    Role,
}

impl Coded for GrantError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A person, as an actor.
struct Person(Actor);

impl FromStr for Person {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let name = text.strip_prefix("user:").and_then(|name| UserName::new(name).ok());
        name.map(|name| Self(name.actor())).ok_or(GrantError::Actor)
    }
}

/// A role in a path.
struct PathRole(Role);

impl FromStr for PathRole {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        Role::named(text).map(Self).ok_or(GrantError::Role)
    }
}

/// A role of somebody in the workspace, on the wire.
#[derive(Debug, Serialize)]
struct GrantBody {
    actor: Actor,
    role: Role,
}

#[derive(Debug, Deserialize)]
struct ListParams {
    actor: String,
}

async fn list(
    State(state): State<AccessState>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<GrantBody>>, Error> {
    let Person(actor) = params.actor.parse()?;
    let grants = state.reader.grants(&actor).await?.into_iter();
    let here = grants.filter(|grant| grant.workspace.as_ref() == Some(&caller.workspace));
    Ok(Json(Listing::whole(here.map(|grant| GrantBody { actor: actor.clone(), role: grant.role }).collect())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    actor: String,
    role: Role,
}

async fn grant(
    State(state): State<AccessState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<(StatusCode, Json<GrantBody>), Error> {
    let Person(actor) = wanted.actor.parse()?;
    let role = wanted.role;
    let command = GrantRole { workspace: caller.workspace, actor: actor.clone(), role };
    state.commands.run(&caller.principal, command).await?;
    Ok((StatusCode::CREATED, Json(GrantBody { actor, role })))
}

async fn revoke(
    State(state): State<AccessState>,
    caller: Caller,
    Two(Person(actor), PathRole(role)): Two<Person, PathRole>,
) -> Result<StatusCode, Error> {
    let command = RevokeRole { workspace: caller.workspace, actor, role };
    state.commands.run(&caller.principal, command).await?;
    Ok(StatusCode::NO_CONTENT)
}
