//! What the registry needs of a store. `None` means that there is no such thing; everything is
//! within the transaction's workspace, or the one given.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use mainstay_core::command::Ownership;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_core::time::MachineTime;

use crate::model::{ListedModel, Model, ModelDetail, ModelSummary, ModelVersion, Stage, VersionDetail};
use crate::name::{Alias, ModelName, Tag, VersionNumber};
use crate::search::{ModelSearch, VersionSearch};

/// Whether the gates of an artifact have passed; the rule is governance's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateStatus {
    /// It may be promoted.
    Passed,
    /// It may not, and this is what is missing.
    Missing(String),
}

/// What the registry's commands write through.
///
/// An insert of something that exists is [`StorageError::Contended`]: the commands look first, so
/// only another process can be the cause, and a replay sees it.
#[async_trait]
pub trait RegistryTx: Ownership {
    /// The model of that name.
    async fn model(&mut self, name: &ModelName) -> Result<Option<Model>, StorageError>;
    /// Adds a model.
    async fn insert_model(&mut self, model: &Model) -> Result<(), StorageError>;
    /// Replaces description and times of a model.
    async fn update_model(&mut self, model: &Model) -> Result<(), StorageError>;
    /// Gives a model, with its versions, tags, aliases and what people were granted on it, another name; the
    /// versions were updated then.
    async fn rename_model(
        &mut self,
        from: &ModelName,
        to: &ModelName,
        at: MachineTime,
    ) -> Result<(), StorageError>;
    /// Whether what people were granted on models by their names stands in the way of calling `from` by another
    /// name: a custom role names one of the two, or somebody was granted something on `to`.
    async fn grants_bar_renaming(&mut self, from: &ModelName, to: &ModelName) -> Result<bool, StorageError>;
    /// Removes a model with its versions, tags and aliases, and what people were granted on it.
    async fn delete_model(&mut self, name: &ModelName) -> Result<(), StorageError>;
    /// Sets a tag of a model.
    async fn put_model_tag(&mut self, name: &ModelName, tag: &Tag) -> Result<(), StorageError>;
    /// The value of a tag of a model.
    async fn model_tag(&mut self, name: &ModelName, key: &str) -> Result<Option<String>, StorageError>;
    /// Removes a tag of a model, if it is there.
    async fn delete_model_tag(&mut self, name: &ModelName, key: &str) -> Result<(), StorageError>;

    /// The highest number ever given in this model, deleted versions included.
    async fn last_version(&mut self, name: &ModelName) -> Result<Option<VersionNumber>, StorageError>;
    /// The version of that number, deleted ones included.
    async fn version(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<ModelVersion>, StorageError>;
    /// Adds a version.
    async fn insert_version(&mut self, version: &ModelVersion) -> Result<(), StorageError>;
    /// Replaces everything of a version but its model, number, creation and digest.
    async fn update_version(&mut self, version: &ModelVersion) -> Result<(), StorageError>;
    /// The versions in a stage.
    async fn versions_in(
        &mut self,
        name: &ModelName,
        stage: Stage,
    ) -> Result<Vec<ModelVersion>, StorageError>;
    /// Sets a tag of a version.
    async fn put_version_tag(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
        tag: &Tag,
    ) -> Result<(), StorageError>;
    /// Notes on a logged model, if there is one of this id here, that a version was made of it. Clients read it
    /// in the logged model's tag `mlflow.modelVersions`.
    async fn note_version_of(
        &mut self,
        logged_model: &str,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<(), StorageError>;
    /// Removes a tag of a version, if it is there.
    async fn delete_version_tag(
        &mut self,
        name: &ModelName,
        number: VersionNumber,
        key: &str,
    ) -> Result<(), StorageError>;

    /// All aliases of a model.
    async fn aliases(&mut self, name: &ModelName) -> Result<Vec<(Alias, VersionNumber)>, StorageError>;
    /// Points an alias at a version, wherever it pointed before.
    async fn put_alias(
        &mut self,
        name: &ModelName,
        alias: &Alias,
        number: VersionNumber,
    ) -> Result<(), StorageError>;
    /// Removes an alias, if it is there.
    async fn delete_alias(&mut self, name: &ModelName, alias: &Alias) -> Result<(), StorageError>;

    /// The endpoint that follows this alias.
    async fn alias_guard(&mut self, name: &ModelName, alias: &Alias) -> Result<Option<Name>, StorageError>;
    /// Whether the gates of an artifact have passed, now.
    async fn gate_status(&mut self, digest: &Digest) -> Result<GateStatus, StorageError>;
}

/// What readers of the registry ask.
#[async_trait]
pub trait RegistryReader: Send + Sync {
    /// A model.
    async fn model(&self, workspace: &Name, name: &ModelName) -> Result<Option<ModelDetail>, StorageError>;
    /// One page of the models that match. Holds little more than the page.
    async fn search_models(
        &self,
        workspace: &Name,
        search: ModelSearch,
    ) -> Result<Page<ModelDetail>, StorageError>;
    /// The names of all models, in their order: what a list is chosen from.
    async fn model_names(&self, workspace: &Name) -> Result<Vec<ListedModel>, StorageError>;
    /// The models of these names that there are, in that order, for a page of a list.
    async fn summaries(
        &self,
        workspace: &Name,
        names: &[ModelName],
    ) -> Result<Vec<ModelSummary>, StorageError>;
    /// At most `limit` models whose names sort behind one, by name; from the first on if there is none.
    async fn models_after(
        &self,
        workspace: &Name,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ModelDetail>, StorageError>;
    /// A version; deleted ones included.
    async fn version(
        &self,
        workspace: &Name,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<VersionDetail>, StorageError>;
    /// The newest version in each stage (`get_latest_versions`) of some models, deleted ones left out: in the models'
    /// order, and the stage first whose oldest version is the oldest.
    async fn latest_versions(
        &self,
        workspace: &Name,
        names: &[ModelName],
    ) -> Result<Vec<VersionDetail>, StorageError>;
    /// The numbers of a model's versions, deleted ones left out, the newest first: what a page is chosen from.
    async fn version_numbers(
        &self,
        workspace: &Name,
        name: &ModelName,
    ) -> Result<Vec<VersionNumber>, StorageError>;
    /// The versions of a model from one number to another, both included, deleted ones left out, the newest first.
    async fn versions_within(
        &self,
        workspace: &Name,
        name: &ModelName,
        numbers: RangeInclusive<VersionNumber>,
    ) -> Result<Vec<VersionDetail>, StorageError>;
    /// One page of the versions that match, deleted ones left out. Holds little more than the page.
    async fn search_versions(
        &self,
        workspace: &Name,
        search: VersionSearch,
    ) -> Result<Page<VersionDetail>, StorageError>;
    /// The versions that came of some runs, deleted ones left out, in the runs' order.
    async fn versions_of_runs(
        &self,
        workspace: &Name,
        runs: &[String],
    ) -> Result<Vec<VersionDetail>, StorageError>;
    /// The versions of an artifact, deleted ones left out, by name and number.
    async fn versions_of_digest(
        &self,
        workspace: &Name,
        digest: &Digest,
    ) -> Result<Vec<VersionDetail>, StorageError>;
}
