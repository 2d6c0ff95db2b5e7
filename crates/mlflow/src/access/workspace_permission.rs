//! `workspaces/{name}/permissions` and `workspace-permissions`, which clients before 3.17 speak.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::permission::Level;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::command::{Before, GrantPermission, RevokePermission};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{Number, People, Permission, Target};
use serde::{Deserialize, Serialize};

use super::workspace::expect_offered;
use super::{everybody, expect, level, of_workspace, user_name};
use crate::body::Call;
use crate::table::Table;
use crate::{Error, MlflowError, MlflowState};
use mainstay_core::command::CommandError;

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let known = Action::AccountUse;
    Table::v3()
        .get("workspaces/{name}/permissions", known, list)
        .post("workspaces/{name}/permissions", known, set)
        .delete("workspaces/{name}/permissions", known, delete)
        .get("workspace-permissions", Action::ServerManage, of_user)
        .rows()
}

#[derive(Debug, Serialize)]
struct WorkspacePermission {
    workspace: Name,
    user_id: Number,
    permission: &'static str,
    can_use: bool,
}

#[derive(Debug, Serialize)]
struct One {
    permission: WorkspacePermission,
}

#[derive(Debug, Serialize)]
struct All {
    permissions: Vec<WorkspacePermission>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    username: Option<String>,
    permission: Option<String>,
}

fn body(workspace: Name, user_id: Number, level: Level) -> WorkspacePermission {
    WorkspacePermission { workspace, user_id, permission: level.as_str(), can_use: level >= Level::Use }
}

fn all(people: &People, wanted: impl Fn(&Permission) -> bool) -> Json<All> {
    let held = people.permissions.iter().filter(|held| held.on.kind() == ResourceKind::Workspace);
    let shown = held.filter(|held| wanted(held)).filter_map(|held| {
        let user = people.user(&held.user)?;
        Some(body(held.workspace.clone(), user.id, held.level))
    });
    Json(All { permissions: shown.collect() })
}

/// The workspace of an address, if the caller may say who may do what there.
async fn shared(state: &MlflowState, caller: &Caller, name: String) -> Result<(Name, People), Error> {
    expect_offered(state)?;
    let name = Name::new(name)?;
    expect(state, caller, Action::AccessShare, of_workspace(&name))?;
    let people = everybody(state).await?;
    if !name.is_default() && !people.workspaces.iter().any(|(known, _)| *known == name) {
        return Err(GovernanceError::NoWorkspace(name).into());
    }
    Ok((name, people))
}

async fn list(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<All>, Error> {
    let (name, people) = shared(&state, &caller, name).await?;
    Ok(all(&people, |held| held.workspace == name))
}

async fn set(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(name): Path<String>,
    Call(request): Call<Named>,
) -> Result<Json<One>, Error> {
    let (workspace, people) = shared(&state, &caller, name).await?;
    let (user, level) = (user_name(request.username)?, level(request.permission)?);
    let user_id = people.user(&user).ok_or_else(|| GovernanceError::NoUser(user.clone()))?.id;
    let (on, before) = (Target::workspace(), Before::Any);
    let command = GrantPermission { workspace: workspace.clone(), user, on, level, before };
    state.people.commands.run(&caller.principal, command).await?;
    Ok(Json(One { permission: body(workspace, user_id, level) }))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(name): Path<String>,
    Call(request): Call<Named>,
) -> Result<StatusCode, Error> {
    let (workspace, _) = shared(&state, &caller, name).await?;
    let user = user_name(request.username)?;
    let on = Target::workspace();
    let command = RevokePermission { workspace: workspace.clone(), user: user.clone(), on };
    match state.people.commands.run(&caller.principal, command).await {
        Err(CommandError::Refused(GovernanceError::NoPermission { .. })) => {
            Err(MlflowError::NoWorkspacePermission { workspace, user: user.to_string() }.into())
        }
        done => {
            done?;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

async fn of_user(
    State(state): State<MlflowState>,
    _: Caller,
    Call(request): Call<Named>,
) -> Result<Json<All>, Error> {
    expect_offered(&state)?;
    let user = user_name(request.username)?;
    Ok(all(&everybody(&state).await?, |held| held.user == user))
}
