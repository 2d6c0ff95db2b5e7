//! Tags of models and versions.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{existing_model, existing_version, note_prompt};
use crate::error::RegistryError;
use crate::model::{model_subject, version_subject};
use crate::name::{ModelName, Tag, VersionNumber, tag_key};
use crate::port::RegistryTx;

/// Sets a tag of a model. Event: `model.tagged`.
#[derive(Debug, Clone)]
pub struct SetModelTag {
    /// Where.
    pub workspace: Name,
    /// Which model.
    pub name: ModelName,
    /// The tag.
    pub tag: Tag,
}

#[async_trait]
impl Command for SetModelTag {
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
        existing_model(tx, &self.name).await?;
        tx.put_model_tag(&self.name, &self.tag).await?;
        let body = note_prompt(tx, &self.name, json!(self.tag)).await?;
        tx.record(Event::new("model.tagged", model_subject(&self.name), body));
        Ok(())
    }
}

/// Removes a tag of a model, if it is there. Event: `model.untagged`.
#[derive(Debug, Clone)]
pub struct DeleteModelTag {
    /// Where.
    pub workspace: Name,
    /// Which model.
    pub name: ModelName,
    /// The tag's key.
    pub key: String,
}

#[async_trait]
impl Command for DeleteModelTag {
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
        let key = tag_key(self.key.clone())?;
        existing_model(tx, &self.name).await?;
        tx.delete_model_tag(&self.name, &key).await?;
        let body = note_prompt(tx, &self.name, json!({"key": key})).await?;
        tx.record(Event::new("model.untagged", model_subject(&self.name), body));
        Ok(())
    }
}

/// Sets a tag of a version. Event: `model_version.tagged`.
#[derive(Debug, Clone)]
pub struct SetVersionTag {
    /// Where.
    pub workspace: Name,
    /// Which model.
    pub name: ModelName,
    /// Which version.
    pub number: VersionNumber,
    /// The tag.
    pub tag: Tag,
}

#[async_trait]
impl Command for SetVersionTag {
    type Tx = dyn RegistryTx;
    type Out = ();
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), version_subject(&self.name, self.number))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RegistryError> {
        existing_version(tx, &self.name, self.number).await?;
        tx.put_version_tag(&self.name, self.number, &self.tag).await?;
        let subject = version_subject(&self.name, self.number);
        let body = note_prompt(tx, &self.name, json!(self.tag)).await?;
        tx.record(Event::new("model_version.tagged", subject, body));
        Ok(())
    }
}

/// Removes a tag of a version, if it is there. Event: `model_version.untagged`.
#[derive(Debug, Clone)]
pub struct DeleteVersionTag {
    /// Where.
    pub workspace: Name,
    /// Which model.
    pub name: ModelName,
    /// Which version.
    pub number: VersionNumber,
    /// The tag's key.
    pub key: String,
}

#[async_trait]
impl Command for DeleteVersionTag {
    type Tx = dyn RegistryTx;
    type Out = ();
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelDelete
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), version_subject(&self.name, self.number))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RegistryError> {
        let key = tag_key(self.key.clone())?;
        existing_version(tx, &self.name, self.number).await?;
        tx.delete_version_tag(&self.name, self.number, &key).await?;
        let subject = version_subject(&self.name, self.number);
        let body = note_prompt(tx, &self.name, json!({"key": key})).await?;
        tx.record(Event::new("model_version.untagged", subject, body));
        Ok(())
    }
}
