//! Levels that users are granted on single things, on all of a kind, or on a workspace.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::permission::Level;
use mainstay_core::scope::Scope;
use serde_json::{Value, json};

use super::user::{existing, user_subject};
use crate::error::GovernanceError;
use crate::people::{Target, check_level};
use crate::port::PeopleTx;
use crate::user::UserName;

/// What to do where there is a level already, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// There must be none.
    Absent,
    /// There must be one.
    Present,
    /// Either is fine.
    Any,
}

fn of(on: &Target) -> Value {
    json!({"kind": on.kind().as_str(), "pattern": on.pattern().as_str()})
}

fn missing(user: &UserName, on: &Target) -> GovernanceError {
    let (user, kind, pattern) = (user.clone(), on.kind_name(), on.pattern().to_string());
    GovernanceError::NoPermission { user, kind, pattern }
}

/// Grants a user a level on something. Event: `permission.granted`, with the level before.
#[derive(Debug, Clone)]
pub struct GrantPermission {
    /// Where.
    pub workspace: Name,
    /// To whom.
    pub user: UserName,
    /// On what.
    pub on: Target,
    /// How much.
    pub level: Level,
    /// What there must be before.
    pub before: Before,
}

#[async_trait]
impl Command for GrantPermission {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        self.on.scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        check_level(&self.on, self.level)?;
        existing(tx, &self.user).await?;
        let held = tx.permission(&self.user, &self.on).await?;
        match (self.before, held) {
            (Before::Present, None) => return Err(missing(&self.user, &self.on)),
            (Before::Absent, Some(_)) => {
                let pattern = self.on.pattern().to_string();
                let (user, kind) = (self.user.clone(), self.on.kind_name());
                return Err(GovernanceError::PermissionExists { user, kind, pattern });
            }
            _ => {}
        }
        tx.put_permission(&self.user, &self.on, self.level).await?;
        let mut body = of(&self.on);
        (body["level"], body["before"]) = (json!(self.level), json!(held));
        tx.record(Event::new("permission.granted", user_subject(&self.user), body));
        Ok(())
    }
}

/// Takes a level from a user. Event: `permission.revoked`.
#[derive(Debug, Clone)]
pub struct RevokePermission {
    /// Where.
    pub workspace: Name,
    /// From whom.
    pub user: UserName,
    /// On what.
    pub on: Target,
}

#[async_trait]
impl Command for RevokePermission {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessShare
    }

    fn scope(&self) -> Scope {
        self.on.scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        existing(tx, &self.user).await?;
        if !tx.delete_permission(&self.user, &self.on).await? {
            return Err(missing(&self.user, &self.on));
        }
        tx.record(Event::new("permission.revoked", user_subject(&self.user), of(&self.on)));
        Ok(())
    }
}
