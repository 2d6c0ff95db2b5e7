//! Registered models and their versions.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::digest::Digest;
use mainstay_core::principal::Actor;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::text::clip;
use mainstay_core::time::MachineTime;

use crate::error::RegistryError;
use crate::name::{Alias, ModelName, VersionNumber};

/// A registered model: what its versions have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name, which is also the identity.
    pub name: ModelName,
    /// What it is for.
    pub description: String,
    /// When it was created.
    pub created: MachineTime,
    /// When it, or one of its versions, last changed.
    pub updated: MachineTime,
}

/// A model with everything that hangs on it: what readers hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDetail {
    /// The model.
    pub model: Model,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Where its aliases point.
    pub aliases: BTreeMap<Alias, VersionNumber>,
}

/// A model as lists name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedModel {
    /// Its name.
    pub name: ModelName,
    /// Whether it is a [prompt](crate::prompt).
    pub is_prompt: bool,
}

/// A model as lists show it: without its versions, but how many it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSummary {
    /// The model.
    pub detail: ModelDetail,
    /// How many versions it has, without deleted ones.
    pub versions: usize,
    /// The newest of them.
    pub newest: Option<VersionNumber>,
}

/// The old way to say what a version is for; kept for `MLflow` clients. Endpoints follow aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// None yet.
    None,
    /// On trial.
    Staging,
    /// In use.
    Production,
    /// No longer in use.
    Archived,
    /// Deleted: the row stays, so that its number is never given again.
    Deleted,
}

impl Stage {
    /// The stages that a person can choose.
    pub const CHOICES: [Self; 4] = [Self::None, Self::Staging, Self::Production, Self::Archived];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Staging => "Staging",
            Self::Production => "Production",
            Self::Archived => "Archived",
            Self::Deleted => "Deleted_Internal",
        }
    }

    /// The stage that a person chose, in any case (`get_canonical_stage`).
    pub fn choice(text: &str) -> Result<Self, RegistryError> {
        Self::CHOICES
            .into_iter()
            .find(|stage| stage.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| RegistryError::InvalidStage(clip(text)))
    }

    /// The stage as it was stored.
    pub fn stored(text: &str) -> Option<Self> {
        Self::CHOICES.into_iter().chain([Self::Deleted]).find(|stage| stage.as_str() == text)
    }

    /// Whether entering it may archive the versions that are in it.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version of a model. Registered in one command, so it is always ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelVersion {
    /// The model.
    pub model: ModelName,
    /// The number.
    pub number: VersionNumber,
    /// When it was registered.
    pub created: MachineTime,
    /// When it last changed.
    pub updated: MachineTime,
    /// Who registered it; `None` once deleted.
    pub creator: Option<Actor>,
    /// What is special about it.
    pub description: String,
    /// The stage.
    pub stage: Stage,
    /// Where its artifacts are, as the client said it; empty once deleted.
    pub source: String,
    /// Where clients find its artifacts. Fixed when it is registered: a copy does not depend on what it was
    /// copied from.
    pub location: String,
    /// The run that made it.
    pub run: Option<RunRef>,
    /// A link to a run elsewhere.
    pub run_link: String,
    /// The logged model that it was made of: `m-` and 32 hexadecimal characters.
    pub logged_model: Option<String>,
    /// The digest of the artifacts, to which verdicts and approvals are bound; `None` for a version
    /// whose artifacts are not kept here, which can therefore not be promoted.
    pub digest: Option<Digest>,
}

impl ModelVersion {
    /// Whether it was deleted.
    pub const fn is_deleted(&self) -> bool {
        matches!(self.stage, Stage::Deleted)
    }

    /// The version as it stands after deletion: its number, digest, location and times only.
    #[must_use]
    pub fn redacted(self, at: MachineTime) -> Self {
        Self {
            updated: at,
            creator: None,
            description: String::new(),
            stage: Stage::Deleted,
            source: String::new(),
            run: None,
            run_link: String::new(),
            logged_model: None,
            ..self
        }
    }
}

/// A version with everything that hangs on it: what readers hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionDetail {
    /// The version.
    pub version: ModelVersion,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The aliases that point at it.
    pub aliases: Vec<Alias>,
}

/// How the record names a model.
pub fn model_subject(name: &ModelName) -> Subject {
    Subject::new(ResourceKind::Model, name)
}

/// How the record names a version: `flight-delay/7`.
pub fn version_subject(name: &ModelName, number: VersionNumber) -> Subject {
    Subject::new(ResourceKind::ModelVersion, format_args!("{name}/{number}"))
}
