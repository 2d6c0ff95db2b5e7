//! `roles/*`: making, changing, showing and removing them.

use axum::Json;
use axum::extract::State;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_governance::command::{ChangeCustomRole, CreateCustomRole, DeleteCustomRole};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{CustomRole, Number, People};
use serde::{Deserialize, Serialize};

use super::role_permission::RolePermissionBody;
use super::{Wish, everybody, expect, has_role_in, number, of_workspace, role_of};
use crate::body::Call;
use crate::table::Table;
use crate::wire::{Empty, int64, required};
use crate::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    // Each looks at the workspace of the role that it is about.
    let known = Action::AccountUse;
    Table::v3()
        .post("roles/create", known, create)
        .get("roles/get", known, get)
        .get("roles/list", known, list)
        .patch("roles/update", known, update)
        .delete("roles/delete", known, delete)
        .rows()
}

#[derive(Debug, Serialize)]
pub(super) struct RoleBody {
    id: Number,
    name: String,
    workspace: Name,
    description: Option<String>,
    permissions: Vec<RolePermissionBody>,
}

impl RoleBody {
    pub(super) fn new(role: &CustomRole, people: &People) -> Self {
        let CustomRole { id, workspace, name, description } = role.clone();
        let permissions = people.levels_of(id).map(RolePermissionBody::from).collect();
        Self { id, name, workspace, description, permissions }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Roles {
    pub(super) roles: Vec<RoleBody>,
}

#[derive(Debug, Serialize)]
struct One {
    role: RoleBody,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(alias = "roleId", deserialize_with = "int64")]
    role_id: Option<i64>,
    workspace: Option<String>,
    name: Option<String>,
    description: Option<String>,
}

/// The workspace that a message names, if the caller may make roles there. Where clients are told of workspaces it
/// must be there, as only those hear who may; where they are not, a name is all that there is of one.
async fn workspace(state: &MlflowState, caller: &Caller, text: Option<String>) -> Result<Name, Error> {
    let text = text.filter(|text| !text.is_empty()).ok_or(MlflowError::EmptyWorkspace)?;
    let name = Name::new(text)?;
    expect(state, caller, Action::AccessShare, of_workspace(&name))?;
    if state.people.options.offers_workspaces && !name.is_default() {
        let people = everybody(state).await?;
        if !people.workspaces.iter().any(|(known, _)| *known == name) {
            return Err(GovernanceError::NoWorkspace(name).into());
        }
    }
    Ok(name)
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let workspace = workspace(&state, &caller, request.workspace).await?;
    let name = required("name", request.name)?;
    let id = Number::draw(&*state.entropy);
    let role = CustomRole { id, workspace, name, description: request.description };
    let command = CreateCustomRole { role, permissions: Vec::new() };
    let role = state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(One { role: RoleBody::new(&role, &People::default()) }))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let people = everybody(&state).await?;
    let role = role_of(&state, &caller, &people, number("role_id", request.role_id)?, Wish::See)?;
    Ok(Json(One { role: RoleBody::new(&role, &people) }))
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Roles>, Error> {
    let people = everybody(&state).await?;
    let only = request.workspace.filter(|text| !text.is_empty()).map(Name::new).transpose()?;
    match &only {
        None => expect(&state, &caller, Action::ServerManage, of_workspace(&caller.workspace))?,
        Some(workspace) if has_role_in(&caller, &people, workspace) => {}
        Some(workspace) => expect(&state, &caller, Action::AccessShare, of_workspace(workspace))?,
    }
    let shown = people.roles.iter().filter(|role| only.as_ref().is_none_or(|only| role.workspace == *only));
    Ok(Json(Roles { roles: shown.map(|role| RoleBody::new(role, &people)).collect() }))
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let id = number("role_id", request.role_id)?;
    let people = everybody(&state).await?;
    let role = role_of(&state, &caller, &people, id, Wish::Manage)?;
    if request.name.is_none() && request.description.is_none() {
        return Err(MlflowError::NothingToUpdate.into());
    }
    let (name, description) = (request.name, request.description);
    let command = ChangeCustomRole { workspace: role.workspace, id, name, description };
    state.people.commands.run(&caller.principal, command).await?;
    let people = everybody(&state).await?;
    let role = people.role(id).ok_or(GovernanceError::NoRole(id))?;
    Ok(Json(One { role: RoleBody::new(role, &people) }))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let id = number("role_id", request.role_id)?;
    let role = role_of(&state, &caller, &everybody(&state).await?, id, Wish::Manage)?;
    let command = DeleteCustomRole { workspace: role.workspace, id };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
