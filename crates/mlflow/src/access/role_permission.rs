//! `roles/permissions/*`: the levels of a role.

use axum::Json;
use axum::extract::State;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_governance::command::{AddRolePermission, ChangeRolePermission, RemoveRolePermission};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{CustomRole, Number, RolePermission};
use serde::{Deserialize, Serialize};

use super::{Wish, everybody, expect, kind, level, number, of_workspace, role_of, target};
use crate::body::Call;
use crate::table::Table;
use crate::wire::{Empty, int64};
use crate::{Error, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let known = Action::AccountUse;
    Table::v3()
        .post("roles/permissions/add", known, add)
        .get("roles/permissions/list", known, list)
        .patch("roles/permissions/update", known, update)
        .delete("roles/permissions/remove", known, remove)
        .rows()
}

#[derive(Debug, Serialize)]
pub(super) struct RolePermissionBody {
    id: Number,
    role_id: Number,
    resource_type: &'static str,
    resource_pattern: String,
    permission: &'static str,
}

impl From<&RolePermission> for RolePermissionBody {
    fn from(held: &RolePermission) -> Self {
        let RolePermission { id, role, on, level } = held;
        Self {
            id: *id,
            role_id: *role,
            resource_type: on.kind_name(),
            resource_pattern: on.pattern().to_string(),
            permission: level.as_str(),
        }
    }
}

#[derive(Debug, Serialize)]
struct One {
    role_permission: RolePermissionBody,
}

#[derive(Debug, Serialize)]
struct All {
    role_permissions: Vec<RolePermissionBody>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(alias = "roleId", deserialize_with = "int64")]
    role_id: Option<i64>,
    #[serde(alias = "rolePermissionId", deserialize_with = "int64")]
    role_permission_id: Option<i64>,
    #[serde(alias = "resourceType")]
    resource_type: Option<String>,
    #[serde(alias = "resourcePattern")]
    resource_pattern: Option<String>,
    permission: Option<String>,
}

async fn add(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let role = number("role_id", request.role_id)?;
    let kind = kind(request.resource_type)?;
    let on = target(kind, request.resource_pattern, "resource_pattern")?;
    let level = level(request.permission)?;
    let people = everybody(&state).await?;
    let CustomRole { workspace, .. } = role_of(&state, &caller, &people, role, Wish::Manage)?;
    let permission = RolePermission { id: Number::draw(&*state.entropy), role, on, level };
    let command = AddRolePermission { workspace, permission: permission.clone() };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(One { role_permission: (&permission).into() }))
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<All>, Error> {
    let people = everybody(&state).await?;
    let role = role_of(&state, &caller, &people, number("role_id", request.role_id)?, Wish::See)?;
    Ok(Json(All { role_permissions: people.levels_of(role.id).map(Into::into).collect() }))
}

/// The level of that number, with its role, if the caller manages that one.
async fn managed(
    state: &MlflowState,
    caller: &Caller,
    id: Number,
) -> Result<(CustomRole, RolePermission), Error> {
    let people = everybody(state).await?;
    let Some(held) = people.role_permissions.iter().find(|held| held.id == id) else {
        expect(state, caller, Action::ServerManage, of_workspace(&caller.workspace))?;
        return Err(GovernanceError::NoRolePermission(id).into());
    };
    Ok((role_of(state, caller, &people, held.role, Wish::Manage)?, held.clone()))
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let id = number("role_permission_id", request.role_permission_id)?;
    let level = level(request.permission)?;
    let (role, _) = managed(&state, &caller, id).await?;
    let command = ChangeRolePermission { workspace: role.workspace, role: role.id, id, level };
    let changed = state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(One { role_permission: (&changed).into() }))
}

async fn remove(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Named>,
) -> Result<Json<Empty>, Error> {
    let id = number("role_permission_id", request.role_permission_id)?;
    let (role, _) = managed(&state, &caller, id).await?;
    let command = RemoveRolePermission { workspace: role.workspace, role: role.id, id };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
