//! `workspaces` and `workspaces/{name}`.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::permission::{Capabilities, Level};
use mainstay_core::principal::Grant;
use mainstay_core::scope::default_workspace;
use mainstay_governance::command::{CreateCustomRole, CreateWorkspace, DeleteWorkspace, DescribeWorkspace};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{CustomRole, Number, People, RolePermission, Target};
use serde::{Deserialize, Serialize};

use super::{everybody, has_role_in, is_admin, of_workspace, own_name, refuse};
use crate::body::Call;
use crate::table::Table;
use crate::wire::required;
use crate::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let (known, manage) = (Action::AccountUse, Action::ServerManage);
    Table::v3()
        .get("workspaces", known, list)
        .post("workspaces", manage, create)
        .get("workspaces/{name}", known, get)
        .patch("workspaces/{name}", manage, update)
        .delete("workspaces/{name}", manage, delete)
        .rows()
}

/// Words that stand elsewhere in addresses.
const RESERVED: [&str; 4] = ["workspaces", "api", "ajax-api", "static-files"];

/// The roles that a new workspace has, with their level on all of it.
const SEEDS: [(&str, Level); 2] = [("admin", Level::Manage), ("user", Level::Use)];

#[derive(Debug, Serialize)]
struct WorkspaceBody {
    name: Name,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
}

#[derive(Debug, Serialize)]
struct One {
    workspace: WorkspaceBody,
}

#[derive(Debug, Serialize)]
struct All {
    workspaces: Vec<WorkspaceBody>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    name: Option<String>,
    description: Option<String>,
    #[serde(alias = "defaultArtifactRoot")]
    default_artifact_root: Option<String>,
    mode: Option<String>,
}

/// Refuses where clients are not told of workspaces.
pub(super) fn expect_offered(state: &MlflowState) -> Result<(), MlflowError> {
    if state.people.options.offers_workspaces { Ok(()) } else { Err(MlflowError::NoWorkspaces) }
}

