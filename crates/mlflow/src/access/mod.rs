//! Users, roles and permissions, as MLflow's clients manage them, over our own: a level is one on an experiment, a
//! model or a workspace, and a role is a custom role. What clients call an admin is an admin of the server.
//!
//! | routes | who may, besides admins of the server |
//! |---|---|
//! | `users/*` | everybody about itself |
//! | `roles/*` | whoever may share the workspace; those who have a role there see them |
//! | `users/permissions/*`, `experiments/permissions/*`, `registered-models/permissions/*` | whoever may share the thing |
//! | `workspaces/*` | those who have a part in one see it; its permissions: whoever may share it |
//!
//! The routes per kind of thing are those of clients before 3.17. There a denial is called `NO_PERMISSIONS`.

mod grant;
mod per_kind;
mod role;
mod role_member;
mod role_permission;
mod user;
mod workspace;
mod workspace_permission;

use mainstay_api::caller::Caller;
use mainstay_api::route::{Denied, Route};
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::permission::Level;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::people::{CustomRole, KINDS, Number, People, Target};
use mainstay_governance::user::UserName;

use crate::wire::required;
use crate::{Error, MlflowError, MlflowState};

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    [
        user::routes(),
        role::routes(),
        role_permission::routes(),
        role_member::routes(),
        grant::routes(),
        per_kind::routes(),
        workspace::routes(),
        workspace_permission::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Everybody, as of now.
async fn everybody(state: &MlflowState) -> Result<People, Error> {
    Ok(state.people.reader.people().await?)
}

/// The user that a message names.
fn user_name(text: Option<String>) -> Result<UserName, Error> {
    Ok(UserName::new(required("username", text)?)?)
}

/// The level that a message names.
fn level(text: Option<String>) -> Result<Level, Error> {
    let text = required("permission", text)?;
    Ok(Level::named(&text).ok_or_else(|| MlflowError::InvalidPermission(clipped(&text)))?)
}

/// The kind of thing that a message names.
fn kind(text: Option<String>) -> Result<ResourceKind, Error> {
    let text = required("resource_type", text)?;
    let known = KINDS.into_iter().find(|(_, name)| *name == text);
    Ok(known.map(|(kind, _)| kind).ok_or_else(|| MlflowError::InvalidResourceType(clipped(&text)))?)
}

fn number(name: &'static str, number: Option<i64>) -> Result<Number, Error> {
    Ok(Number::new(number.ok_or(MlflowError::Missing(name))?))
}

fn clipped(text: &str) -> String {
    text.chars().take(100).collect()
}

fn of_workspace(workspace: &Name) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::Workspace, workspace))
}

/// Whether the caller may do this there.
fn may(state: &MlflowState, caller: &Caller, action: Action, scope: &Scope) -> bool {
    state.people.authorizer.allows(&caller.principal, action, scope)
}

/// Whether the caller manages the server.
fn is_admin(state: &MlflowState, caller: &Caller) -> bool {
    may(state, caller, Action::ServerManage, &of_workspace(&caller.workspace))
}

fn refuse(state: &MlflowState, caller: &Caller, action: Action, scope: Scope) -> Denied {
    state.people.authorizer.refused(&caller.principal, action, &scope);
    Denied { actor: caller.principal.actor.clone(), action, subject: scope.subject }
}

/// Refuses whoever may not do this there.
fn expect(state: &MlflowState, caller: &Caller, action: Action, scope: Scope) -> Result<(), Denied> {
    if may(state, caller, action, &scope) { Ok(()) } else { Err(refuse(state, caller, action, scope)) }
}

/// The caller's own name, if it is a user.
fn own_name(caller: &Caller) -> Option<UserName> {
    caller.principal.actor.user_name().and_then(|name| UserName::new(name).ok())
}

/// What the caller may do with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// See it: whoever has a role in its workspace.
    See,
    /// Manage it.
    Manage,
}

/// The role of that number, if the caller may do that with it. That there is no such role is told to admins alone.
fn role_of(
    state: &MlflowState,
    caller: &Caller,
    people: &People,
    id: Number,
    wish: Wish,
) -> Result<CustomRole, Error> {
    let Some(role) = people.role(id) else {
        let scope = of_workspace(&caller.workspace);
        expect(state, caller, Action::ServerManage, scope)?;
        return Err(GovernanceError::NoRole(id).into());
    };
    if wish == Wish::See && has_role_in(caller, people, &role.workspace) {
        return Ok(role.clone());
    }
    expect(state, caller, Action::AccessShare, of_workspace(&role.workspace))?;
    Ok(role.clone())
}

/// Whether the caller has a custom role in a workspace.
fn has_role_in(caller: &Caller, people: &People, workspace: &Name) -> bool {
    own_name(caller).is_some_and(|name| people.roles_of(&name).any(|role| role.workspace == *workspace))
}

/// A thing on which something is granted, and where.
fn target(kind: ResourceKind, id: Option<String>, name: &'static str) -> Result<Target, Error> {
    Ok(Target::new(kind, required(name, id)?)?)
}
