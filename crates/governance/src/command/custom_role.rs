//! Roles that people make: levels under a name, assigned to users.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::permission::Level;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use super::user::existing as existing_user;
use crate::error::GovernanceError;
use crate::people::{CustomRole, Member, Number, RolePermission, check_level};
use crate::port::PeopleTx;
use crate::user::UserName;

fn subject(role: Number) -> Subject {
    Subject::new(ResourceKind::CustomRole, role)
}

/// Whoever may say who may do what in a workspace makes its roles.
fn scope(workspace: &Name) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::Workspace, workspace))
}

async fn existing(tx: &mut dyn PeopleTx, id: Number) -> Result<CustomRole, GovernanceError> {
    tx.custom_role(id).await?.ok_or(GovernanceError::NoRole(id))
}

async fn refuse_taken(tx: &mut dyn PeopleTx, role: &CustomRole) -> Result<(), GovernanceError> {
    let other = tx.custom_role_named(&role.name).await?;
    if other.is_some_and(|other| other.id != role.id) {
        let (name, workspace) = (role.name.clone(), role.workspace.clone());
        return Err(GovernanceError::RoleExists { name, workspace });
    }
    Ok(())
}

/// Makes a role with these levels, assigned to nobody. Events: `custom_role.created`, `custom_role.permitted`.
#[derive(Debug, Clone)]
pub struct CreateCustomRole {
    /// The role, its number just drawn.
    pub role: CustomRole,
    /// Its first levels, their numbers just drawn.
    pub permissions: Vec<RolePermission>,
}

#[async_trait]
impl Command for CreateCustomRole {
    type Tx = dyn PeopleTx;
    type Out = CustomRole;
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.role.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<CustomRole, GovernanceError> {
        let role = self.role.clone().checked()?;
        refuse_taken(tx, &role).await?;
        tx.put_custom_role(&role).await?;
        let body = json!({"name": role.name, "description": role.description});
        tx.record(Event::new("custom_role.created", subject(role.id), body));
        for permission in &self.permissions {
            permit(tx, permission).await?;
        }
        Ok(role)
    }
}

/// Changes the name or the description of a role. Event: `custom_role.changed`.
#[derive(Debug, Clone)]
pub struct ChangeCustomRole {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: Number,
    /// Its new name; as before if absent.
    pub name: Option<String>,
    /// What it is for; as before if absent.
    pub description: Option<String>,
}

#[async_trait]
impl Command for ChangeCustomRole {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        let mut role = existing(tx, self.id).await?;
        role.name = self.name.clone().unwrap_or(role.name);
        role.description = self.description.clone().or(role.description);
        let role = role.checked()?;
        refuse_taken(tx, &role).await?;
        tx.put_custom_role(&role).await?;
        let body = json!({"name": role.name, "description": role.description});
        tx.record(Event::new("custom_role.changed", subject(role.id), body));
        Ok(())
    }
}

/// Removes a role, from everybody who has it. Event: `custom_role.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteCustomRole {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: Number,
}

#[async_trait]
impl Command for DeleteCustomRole {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        existing(tx, self.id).await?;
        tx.delete_custom_role(self.id).await?;
        tx.record(Event::new("custom_role.deleted", subject(self.id), json!({})));
        Ok(())
    }
}

async fn permit(tx: &mut dyn PeopleTx, permission: &RolePermission) -> Result<(), GovernanceError> {
    check_level(&permission.on, permission.level)?;
    tx.put_role_permission(permission).await?;
    let RolePermission { id, role, on, level } = permission;
    let (kind, pattern) = (on.kind().as_str(), on.pattern().as_str());
    let body = json!({"permission": id, "kind": kind, "pattern": pattern, "level": level});
    tx.record(Event::new("custom_role.permitted", subject(*role), body));
    Ok(())
}

