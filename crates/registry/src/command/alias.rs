//! Aliases: free ones move at will, those that an endpoint follows move by promotion only.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{alias_target, existing_model, existing_version, expect_gates, note_prompt, refuse_governed};
use crate::error::RegistryError;
use crate::model::model_subject;
use crate::name::{Alias, ModelName, VersionNumber};
use crate::port::RegistryTx;

/// Points a free alias at a version. An alias that an endpoint follows is refused with
/// [`RegistryError::Governed`]; see [`PromoteAlias`]. Event: `alias.moved`.
#[derive(Debug, Clone)]
pub struct SetAlias {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub name: ModelName,
    /// Which alias.
    pub alias: Alias,
    /// Where to.
    pub number: VersionNumber,
}

#[async_trait]
impl Command for SetAlias {
    type Tx = dyn RegistryTx;
    type Out = ();
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), model_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RegistryError> {
        let version = existing_version(tx, &self.name, self.number).await?;
        refuse_governed(tx, &self.name, [&self.alias]).await?;
        let from = alias_target(tx, &self.name, &self.alias).await?;
        tx.put_alias(&self.name, &self.alias, self.number).await?;
        let body = json!({"alias": self.alias, "from": from, "to": self.number, "digest": version.digest});
        let body = note_prompt(tx, &self.name, body).await?;
        tx.record(Event::new("alias.moved", model_subject(&self.name), body));
        Ok(())
    }
}

/// What a promotion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The endpoint that follows the alias.
    pub endpoint: Name,
    /// The artifact that it shall serve.
    pub digest: Digest,
    /// The version that the alias pointed at before.
    pub from: Option<VersionNumber>,
}

/// Points an alias that an endpoint follows at a version whose gates have passed. It is an action of
/// its own, `model.promote`. Event: `alias.moved`, with the endpoint.
///
/// The endpoint must be revised in the same transaction: a command that spans domains calls this one's
/// `apply`, and uses the [`Promotion`].
#[derive(Debug, Clone)]
pub struct PromoteAlias {
    /// What to move, and where to.
    pub set: SetAlias,
}

#[async_trait]
impl Command for PromoteAlias {
    type Tx = dyn RegistryTx;
    type Out = Promotion;
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelPromote
    }

    fn scope(&self) -> Scope {
        self.set.scope()
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Promotion, RegistryError> {
        let SetAlias { name, alias, number, .. } = &self.set;
        let version = existing_version(tx, name, *number).await?;
        let Some(endpoint) = tx.alias_guard(name, alias).await? else {
            return Err(RegistryError::NotGoverned { model: name.clone(), alias: alias.clone() });
        };
        let digest = expect_gates(tx, name, &version).await?;
        let from = alias_target(tx, name, alias).await?;
        tx.put_alias(name, alias, *number).await?;
        let body = json!({
            "alias": alias, "from": from, "to": number, "digest": digest, "endpoint": endpoint,
        });
        tx.record(Event::new("alias.moved", model_subject(name), body));
        Ok(Promotion { endpoint, digest, from })
    }
}

/// Removes a free alias, if it is there. Event: `alias.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteAlias {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub name: ModelName,
    /// Which alias.
    pub alias: Alias,
}

#[async_trait]
impl Command for DeleteAlias {
    type Tx = dyn RegistryTx;
    type Out = ();
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), model_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RegistryError> {
        existing_model(tx, &self.name).await?;
        let Some(from) = alias_target(tx, &self.name, &self.alias).await? else { return Ok(()) };
        refuse_governed(tx, &self.name, [&self.alias]).await?;
        tx.delete_alias(&self.name, &self.alias).await?;
        let body = note_prompt(tx, &self.name, json!({"alias": self.alias, "from": from})).await?;
        tx.record(Event::new("alias.deleted", model_subject(&self.name), body));
        Ok(())
    }
}
