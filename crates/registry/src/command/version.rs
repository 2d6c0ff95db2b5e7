//! Registering, describing, staging and deleting a version.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{existing_model, existing_version, expect_gates, refuse_governed, touch};
use crate::error::RegistryError;
use crate::model::{ModelVersion, Stage, model_subject, version_subject};
use crate::name::{Alias, ModelName, Tag, VersionNumber, free_text};
use crate::port::RegistryTx;

/// Registers a version under the next number. Event: `model_version.registered`.
#[derive(Debug, Clone)]
pub struct RegisterVersion {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub name: ModelName,
    /// Where its artifacts are.
    pub source: String,
    /// Where clients find them, if `source` names another version.
    pub location: Option<String>,
    /// The run that made it.
    pub run: Option<RunRef>,
    /// A link to a run elsewhere.
    pub run_link: String,
    /// The logged model that it was made of.
    pub logged_model: Option<String>,
    /// What is special about it.
    pub description: String,
    /// Its first tags.
    pub tags: Vec<Tag>,
    /// The digest of its artifacts, if they are kept here.
    pub digest: Option<Digest>,
}

impl RegisterVersion {
    fn version(&self, tx: &dyn RegistryTx, number: VersionNumber) -> Result<ModelVersion, RegistryError> {
        let source = free_text("source", self.source.clone())?;
        let location = self.location.clone().unwrap_or_else(|| source.clone());
        Ok(ModelVersion {
            model: self.name.clone(),
            number,
            created: tx.now(),
            updated: tx.now(),
            creator: Some(tx.actor().clone()),
            description: free_text("description", self.description.clone())?,
            stage: Stage::None,
            source,
            location: free_text("location", location)?,
            run: self.run.clone(),
            run_link: free_text("run link", self.run_link.clone())?,
            logged_model: self.logged_model.clone().map(|id| free_text("logged model", id)).transpose()?,
            digest: self.digest,
        })
    }
}

#[async_trait]
impl Command for RegisterVersion {
    type Tx = dyn RegistryTx;
    type Out = ModelVersion;
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), model_subject(&self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<ModelVersion, RegistryError> {
        touch(tx, &self.name).await?;
        let last = tx.last_version(&self.name).await?.map_or(0, |number| number.0);
        let number = last.checked_add(1).ok_or_else(|| RegistryError::NoNumberLeft(self.name.clone()))?;
        let version = self.version(tx, VersionNumber(number))?;
        tx.insert_version(&version).await?;
        for tag in &self.tags {
            tx.put_version_tag(&self.name, version.number, tag).await?;
        }
        if let Some(logged_model) = &version.logged_model {
            tx.note_version_of(logged_model, &self.name, version.number).await?;
        }
        let body = json!({
            "source": version.source,
            "location": version.location,
            "run": version.run,
            "run_link": version.run_link,
            "logged_model": version.logged_model,
            "description": version.description,
            "digest": version.digest,
            "tags": self.tags,
        });
        let subject = version_subject(&self.name, version.number);
        tx.record(Event::new("model_version.registered", subject, body));
        Ok(version)
    }
}

/// Changes a version's description. Event: `model_version.described`.
#[derive(Debug, Clone)]
pub struct DescribeVersion {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub name: ModelName,
    /// Which version.
    pub number: VersionNumber,
    /// What is special about it.
    pub description: String,
}

#[async_trait]
impl Command for DescribeVersion {
    type Tx = dyn RegistryTx;
    type Out = ModelVersion;
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), version_subject(&self.name, self.number))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<ModelVersion, RegistryError> {
        let mut version = existing_version(tx, &self.name, self.number).await?;
        version.description = free_text("description", self.description.clone())?;
        version.updated = tx.now();
        tx.update_version(&version).await?;
        let body = json!({"description": version.description});
        let subject = version_subject(&self.name, self.number);
        tx.record(Event::new("model_version.described", subject, body));
        Ok(version)
    }
}

/// Moves a version to a stage, and on request archives the others that are in it. Event:
/// `model_version.staged`, with the numbers of the archived ones.
#[derive(Debug, Clone)]
pub struct TransitionStage {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub name: ModelName,
    /// Which version.
    pub number: VersionNumber,
    /// Where to; one of [`Stage::CHOICES`].
    pub stage: Stage,
    /// Whether the versions that are there go to the archive.
    pub archive_existing: bool,
}

#[async_trait]
impl Command for TransitionStage {
    type Tx = dyn RegistryTx;
    type Out = ModelVersion;
    type Error = RegistryError;

    fn action(&self) -> Action {
        Action::ModelWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), version_subject(&self.name, self.number))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<ModelVersion, RegistryError> {
        if self.stage == Stage::Deleted {
            return Err(RegistryError::InvalidStage(self.stage.to_string()));
        }
        if self.archive_existing && !self.stage.is_active() {
            return Err(RegistryError::NotActive(self.stage.as_str()));
        }
        let mut version = existing_version(tx, &self.name, self.number).await?;
        // Clients load `models:/NAME/Production`: of a governed model no stage leads around the gates.
        if self.stage == Stage::Production && tx.alias_guard(&self.name, &Alias::champion()).await?.is_some()
        {
            expect_gates(tx, &self.name, &version).await?;
        }
        let now = tx.now();
        let mut archived = Vec::new();
        if self.archive_existing {
            for other in tx.versions_in(&self.name, self.stage).await? {
                if other.number != self.number {
                    archived.push(other.number);
                    tx.update_version(&ModelVersion { stage: Stage::Archived, updated: now, ..other })
                        .await?;
                }
            }
        }
        let from = version.stage;
        (version.stage, version.updated) = (self.stage, now);
        tx.update_version(&version).await?;
        touch(tx, &self.name).await?;
        let body = json!({"from": from.as_str(), "to": self.stage.as_str(), "archived": archived});
        let subject = version_subject(&self.name, self.number);
        tx.record(Event::new("model_version.staged", subject, body));
        Ok(version)
    }
}

/// Deletes a version: its number, digest and times stay, its aliases go. Refused while an endpoint
/// follows one of them. Event: `model_version.deleted`, with the aliases that went.
#[derive(Debug, Clone)]
pub struct DeleteVersion {
    /// Where.
    pub workspace: Name,
    /// Of which model.
    pub name: ModelName,
    /// Which version.
    pub number: VersionNumber,
}

#[async_trait]
impl Command for DeleteVersion {
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
        existing_model(tx, &self.name).await?;
        let version = existing_version(tx, &self.name, self.number).await?;
        let mut aliases = tx.aliases(&self.name).await?;
        aliases.retain(|(_, number)| *number == self.number);
        refuse_governed(tx, &self.name, aliases.iter().map(|(alias, _)| alias)).await?;
        for (alias, _) in &aliases {
            tx.delete_alias(&self.name, alias).await?;
        }
        let now = tx.now();
        tx.update_version(&version.redacted(now)).await?;
        touch(tx, &self.name).await?;
        let gone: Vec<_> = aliases.iter().map(|(alias, _)| alias.as_str()).collect();
        let subject = version_subject(&self.name, self.number);
        tx.record(Event::new("model_version.deleted", subject, json!({"aliases": gone})));
        Ok(())
    }
}