/// Adds a level to a role. Event: `custom_role.permitted`.
#[derive(Debug, Clone)]
pub struct AddRolePermission {
    /// Where.
    pub workspace: Name,
    /// The level, its number just drawn.
    pub permission: RolePermission,
}

#[async_trait]
impl Command for AddRolePermission {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        let RolePermission { role, on, .. } = &self.permission;
        existing(tx, *role).await?;
        let held = tx.role_permissions(*role).await?;
        if held.iter().any(|held| held.on == *on) {
            let (role, kind, pattern) = (*role, on.kind_name(), on.pattern().to_string());
            return Err(GovernanceError::RolePermissionExists { role, kind, pattern });
        }
        permit(tx, &self.permission).await
    }
}

/// Replaces a level of a role. Event: `custom_role.permitted`, with the number of the level before.
#[derive(Debug, Clone)]
pub struct ChangeRolePermission {
    /// Where.
    pub workspace: Name,
    /// Of which role.
    pub role: Number,
    /// Which of its levels.
    pub id: Number,
    /// How much from now on.
    pub level: Level,
}

async fn held(tx: &mut dyn PeopleTx, role: Number, id: Number) -> Result<RolePermission, GovernanceError> {
    existing(tx, role).await?;
    let held = tx.role_permissions(role).await?.into_iter().find(|held| held.id == id);
    held.ok_or(GovernanceError::NoRolePermission(id))
}

#[async_trait]
impl Command for ChangeRolePermission {
    type Tx = dyn PeopleTx;
    type Out = RolePermission;
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<RolePermission, GovernanceError> {
        let permission = RolePermission { level: self.level, ..held(tx, self.role, self.id).await? };
        permit(tx, &permission).await?;
        Ok(permission)
    }
}

/// Removes a level of a role. Event: `custom_role.unpermitted`.
#[derive(Debug, Clone)]
pub struct RemoveRolePermission {
    /// Where.
    pub workspace: Name,
    /// Of which role.
    pub role: Number,
    /// Which of its levels.
    pub id: Number,
}

#[async_trait]
impl Command for RemoveRolePermission {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        held(tx, self.role, self.id).await?;
        tx.delete_role_permission(self.id).await?;
        let body = json!({"permission": self.id});
        tx.record(Event::new("custom_role.unpermitted", subject(self.role), body));
        Ok(())
    }
}

/// Gives a user a role. Event: `custom_role.assigned`.
#[derive(Debug, Clone)]
pub struct AssignRole {
    /// Where.
    pub workspace: Name,
    /// The assignment, its number just drawn.
    pub member: Member,
}

#[async_trait]
impl Command for AssignRole {
    type Tx = dyn PeopleTx;
    /// The number of the user.
    type Out = Number;
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Number, GovernanceError> {
        let Member { id, role, user } = &self.member;
        existing(tx, *role).await?;
        let number = existing_user(tx, user).await?.id;
        if tx.member(*role, user).await?.is_some() {
            return Err(GovernanceError::MemberExists { user: number, role: *role });
        }
        tx.insert_member(&self.member).await?;
        let body = json!({"member": id, "user": user});
        tx.record(Event::new("custom_role.assigned", subject(*role), body));
        Ok(number)
    }
}

/// Takes a role from a user. Event: `custom_role.unassigned`.
#[derive(Debug, Clone)]
pub struct UnassignRole {
    /// Where.
    pub workspace: Name,
    /// Which role.
    pub role: Number,
    /// From whom.
    pub user: UserName,
}

#[async_trait]
impl Command for UnassignRole {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        existing(tx, self.role).await?;
        let user = existing_user(tx, &self.user).await?.id;
        let held = tx.member(self.role, &self.user).await?;
        let id = held.ok_or(GovernanceError::NoMember { user, role: self.role })?;
        tx.delete_member(id).await?;
        let body = json!({"member": id, "user": self.user});
        tx.record(Event::new("custom_role.unassigned", subject(self.role), body));
        Ok(())
    }
}
