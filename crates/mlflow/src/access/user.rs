//! `users/*`.

use axum::Json;
use axum::extract::State;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_governance::command::{ChangeOwnPassword, CreateUser, DeleteUser, SetAdmin, SetPassword};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{Number, User};
use mainstay_governance::user::Password;
use serde::{Deserialize, Serialize};

use super::{everybody, expect, is_admin, own_name, user_name};
use crate::body::Call;
use crate::table::Table;
use crate::wire::{Empty, required};
use crate::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let (manage, oneself) = (Action::ServerManage, Action::AccountUse);
    Table::v2()
        .post("users/create", manage, create)
        .get("users/get", oneself, get)
        .get("users/current", oneself, current)
        .get("users/list", manage, list)
        .patch("users/update-password", oneself, update_password)
        .patch("users/update-admin", manage, update_admin)
        .delete("users/delete", manage, delete)
        .rows()
}

#[derive(Debug, Serialize)]
struct UserBody {
    id: Number,
    username: String,
    is_admin: bool,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self { id: user.id, username: user.name.to_string(), is_admin: user.admin }
    }
}

/// A user as clients before 3.17 read it: they want lists of what it was granted, which they do not look into.
#[derive(Debug, Serialize)]
struct Detailed {
    #[serde(flatten)]
    user: UserBody,
    experiment_permissions: [(); 0],
    registered_model_permissions: [(); 0],
    scorer_permissions: [(); 0],
}

#[derive(Debug, Serialize)]
struct One {
    user: Detailed,
}

impl From<&User> for One {
    fn from(user: &User) -> Self {
        let user = UserBody::from(user);
        let (experiment_permissions, registered_model_permissions, scorer_permissions) = ([], [], []);
        Self {
            user: Detailed { user, experiment_permissions, registered_model_permissions, scorer_permissions },
        }
    }
}

/// It holds passwords, so it is not shown by `Debug`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    username: Option<String>,
    password: Option<String>,
    #[serde(alias = "currentPassword")]
    current_password: Option<String>,
    #[serde(alias = "isAdmin")]
    is_admin: Option<bool>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if !given(&request.username) || !given(&request.password) {
        return Err(MlflowError::NoCredentials.into());
    }
    let name = user_name(request.username)?;
    let password = Password::new(request.password.unwrap_or_default())?;
    let password = state.people.hashing.hash(password).await?;
    let command = CreateUser { name, id: Number::draw(&*state.entropy), admin: false, password };
    let user = state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(One::from(&user)))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let name = user_name(request.username)?;
    if own_name(&caller).as_ref() != Some(&name) {
        let scope = Scope::new(default_workspace(), Subject::new(ResourceKind::User, &name));
        expect(&state, &caller, Action::ServerManage, scope)?;
    }
    let people = everybody(&state).await?;
    let user = people.user(&name).ok_or(GovernanceError::NoUser(name))?;
    Ok(Json(One::from(user)))
}

#[derive(Debug, Serialize)]
struct Current {
    user: UserBody,
    is_basic_auth: bool,
}

async fn current(State(state): State<MlflowState>, caller: Caller) -> Result<Json<Current>, Error> {
    let people = everybody(&state).await?;
    let known = own_name(&caller).and_then(|name| people.user(&name).map(UserBody::from));
    let is_basic_auth = known.is_some();
    // A token, or whoever sits at the machine.
    let user = known.unwrap_or_else(|| UserBody {
        id: Number::new(0),
        username: caller.principal.actor.to_string(),
        is_admin: is_admin(&state, &caller),
    });
    Ok(Json(Current { user, is_basic_auth }))
}

#[derive(Debug, Serialize)]
struct Users {
    users: Vec<UserBody>,
}

async fn list(State(state): State<MlflowState>, _: Caller) -> Result<Json<Users>, Error> {
    let people = everybody(&state).await?;
    Ok(Json(Users { users: people.users.iter().map(UserBody::from).collect() }))
}

/// An admin sets the passwords of others; one's own takes the present one, so that whoever finds an open browser
/// does not keep it.
async fn update_password(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let name = user_name(request.username)?;
    let new = required("password", request.password)?;
    if own_name(&caller).as_ref() != Some(&name) {
        let scope = Scope::new(default_workspace(), Subject::new(ResourceKind::User, &name));
        expect(&state, &caller, Action::ServerManage, scope)?;
        let password = state.people.hashing.hash(Password::new(new)?).await?;
        state.people.commands.run(&caller.principal, SetPassword { name, password }).await?;
        return Ok(Json(Empty {}));
    }
    let people = everybody(&state).await?;
    let user = people.user(&name).ok_or_else(|| GovernanceError::NoUser(name.clone()))?;
    let current = request.current_password.filter(|text| !text.is_empty());
    let current = current.ok_or(MlflowError::NoCurrentPassword)?;
    let is_same = current == new;
    if !state.people.hashing.is_of(user, current).await? {
        return Err(MlflowError::WrongCurrentPassword.into());
    }
    if is_same {
        return Err(MlflowError::SamePassword.into());
    }
    let password = state.people.hashing.hash(Password::new(new)?).await?;
    state.people.commands.run(&caller.principal, ChangeOwnPassword { name, password }).await?;
    Ok(Json(Empty {}))
}

async fn update_admin(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let admin = request.is_admin.ok_or(MlflowError::Missing("is_admin"))?;
    let command = SetAdmin { name: user_name(request.username)?, admin };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let command = DeleteUser { name: user_name(request.username)? };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