/// Checks the name of a new workspace, as the clients do (`WorkspaceNameValidator`).
fn new_name(text: &str) -> Result<Name, Error> {
    let wrong = |hint: &str| MlflowError::invalid("name", text, format!("Workspace name '{text}' {hint}"));
    if !(2..=63).contains(&text.len()) {
        return Err(wrong("must be between 2 and 63 characters.").into());
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.starts_with(plain) && text.ends_with(plain);
    if !ends || !text.chars().all(|c| plain(c) || c == '-') {
        return Err(wrong("must match the pattern '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'.").into());
    }
    if RESERVED.contains(&text) {
        return Err(wrong("is reserved and cannot be used.").into());
    }
    Ok(Name::new(text)?)
}

/// Whether the caller has a part in a workspace: a role of either kind, or a level that reads all of it.
fn takes_part(state: &MlflowState, caller: &Caller, people: &People, workspace: &Name) -> bool {
    let reads = |level: Capabilities| level.has(Capabilities::READ);
    let here = |grant: &Grant| grant.workspace.as_ref().is_none_or(|at| at == workspace);
    let granted = caller.principal.grants.iter().any(here);
    let held = own_name(caller).is_some_and(|name| {
        let default = state.people.options.default_permission;
        reads(people.permissions_of(&name, default).on_workspace(workspace))
    });
    is_admin(state, caller) || granted || held || has_role_in(caller, people, workspace)
}

/// All workspaces, by name.
fn all(people: &People) -> Vec<WorkspaceBody> {
    let default = WorkspaceBody { name: default_workspace(), description: String::new() };
    let others = people.workspaces.iter();
    let others = others.map(|(name, text)| WorkspaceBody { name: name.clone(), description: text.clone() });
    let mut all: Vec<_> = others.chain([default]).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

async fn list(State(state): State<MlflowState>, caller: Caller) -> Result<Json<All>, Error> {
    expect_offered(&state)?;
    let people = everybody(&state).await?;
    let mut workspaces = all(&people);
    workspaces.retain(|one| takes_part(&state, &caller, &people, &one.name));
    Ok(Json(All { workspaces }))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<One>, Error> {
    expect_offered(&state)?;
    let name = Name::new(name)?;
    let people = everybody(&state).await?;
    if !takes_part(&state, &caller, &people, &name) {
        return Err(refuse(&state, &caller, Action::AccountUse, of_workspace(&name)).into());
    }
    one(&people, name)
}

fn one(people: &People, name: Name) -> Result<Json<One>, Error> {
    let found = all(people).into_iter().find(|one| one.name == name);
    Ok(Json(One { workspace: found.ok_or(GovernanceError::NoWorkspace(name))? }))
}

/// Where the artifacts of a workspace go is not chosen for one alone.
fn refuse_root(root: Option<String>) -> Result<(), MlflowError> {
    match root.filter(|root| !root.is_empty()) {
        None => Ok(()),
        Some(root) => Err(MlflowError::invalid(
            "default_artifact_root",
            root,
            "leave it out: artifacts of a workspace lie in this server's own store",
        )),
    }
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Message>,
) -> Result<(StatusCode, Json<One>), Error> {
    expect_offered(&state)?;
    let text = required("name", request.name)?;
    refuse_root(request.default_artifact_root)?;
    if text == default_workspace().as_str() {
        return Err(GovernanceError::DefaultWorkspace("created").into());
    }
    let name = new_name(&text)?;
    let (workspace, admin) = (default_workspace(), caller.principal.actor.clone());
    let command = CreateWorkspace { workspace, name: name.clone(), admin };
    state.people.governance.run(&caller.principal, command).await?;
    for (role, level) in SEEDS {
        let id = Number::draw(&*state.entropy);
        let on = Target::workspace();
        let permission = RolePermission { id: Number::draw(&*state.entropy), role: id, on, level };
        let role = CustomRole { id, workspace: name.clone(), name: role.to_owned(), description: None };
        let command = CreateCustomRole { role, permissions: vec![permission] };
        state.people.commands.run(&caller.principal, command).await?;
    }
    let description = request.description.unwrap_or_default();
    if !description.is_empty() {
        let command = DescribeWorkspace { name: name.clone(), description };
        state.people.commands.run(&caller.principal, command).await?;
    }
    Ok((StatusCode::CREATED, one(&everybody(&state).await?, name)?))
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(name): Path<String>,
    Call(request): Call<Message>,
) -> Result<Json<One>, Error> {
    expect_offered(&state)?;
    let name = Name::new(name)?;
    if request.description.is_none() && request.default_artifact_root.is_none() {
        return Err(MlflowError::EmptyWorkspaceUpdate.into());
    }
    refuse_root(request.default_artifact_root)?;
    if let Some(description) = request.description {
        let command = DescribeWorkspace { name: name.clone(), description };
        state.people.commands.run(&caller.principal, command).await?;
    }
    one(&everybody(&state).await?, name)
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(name): Path<String>,
    Call(request): Call<Message>,
) -> Result<StatusCode, Error> {
    expect_offered(&state)?;
    let name = Name::new(name)?;
    match request.mode.as_deref().unwrap_or("RESTRICT") {
        "RESTRICT" => {}
        mode @ ("CASCADE" | "SET_DEFAULT") => return Err(MlflowError::WorkspaceMode(mode.to_owned()).into()),
        other => {
            return Err(MlflowError::invalid("mode", other, "use RESTRICT, CASCADE or SET_DEFAULT").into());
        }
    }
    state.people.commands.run(&caller.principal, DeleteWorkspace { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_clients_accept() {
        for good in ["ab", "team-a", "0-0", &"a".repeat(63)] {
            assert!(new_name(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("a", "between 2 and 63"),
            (&"a".repeat(64), "between 2 and 63"),
            ("Team", "must match the pattern"),
            ("-a", "must match the pattern"),
            ("a_b", "must match the pattern"),
            ("ajax-api", "is reserved"),
        ] {
            let error = format!("{:?}", new_name(bad).unwrap_err());
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
