//! `users/permissions/*` and `users/current/permissions`: what a user was granted by itself, in the request's
//! workspace.

use axum::Json;
use axum::extract::State;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::permission::{Capabilities, Level, Pattern};
use mainstay_core::principal::Role;
use mainstay_governance::command::{Before, GrantPermission, RevokePermission};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{Number, People, Target, User};
use mainstay_governance::user::UserName;
use serde::{Deserialize, Serialize};

use super::{everybody, expect, is_admin, kind, level, may, of_workspace, own_name, target, user_name};
use crate::body::Call;
use crate::table::Table;
use crate::wire::Empty;
use crate::{Error, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let known = Action::AccountUse;
    Table::v3()
        .post("users/permissions/grant", known, grant)
        .post("users/permissions/revoke", known, revoke)
        .get("users/permissions/get", known, get)
        .get("users/permissions/list", known, list)
        .get("users/current/permissions", known, current)
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    username: Option<String>,
    #[serde(alias = "resourceType")]
    resource_type: Option<String>,
    #[serde(alias = "resourceId")]
    resource_id: Option<String>,
    permission: Option<String>,
}

async fn grant(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let user = user_name(request.username)?;
    let on = target(kind(request.resource_type)?, request.resource_id, "resource_id")?;
    let (workspace, before) = (caller.workspace, Before::Absent);
    let command = GrantPermission { workspace, user, on, level: level(request.permission)?, before };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn revoke(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let user = user_name(request.username)?;
    let on = target(kind(request.resource_type)?, request.resource_id, "resource_id")?;
    let command = RevokePermission { workspace: caller.workspace, user, on };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Serialize)]
struct Effective {
    allowed: bool,
    permission: &'static str,
}

/// The level that somebody has on a thing, whatever gives it.
fn effective(people: &People, user: &User, workspace: &Name, on: &Target, default: Option<Level>) -> Level {
    let grants = people.grants_of(user);
    let has = |role| {
        let here = |at: &Option<Name>| at.as_ref().is_none_or(|at| at == workspace);
        grants.iter().any(|grant| grant.role.includes(role) && here(&grant.workspace))
    };
    if has(Role::Admin) {
        return Level::Manage;
    }
    let permissions = people.permissions_of(&user.name, default);
    let held = match on.pattern() {
        Pattern::One(id) => permissions.on(workspace, on.kind(), id),
        Pattern::Any => permissions.on_others(workspace, on.kind()),
    };
    if held.has(Capabilities::DENIED) {
        return Level::Deny;
    }
    let by_level = Level::ALL.into_iter().rev().find(|level| held.has(level.gives()));
    let by_role = if has(Role::Developer) {
        // It changes and deletes, and gives nothing away.
        Level::Edit
    } else if has(Role::Viewer) {
        Level::Read
    } else {
        Level::NoPermissions
    };
    by_level.unwrap_or(by_role).max(by_role)
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Effective>, Error> {
    let name = user_name(request.username)?;
    let on = target(kind(request.resource_type)?, request.resource_id, "resource_id")?;
    if own_name(&caller).as_ref() != Some(&name) {
        expect(&state, &caller, Action::AccessShare, of_workspace(&caller.workspace))?;
    }
    let people = everybody(&state).await?;
    let user = people.user(&name).ok_or(GovernanceError::NoUser(name))?;
    let default = state.people.options.default_permission;
    let level = effective(&people, user, &caller.workspace, &on, default);
    Ok(Json(Effective { allowed: level >= Level::Use, permission: level.as_str() }))
}

#[derive(Debug, Serialize)]
struct Held {
    role_id: Number,
    role_name: String,
    workspace: Name,
    resource_type: &'static str,
    resource_pattern: String,
    permission: &'static str,
}

#[derive(Debug, Serialize)]
struct All {
    is_admin: bool,
    permissions: Vec<Held>,
}

/// What a user holds in the workspaces that `shown` tells. Its own grants stand under a role name that no role can
/// have, as a stock server keeps them in roles.
fn held(people: &People, user: &User, shown: impl Fn(&Name) -> bool) -> Vec<Held> {
    let held = |(id, name): (Number, String), workspace: &Name, on: &Target, level: Level| Held {
        role_id: id,
        role_name: name,
        workspace: workspace.clone(),
        resource_type: on.kind_name(),
        resource_pattern: on.pattern().to_string(),
        permission: level.as_str(),
    };
    let own = people.permissions.iter().filter(|one| one.user == user.name).map(|one| {
        let role = (Number::new(0), format!("__user_{}__", user.id));
        held(role, &one.workspace, &one.on, one.level)
    });
    let by_role = people.roles_of(&user.name).flat_map(|role| {
        let levels = people.levels_of(role.id);
        levels.map(move |one| held((role.id, role.name.clone()), &role.workspace, &one.on, one.level))
    });
    own.chain(by_role).filter(|held| shown(&held.workspace)).collect()
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<All>, Error> {
    let name = user_name(request.username)?;
    let people = everybody(&state).await?;
    let sees_all = own_name(&caller).as_ref() == Some(&name) || is_admin(&state, &caller);
    if !sees_all {
        expect(&state, &caller, Action::AccessShare, of_workspace(&caller.workspace))?;
    }
    let user = people.user(&name).ok_or(GovernanceError::NoUser(name))?;
    let shown =
        |workspace: &Name| sees_all || may(&state, &caller, Action::AccessShare, &of_workspace(workspace));
    Ok(Json(All { is_admin: user.admin, permissions: held(&people, user, shown) }))
}

async fn current(State(state): State<MlflowState>, caller: Caller) -> Result<Json<All>, Error> {
    let people = everybody(&state).await?;
    let name: Option<UserName> = own_name(&caller);
    let user = name.as_ref().and_then(|name| people.user(name));
    let permissions = user.map(|user| held(&people, user, |_| true)).unwrap_or_default();
    Ok(Json(All { is_admin: is_admin(&state, &caller), permissions }))
}
