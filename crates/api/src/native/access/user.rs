//! `/api/v1/users`: who logs in with a name and a password. Only admins of the server come here.

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::command::{CreateUser, DeleteUser, SetAdmin, SetPassword};
use mainstay_governance::people::{Number, User};
use mainstay_governance::user::{Password, UserName};
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
    let one = (Action::ServerManage, RouteScope::Path(ResourceKind::User, "name"));
    let (native, path) = (Protocol::Native, "/api/v1/users");
    vec![
        Route::new(native, (Method::GET, path), all, list),
        Route::new(native, (Method::POST, path), all, create),
        Route::new(native, (Method::PUT, "/api/v1/users/{name}/admin"), one, set_admin),
        Route::new(native, (Method::PUT, "/api/v1/users/{name}/password"), one, set_password),
        Route::new(native, (Method::DELETE, "/api/v1/users/{name}"), one, delete),
    ]
}

/// A user on the wire. The instant is machine time.
#[derive(Debug, Serialize)]
struct UserBody {
    name: UserName,
    id: Number,
    admin: bool,
    created: String,
}

impl From<User> for UserBody {
    fn from(User { name, id, admin, created, .. }: User) -> Self {
        Self { name, id, admin, created: created.to_string() }
    }
}

async fn list(State(state): State<AccessState>, _: Caller) -> Result<Json<Listing<UserBody>>, Error> {
    let users = state.people.people().await?.users;
    Ok(Json(Listing::whole(users.into_iter().map(Into::into).collect())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    password: String,
    #[serde(default)]
    admin: bool,
}

async fn create(
    State(state): State<AccessState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<(StatusCode, Json<UserBody>), Error> {
    let (name, password) = (UserName::new(wanted.name)?, Password::new(wanted.password)?);
    let password = state.hashing.hash(password).await?;
    let command = CreateUser { name, id: Number::draw(&*state.entropy), admin: wanted.admin, password };
    let user = state.users.run(&caller.principal, command).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

async fn set_password(
    State(state): State<AccessState>,
    caller: Caller,
    One(name): One<UserName>,
    JsonBody(wanted): JsonBody<NewPassword>,
) -> Result<StatusCode, Error> {
    let password = state.hashing.hash(Password::new(wanted.password)?).await?;
    state.users.run(&caller.principal, SetPassword { name, password }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Admin {
    admin: bool,
}

async fn set_admin(
    State(state): State<AccessState>,
    caller: Caller,
    One(name): One<UserName>,
    JsonBody(Admin { admin }): JsonBody<Admin>,
) -> Result<StatusCode, Error> {
    state.users.run(&caller.principal, SetAdmin { name, admin }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(
    State(state): State<AccessState>,
    caller: Caller,
    One(name): One<UserName>,
) -> Result<StatusCode, Error> {
    state.users.run(&caller.principal, DeleteUser { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
