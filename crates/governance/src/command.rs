//! The changes that governance knows.

mod custom_role;
mod permission;
mod record;
mod user;
mod webhook;
mod workspace;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Role};
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::MachineTime;
use serde_json::json;

use crate::error::GovernanceError;
use crate::gate::GateReport;
use crate::port::GovernanceTx;
use crate::token::StoredToken;

pub use self::custom_role::{
    AddRolePermission, AssignRole, ChangeCustomRole, ChangeRolePermission, CreateCustomRole,
    DeleteCustomRole, RemoveRolePermission, UnassignRole,
};
pub use self::permission::{Before, GrantPermission, RevokePermission};
pub use self::record::{KeepCursor, KeepHead, RebuildProjections};
pub use self::user::{ChangeOwnPassword, CreateUser, DeleteUser, SetAdmin, SetPassword};
pub use self::webhook::{CreateWebhook, DeleteWebhook, NewSecret, UpdateWebhook, WebhookChange};
pub(crate) use self::webhook::{subject as webhook_subject, told as webhook_told};
pub use self::workspace::{DeleteWorkspace, DescribeWorkspace};

/// Creates a token. Its grants are for the workspace in which it is made, so that an admin of one
/// workspace cannot make a key to another. Event: `token.created`, with the digest of the secret: that
/// tells nothing of 256 random bits, and a digest that is put in its place later is found.
#[derive(Debug, Clone)]
pub struct CreateToken {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: TokenId,
    /// What it is for.
    pub label: Name,
    /// The digest of its secret.
    pub digest: Digest,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// From when on it does not count; never if absent.
    pub expires: Option<MachineTime>,
}

#[async_trait]
impl Command for CreateToken {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Token, self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        if self.grants.is_empty() {
            return Err(GovernanceError::NoGrant);
        }
        if self.grants.iter().any(|grant| grant.workspace.as_ref() != Some(&self.workspace)) {
            return Err(GovernanceError::ForeignGrant(self.workspace.clone()));
        }
        let now = tx.now();
        if self.expires.is_some_and(|expires| expires <= now) {
            return Err(GovernanceError::Expired);
        }
        let token = StoredToken {
            id: self.id,
            label: self.label.clone(),
            digest: self.digest,
            grants: self.grants.clone(),
            creator: tx.actor().clone(),
            created: now,
            expires: self.expires,
            revoked: None,
        };
        tx.insert_token(&token).await?;
        let body = json!({
            "label": token.label, "digest": token.digest, "grants": token.grants, "expires": token.expires,
        });
        tx.record(Event::new("token.created", self.scope().subject, body));
        Ok(())
    }
}

/// Revokes a token, for ever. Event: `token.revoked`.
#[derive(Debug, Clone)]
pub struct RevokeToken {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub id: TokenId,
}

#[async_trait]
impl Command for RevokeToken {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Token, self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        // Whoever manages one workspace does not manage the tokens of others.
        let token = tx.token(self.id).await?.filter(|token| {
            token.grants.iter().any(|grant| grant.workspace.as_ref().is_none_or(|at| *at == self.workspace))
        });
        let token = token.ok_or(GovernanceError::NoToken(self.id))?;
        // Twice is no mistake, and no event.
        if token.revoked.is_none() {
            let now = tx.now();
            tx.revoke_token(self.id, now).await?;
            tx.record(Event::new("token.revoked", self.scope().subject, json!({})));
        }
        Ok(())
    }
}

/// Gives an actor a role in a workspace. Event: `role.granted`.
#[derive(Debug, Clone)]
pub struct GrantRole {
    /// Where.
    pub workspace: Name,
    /// To whom.
    pub actor: Actor,
    /// What.
    pub role: Role,
}

#[async_trait]
impl Command for GrantRole {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        workspace_scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        tx.put_role(&self.actor, self.role).await?;
        let body = json!({"actor": self.actor, "role": self.role});
        tx.record(Event::new("role.granted", self.scope().subject, body));
        Ok(())
    }
}

/// Takes a role from an actor in a workspace. Event: `role.revoked`.
#[derive(Debug, Clone)]
pub struct RevokeRole {
    /// Where.
    pub workspace: Name,
    /// From whom.
    pub actor: Actor,
    /// What.
    pub role: Role,
}

#[async_trait]
impl Command for RevokeRole {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        workspace_scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        if !tx.delete_role(&self.actor, self.role).await? {
            return Err(GovernanceError::NoGrantHeld(self.actor.clone()));
        }
        let body = json!({"actor": self.actor, "role": self.role});
        tx.record(Event::new("role.revoked", self.scope().subject, body));
        Ok(())
    }
}

/// Creates a workspace, with its first admin. Event: `workspace.created`.
#[derive(Debug, Clone)]
pub struct CreateWorkspace {
    /// From which workspace: the one in whose part of the record it stands.
    pub workspace: Name,
    /// The new one's name.
    pub name: Name,
    /// Who administers it first.
    pub admin: Actor,
}

#[async_trait]
impl Command for CreateWorkspace {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::ServerManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Workspace, &self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        if tx.has_workspace(&self.name).await? {
            return Err(GovernanceError::WorkspaceExists(self.name.clone()));
        }
        tx.insert_workspace(&self.name, &self.admin).await?;
        let body = json!({"admin": self.admin});
        tx.record(Event::new("workspace.created", self.scope().subject, body));
        Ok(())
    }
}

/// Records that somebody was refused. The server runs it, and bounds how often. Event:
/// `access.refused`.
#[derive(Debug, Clone)]
pub struct RecordRefusal {
    /// Who asked.
    pub actor: Actor,
    /// For what.
    pub action: Action,
    /// On what.
    pub scope: Scope,
    /// How many like it were left out since the last one.
    pub left_out: u64,
}

#[async_trait]
impl Command for RecordRefusal {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        self.scope.clone()
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        let body = json!({
            "actor": self.actor,
            "action": self.action.as_str(),
            "left_out": self.left_out,
        });
        tx.record(Event::new("access.refused", self.scope.subject.clone(), body));
        Ok(())
    }
}

/// Records what the gates of an artifact said; held by the engine. Event: `gates.evaluated`, with the
/// whole report.
#[derive(Debug, Clone)]
pub struct RecordGates {
    /// Where.
    pub workspace: Name,
    /// The report; see [`GateReport::checked`].
    pub report: GateReport,
}

#[async_trait]
impl Command for RecordGates {
    type Tx = dyn GovernanceTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::PipelineStep
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), gates_subject(&self.report))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        let report = self.report.clone().checked()?;
        tx.insert_report(&report).await?;
        tx.record(Event::new("gates.evaluated", gates_subject(&report), json!(report)));
        Ok(())
    }
}

fn workspace_scope(workspace: &Name) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::Workspace, workspace))
}

/// The version, or the model of an artifact that is not registered yet.
fn gates_subject(report: &GateReport) -> Subject {
    match report.version {
        Some(version) => Subject::new(ResourceKind::ModelVersion, format_args!("{}/{version}", report.model)),
        None => Subject::new(ResourceKind::Model, &report.model),
    }
}
