//! What events of users, levels, custom roles and workspaces do.

use mainstay_governance::audit::StoredEvent;
use serde_json::Value as Json;

use super::{GRANTS, WORKSPACES, member, number, text};
use crate::projection::replay::Replayed;
use crate::projection::tables::Cell;

const USERS: &str = "users";
const PERMISSIONS: &str = "permissions";
const ROLES: &str = "custom_roles";
const ROLE_PERMISSIONS: &str = "custom_role_permissions";
const MEMBERS: &str = "custom_role_members";

/// The places of columns among those behind the key.
const OF_USER_ADMIN: usize = 1;
const OF_USER_PASSWORD: usize = 2;
const OF_WORKSPACE_DESCRIPTION: usize = 1;
const OF_ROLE_WORKSPACE: usize = 0;
const OF_MEMBER_ROLE: usize = 0;
const OF_MEMBER_USER: usize = 1;

pub(super) fn concerns(kind: &str) -> bool {
    matches!(
        kind,
        "user.created"
            | "user.password_changed"
            | "user.admin_changed"
            | "user.deleted"
            | "permission.granted"
            | "permission.revoked"
            | "custom_role.created"
            | "custom_role.changed"
            | "custom_role.deleted"
            | "custom_role.permitted"
            | "custom_role.unpermitted"
            | "custom_role.assigned"
            | "custom_role.unassigned"
            | "workspace.changed"
            | "workspace.deleted"
    )
}

/// `id` is that of the event's subject.
pub(super) fn apply(state: &mut Replayed, event: &StoredEvent, id: &str, body: &Json) -> Option<()> {
    let here = Cell::Text(event.workspace.clone());
    match event.kind.as_str() {
        "user.created" => {
            let row = vec![
                number(body, "id")?,
                flag(body, "admin")?,
                member(body, "password")?,
                Cell::Int(event.at.micros()),
            ];
            state.put(USERS, vec![text(id)], row);
        }
        "user.password_changed" => {
            state.set(USERS, &[text(id)], OF_USER_PASSWORD, member(body, "password")?);
        }
        "user.admin_changed" => state.set(USERS, &[text(id)], OF_USER_ADMIN, flag(body, "admin")?),
        "user.deleted" => {
            state.remove(USERS, &[text(id)]);
            state.of(PERMISSIONS).retain(|key, _| key.get(1) != Some(&text(id)));
            state.of(MEMBERS).retain(|_, entry| entry.cells.get(OF_MEMBER_USER) != Some(&text(id)));
            let actor = text(&format!("user:{id}"));
            state.of(GRANTS).retain(|key, _| key.get(1) != Some(&actor));
        }
        "permission.granted" => {
            let key = vec![here, text(id), member(body, "kind")?, member(body, "pattern")?];
            state.put(PERMISSIONS, key, vec![member(body, "level")?]);
        }
        "permission.revoked" => {
            state.remove(PERMISSIONS, &[here, text(id), member(body, "kind")?, member(body, "pattern")?]);
        }
        "workspace.changed" => {
            state.set(WORKSPACES, &[text(id)], OF_WORKSPACE_DESCRIPTION, member(body, "description")?);
        }
        "workspace.deleted" => {
            state.remove(WORKSPACES, &[text(id)]);
            for table in [PERMISSIONS, GRANTS] {
                state.of(table).retain(|key, _| key.first() != Some(&here));
            }
            let of_role = state.of(ROLES).iter();
            let gone: Vec<Cell> = of_role
                .filter(|(_, entry)| entry.cells.get(OF_ROLE_WORKSPACE) == Some(&here))
                .filter_map(|(key, _)| key.first().cloned())
                .collect();
            for role in &gone {
                forget_role(state, role);
            }
        }
        _ => custom_role(state, event, here, (Cell::Int(id.parse().ok()?), body))?,
    }
    Some(())
}

fn custom_role(
    state: &mut Replayed,
    event: &StoredEvent,
    here: Cell,
    (role, body): (Cell, &Json),
) -> Option<()> {
    match event.kind.as_str() {
        "custom_role.created" | "custom_role.changed" => {
            let description = match body.get("description")? {
                Json::Null => Cell::Null,
                _ => member(body, "description")?,
            };
            state.put(ROLES, vec![role], vec![here, member(body, "name")?, description]);
        }
        "custom_role.deleted" => forget_role(state, &role),
        "custom_role.permitted" => {
            let row = vec![role, member(body, "kind")?, member(body, "pattern")?, member(body, "level")?];
            state.put(ROLE_PERMISSIONS, vec![number(body, "permission")?], row);
        }
        "custom_role.unpermitted" => state.remove(ROLE_PERMISSIONS, &[number(body, "permission")?]),
        "custom_role.assigned" => {
            state.put(MEMBERS, vec![number(body, "member")?], vec![role, member(body, "user")?]);
        }
        _ => state.remove(MEMBERS, &[number(body, "member")?]),
    }
    Some(())
}

fn forget_role(state: &mut Replayed, role: &Cell) {
    state.remove(ROLES, std::slice::from_ref(role));
    for table in [ROLE_PERMISSIONS, MEMBERS] {
        state.of(table).retain(|_, entry| entry.cells.get(OF_MEMBER_ROLE) != Some(role));
    }
}

fn is_on_model(key: &[Cell], workspace: &Cell, model: &Cell) -> bool {
    key.first() == Some(workspace) && key.get(2) == Some(&text("model")) && key.get(3) == Some(model)
}

/// Levels on a model by its name go with it.
pub(super) fn rename_model(state: &mut Replayed, workspace: &Cell, from: &Cell, to: &Cell) {
    let moved: Vec<_> =
        state.of(PERMISSIONS).extract_if(.., |key, _| is_on_model(key, workspace, from)).collect();
    for (mut key, entry) in moved {
        key.splice(3..4, [to.clone()]);
        state.put(PERMISSIONS, key, entry.cells);
    }
}

/// Levels on a model that is no more.
pub(super) fn forget_model(state: &mut Replayed, workspace: &Cell, model: &Cell) {
    state.of(PERMISSIONS).retain(|key, _| !is_on_model(key, workspace, model));
}

fn flag(body: &Json, name: &str) -> Option<Cell> {
    body.get(name)?.as_bool().map(|flag| Cell::Int(flag.into()))
}
