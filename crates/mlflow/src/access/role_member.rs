//! `roles/assign`, `roles/unassign`, `roles/users/list` and `users/roles/list`: who has which role.

use axum::Json;
use axum::extract::State;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_governance::command::{AssignRole, UnassignRole};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{CustomRole, Member, Number};
use serde::{Deserialize, Serialize};

use super::role::{RoleBody, Roles};
use super::{Wish, everybody, is_admin, may, number, of_workspace, own_name, refuse, role_of, user_name};
use crate::body::Call;
use crate::table::Table;
use crate::wire::{Empty, int64};
use crate::{Error, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let known = Action::AccountUse;
    Table::v3()
        .post("roles/assign", known, assign)
        .delete("roles/unassign", known, unassign)
        .get("roles/users/list", known, members)
        .get("users/roles/list", known, roles)
        .rows()
}

#[derive(Debug, Serialize)]
struct Assignment {
    id: Number,
    user_id: Number,
    role_id: Number,
}

#[derive(Debug, Serialize)]
struct One {
    assignment: Assignment,
}

#[derive(Debug, Serialize)]
struct All {
    assignments: Vec<Assignment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    username: Option<String>,
    #[serde(alias = "roleId", deserialize_with = "int64")]
    role_id: Option<i64>,
}

async fn assign(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let (user, role) = (user_name(request.username)?, number("role_id", request.role_id)?);
    let people = everybody(&state).await?;
    let CustomRole { workspace, .. } = role_of(&state, &caller, &people, role, Wish::Manage)?;
    let id = Number::draw(&*state.entropy);
    let command = AssignRole { workspace, member: Member { id, role, user } };
    let user_id = state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(One { assignment: Assignment { id, user_id, role_id: role } }))
}

async fn unassign(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let (user, role) = (user_name(request.username)?, number("role_id", request.role_id)?);
    let people = everybody(&state).await?;
    let CustomRole { workspace, .. } = role_of(&state, &caller, &people, role, Wish::Manage)?;
    let command = UnassignRole { workspace, role, user };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn members(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<All>, Error> {
    let people = everybody(&state).await?;
    let role = role_of(&state, &caller, &people, number("role_id", request.role_id)?, Wish::Manage)?;
    let members = people.members.iter().filter(|member| member.role == role.id);
    let assignment = |member: &Member| {
        let user = people.user(&member.user)?;
        Some(Assignment { id: member.id, user_id: user.id, role_id: role.id })
    };
    Ok(Json(All { assignments: members.filter_map(assignment).collect() }))
}

/// Everybody sees its own roles; whoever manages roles of a workspace sees those of others there.
async fn roles(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Roles>, Error> {
    let name = user_name(request.username)?;
    let people = everybody(&state).await?;
    let sees_all = own_name(&caller).as_ref() == Some(&name) || is_admin(&state, &caller);
    let manages =
        |role: &&CustomRole| may(&state, &caller, Action::AccessShare, &of_workspace(&role.workspace));
    let shown: Vec<&CustomRole> = people.roles_of(&name).filter(|role| sees_all || manages(role)).collect();
    if !sees_all && shown.is_empty() {
        let scope = Scope::new(default_workspace(), Subject::new(ResourceKind::User, &name));
        return Err(refuse(&state, &caller, Action::AccessShare, scope).into());
    }
    if people.user(&name).is_none() {
        return Err(GovernanceError::NoUser(name).into());
    }
    Ok(Json(Roles { roles: shown.into_iter().map(|role| RoleBody::new(role, &people)).collect() }))
}
