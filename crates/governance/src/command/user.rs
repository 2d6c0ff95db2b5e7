//! Users: created, made admins, given passwords, removed. They belong to the server as a whole; their events are of
//! the default workspace.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use serde_json::json;

use crate::error::GovernanceError;
use crate::people::{Number, User};
use crate::port::PeopleTx;
use crate::user::{PasswordHash, UserName};

pub(super) fn user_subject(name: &UserName) -> Subject {
    Subject::new(ResourceKind::User, name)
}

fn scope(name: &UserName) -> Scope {
    Scope::new(default_workspace(), user_subject(name))
}

pub(super) async fn existing(tx: &mut dyn PeopleTx, name: &UserName) -> Result<User, GovernanceError> {
    tx.user(name).await?.ok_or_else(|| GovernanceError::NoUser(name.clone()))
}

async fn keep_one_admin(tx: &mut dyn PeopleTx, user: &User) -> Result<(), GovernanceError> {
    if user.admin && tx.admins().await? < 2 {
        return Err(GovernanceError::LastAdmin(user.name.clone()));
    }
    Ok(())
}

/// Creates a user. Event: `user.created`, with the digest of what is kept of the password.
#[derive(Debug, Clone)]
pub struct CreateUser {
    /// The name.
    pub name: UserName,
    /// Its number, just drawn.
    pub id: Number,
    /// Whether it is an admin in every workspace.
    pub admin: bool,
    /// What is kept of its password.
    pub password: PasswordHash,
}

#[async_trait]
impl Command for CreateUser {
    type Tx = dyn PeopleTx;
    type Out = User;
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::ServerManage
    }

    fn scope(&self) -> Scope {
        scope(&self.name)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<User, GovernanceError> {
        if tx.user(&self.name).await?.is_some() {
            return Err(GovernanceError::UserExists(self.name.clone()));
        }
        let user = User {
            name: self.name.clone(),
            id: self.id,
            admin: self.admin,
            password: self.password.digest(),
            created: tx.now(),
        };
        tx.insert_user(&user, &self.password).await?;
        let body = json!({"id": user.id, "admin": user.admin, "password": user.password});
        tx.record(Event::new("user.created", user_subject(&self.name), body));
        Ok(user)
    }
}

async fn put_password(
    tx: &mut dyn PeopleTx,
    name: &UserName,
    password: &PasswordHash,
) -> Result<(), GovernanceError> {
    existing(tx, name).await?;
    tx.put_password(name, password).await?;
    let body = json!({"password": password.digest()});
    tx.record(Event::new("user.password_changed", user_subject(name), body));
    Ok(())
}

/// Gives a user another password. Event: `user.password_changed`.
#[derive(Debug, Clone)]
pub struct SetPassword {
    /// Whose.
    pub name: UserName,
    /// What is kept of the new one.
    pub password: PasswordHash,
}

#[async_trait]
impl Command for SetPassword {
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
        put_password(tx, &self.name, &self.password).await
    }
}

/// Changes the caller's own password, which whoever asks has shown anew. Event: `user.password_changed`.
#[derive(Debug, Clone)]
pub struct ChangeOwnPassword {
    /// The caller.
    pub name: UserName,
    /// What is kept of the new one.
    pub password: PasswordHash,
}

#[async_trait]
impl Command for ChangeOwnPassword {
    type Tx = dyn PeopleTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccountUse
    }

    fn scope(&self) -> Scope {
        scope(&self.name)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        if *tx.actor() != self.name.actor() {
            return Err(GovernanceError::NotOneself);
        }
        put_password(tx, &self.name, &self.password).await
    }
}

/// Makes a user an admin in every workspace, or takes that away. Event: `user.admin_changed`.
#[derive(Debug, Clone)]
pub struct SetAdmin {
    /// Who.
    pub name: UserName,
    /// What it is from now on.
    pub admin: bool,
}

#[async_trait]
impl Command for SetAdmin {
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
        let user = existing(tx, &self.name).await?;
        // Twice is no mistake, and no event.
        if user.admin == self.admin {
            return Ok(());
        }
        keep_one_admin(tx, &user).await?;
        tx.set_admin(&self.name, self.admin).await?;
        let body = json!({"admin": self.admin});
        tx.record(Event::new("user.admin_changed", user_subject(&self.name), body));
        Ok(())
    }
}

/// Removes a user with all that it was granted, in every workspace: a new one of that name inherits nothing.
/// Event: `user.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteUser {
    /// Who.
    pub name: UserName,
}

#[async_trait]
impl Command for DeleteUser {
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
        let user = existing(tx, &self.name).await?;
        if *tx.actor() == self.name.actor() {
            return Err(GovernanceError::OwnAccount);
        }
        keep_one_admin(tx, &user).await?;
        tx.delete_user(&self.name).await?;
        tx.record(Event::new("user.deleted", user_subject(&self.name), json!({})));
        Ok(())
    }
}
