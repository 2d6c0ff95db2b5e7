//! Workspaces: what they are for, and their end. They are created by [`CreateWorkspace`](super::CreateWorkspace).

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use crate::error::GovernanceError;
use crate::port::PeopleTx;

/// Longest description, in characters. All of them are held in memory.
const MAX_DESCRIPTION: usize = 1_024;

fn scope(name: &Name) -> Scope {
    Scope::new(name.clone(), Subject::new(ResourceKind::Workspace, name))
}

async fn expect(tx: &mut dyn PeopleTx, name: &Name, cannot_be: &'static str) -> Result<(), GovernanceError> {
    if name.is_default() {
        return Err(GovernanceError::DefaultWorkspace(cannot_be));
    }
    let known = tx.workspace_description(name).await?;
    known.map(drop).ok_or_else(|| GovernanceError::NoWorkspace(name.clone()))
}

/// Says what a workspace is for. Event: `workspace.changed`.
#[derive(Debug, Clone)]
pub struct DescribeWorkspace {
    /// Which.
    pub name: Name,
    /// What it is for.
    pub description: String,
}

#[async_trait]
impl Command for DescribeWorkspace {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::ServerManage
    }

    fn scope(&self) -> Scope {
        scope(&self.name)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        expect(tx, &self.name, "described").await?;
        if self.description.chars().count() > MAX_DESCRIPTION || self.description.contains('\0') {
            return Err(GovernanceError::InvalidDescription);
        }
        tx.describe_workspace(&self.name, &self.description).await?;
        let body = json!({"description": self.description});
        tx.record(Event::new("workspace.changed", scope(&self.name).subject, body));
        Ok(())
    }
}

/// Removes a workspace in which nothing is left, with its roles and what people were granted in it. Event:
/// `workspace.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteWorkspace {
    /// Which.
    pub name: Name,
}

#[async_trait]
impl Command for DeleteWorkspace {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::ServerManage
    }

    fn scope(&self) -> Scope {
        scope(&self.name)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        expect(tx, &self.name, "deleted").await?;
        if let Some(table) = tx.left_in_workspace(&self.name).await? {
            return Err(GovernanceError::WorkspaceInUse { workspace: self.name.clone(), table });
        }
        tx.delete_workspace(&self.name).await?;
        tx.record(Event::new("workspace.deleted", scope(&self.name).subject, json!({})));
        Ok(())
    }
}
