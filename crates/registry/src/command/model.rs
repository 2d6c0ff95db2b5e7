//! Creating, describing, renaming and deleting a model.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{existing_model, refuse_governed};
use crate::error::RegistryError;
use crate::model::{Model, model_subject};
use crate::name::{ModelName, Tag, free_text};
use crate::port::RegistryTx;
use crate::prompt::IS_PROMPT;

/// Refuses the name that stands for all models where something is granted.
fn refuse_wildcard(name: &ModelName) -> Result<(), RegistryError> {
    if name.as_str() == "*" { Err(RegistryError::Wildcard) } else { Ok(()) }
}

/// Creates a model. Event: `model.created`.
#[derive(Debug, Clone)]
pub struct CreateModel {
    /// Where.
    pub workspace: Name,
    /// Its name.
    pub name: ModelName,
    /// What it is for.
    pub description: String,
    /// Its first tags.
    pub tags: Vec<Tag>,
}

impl CreateModel {
    /// The words in which the name is refused. A model with the tag of prompts counts as one here, whatever
    /// the tag's value (`has_prompt_tag`).
    async fn taken(&self, tx: &mut dyn RegistryTx) -> Result<RegistryError, StorageError> {
        let known = tx.model_tag(&self.name, IS_PROMPT).await?.is_some();
        let new = self.tags.iter().any(|tag| tag.key == IS_PROMPT);
        let kind = |is_prompt| if is_prompt { "prompt" } else { "registered model" };
        Ok(match (new, known) {
            (false, false) => RegistryError::ModelExists(self.name.clone()),
            (true, true) => RegistryError::PromptExists(self.name.clone()),
            _ => {
                RegistryError::OtherKindExists { new: kind(new), name: self.name.clone(), known: kind(known) }
            }
        })
    }
}

#[async_trait]
impl Command for CreateModel {
    type Tx = dyn RegistryTx;
    type Out = Model;
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelCreate
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), model_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Model, RegistryError> {
        if tx.model(&self.name).await?.is_some() {
            return Err(self.taken(tx).await?);
        }
        refuse_wildcard(&self.name)?;
        let now = tx.now();
        let description = free_text("description", self.description.clone())?;
        let model = Model { name: self.name.clone(), description, created: now, updated: now };
        tx.insert_model(&model).await?;
        for tag in &self.tags {
            tx.put_model_tag(&self.name, tag).await?;
        }
        let body = json!({"description": model.description, "tags": self.tags});
        tx.record(Event::new("model.created", model_subject(&self.name), body));
        tx.own(&model_subject(&self.name)).await?;
        Ok(model)
    }
}

/// Changes a model's description. Event: `model.described`.
#[derive(Debug, Clone)]
pub struct DescribeModel {
    /// Where.
    pub workspace: Name,
    /// Which model.
    pub name: ModelName,
    /// What it is for.
    pub description: String,
}

#[async_trait]
impl Command for DescribeModel {
    type Tx = dyn RegistryTx;
    type Out = Model;
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), model_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Model, RegistryError> {
        let mut model = existing_model(tx, &self.name).await?;
        model.description = free_text("description", self.description.clone())?;
        model.updated = tx.now();
        tx.update_model(&model).await?;
        let body = json!({"description": model.description});
        tx.record(Event::new("model.described", model_subject(&self.name), body));
        Ok(model)
    }
}

/// Gives a model another name; its versions, tags and aliases keep with it. Refused while an endpoint
/// follows one of its aliases. Event: `model.renamed`.
#[derive(Debug, Clone)]
pub struct RenameModel {
    /// Where.
    pub workspace: Name,
    /// Which model.
    pub from: ModelName,
    /// Its new name.
    pub to: ModelName,
}

#[async_trait]
impl Command for RenameModel {
    type Tx = dyn RegistryTx;
    type Out = Model;
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), model_subject(&self.from))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Model, RegistryError> {
        let mut model = existing_model(tx, &self.from).await?;
        if self.to != self.from && tx.model(&self.to).await?.is_some() {
            return Err(RegistryError::ModelExists(self.to.clone()));
        }
        if self.to != self.from {
            refuse_wildcard(&self.to)?;
            if tx.grants_bar_renaming(&self.from, &self.to).await? {
                return Err(RegistryError::NameGranted { from: self.from.clone(), to: self.to.clone() });
            }
        }
        let aliases = tx.aliases(&self.from).await?;
        refuse_governed(tx, &self.from, aliases.iter().map(|(alias, _)| alias)).await?;
        model.name = self.to.clone();
        model.updated = tx.now();
        tx.rename_model(&self.from, &self.to, model.updated).await?;
        tx.update_model(&model).await?;
        let body = json!({"from": self.from, "to": self.to});
        tx.record(Event::new("model.renamed", model_subject(&self.to), body));
        Ok(model)
    }
}

/// Deletes a model with all its versions. Refused while an endpoint follows one of its aliases.
/// Event: `model.deleted`.
#[derive(Debug, Clone)]
pub struct DeleteModel {
    /// Where.
    pub workspace: Name,
    /// Which model.
    pub name: ModelName,
}

#[async_trait]
impl Command for DeleteModel {
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
        let aliases = tx.aliases(&self.name).await?;
        refuse_governed(tx, &self.name, aliases.iter().map(|(alias, _)| alias)).await?;
        let last = tx.last_version(&self.name).await?;
        tx.delete_model(&self.name).await?;
        let body = json!({"last_version": last});
        tx.record(Event::new("model.deleted", model_subject(&self.name), body));
        Ok(())
    }
}
