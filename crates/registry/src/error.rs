//! Why the registry refuses. The sentences for things that do not exist are the ones that `MLflow`'s
//! own store uses, since its clients and their tests read them.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::name::Name;
use thiserror::Error;

use crate::name::{Alias, MAX_TAG_VALUE, ModelName, VersionNumber};

/// Why a command of the registry was refused.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The text is not a model name.
    #[error("invalid model name '{0}': names cannot be blank, contain '/' or ':', nor be a relative path")]
    InvalidModelName(String),
    /// The name stands for all models where something is granted.
    #[error(
        "invalid model name '*': it stands for all models where permissions are granted; choose another name"
    )]
    Wildcard,
    /// What was granted by name stands in the way of a new one.
    #[error(
        "model {from} cannot be called {to}: a role names one of the two, or somebody was granted something on {to}; \
         take that away first"
    )]
    NameGranted {
        /// The model.
        from: ModelName,
        /// Its new name.
        to: ModelName,
    },
    /// The text is not an alias.
    #[error("invalid alias name '{0}': use letters, digits, '_' and '-', at least one")]
    InvalidAlias(String),
    /// The alias has a fixed meaning.
    #[error("alias name '{0}' is reserved: 'latest' and 'v<number>' always mean that version")]
    ReservedAlias(String),
    /// The text is not a version number.
    #[error("'{0}' is not a version: use a whole number from 1")]
    InvalidVersion(String),
    /// The text is not a stage.
    #[error("invalid model version stage: {0}. Value must be one of None, Staging, Production, Archived.")]
    InvalidStage(String),
    /// Only active stages can archive the versions in them.
    #[error("existing versions can be archived only when entering Staging or Production, not {0}")]
    NotActive(&'static str),
    /// The text is not a tag key.
    #[error(
        "invalid tag key '{0}': use letters, digits, spaces and any of / _ - . : written as a normal path"
    )]
    InvalidTagKey(String),
    /// The text of a prompt is longer than a tag can be.
    #[error("Prompt text exceeds max length of {MAX_TAG_VALUE} characters.")]
    PromptTooLong,
    /// A text is longer than its limit.
    #[error("the {field} has more than {limit} characters; shorten it")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// The most characters allowed.
        limit: usize,
    },
    /// A text holds U+0000.
    #[error("the {field} holds the character U+0000; remove it")]
    Nul {
        /// Which text.
        field: &'static str,
    },
    /// There is no such model.
    #[error("Registered Model with name={0} not found")]
    NoModel(ModelName),
    /// The name is taken.
    #[error("Registered Model (name={0}) already exists.")]
    ModelExists(ModelName),
    /// The name is taken by another prompt.
    #[error("Prompt (name={0}) already exists.")]
    PromptExists(ModelName),
    /// A prompt would take the name of a model, or a model that of a prompt.
    #[error(
        "Tried to create a {new} with name '{name}', but the name is already taken by a {known}. MLflow does not \
         allow creating a model and a prompt with the same name."
    )]
    OtherKindExists {
        /// What would be created.
        new: &'static str,
        /// Its name.
        name: ModelName,
        /// What has it.
        known: &'static str,
    },
    /// There is no such version.
    #[error("Model Version (name={0}, version={1}) not found")]
    NoVersion(ModelName, VersionNumber),
    /// The model has as many versions as numbers.
    #[error("the model {0} has no version number left; register under another name")]
    NoNumberLeft(ModelName),
    /// An endpoint follows the alias, so it moves only by promotion.
    #[error("alias '{alias}' of {model} is followed by endpoint {endpoint}; move it by promoting a version")]
    Governed {
        /// The model.
        model: ModelName,
        /// The alias.
        alias: Alias,
        /// The endpoint.
        endpoint: Name,
    },
    /// No endpoint follows the alias, so there is nothing to promote to.
    #[error("no endpoint follows alias '{alias}' of {model}; set the alias instead")]
    NotGoverned {
        /// The model.
        model: ModelName,
        /// The alias.
        alias: Alias,
    },
    /// The version's gates have not passed.
    #[error("{model} version {version} cannot be promoted: {reason}")]
    GateNotPassed {
        /// The model.
        model: ModelName,
        /// The version.
        version: VersionNumber,
        /// What is missing, and what to do.
        reason: String,
    },
    /// A filter or order text cannot be understood.
    #[error(transparent)]
    Search(#[from] crate::search::SearchError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for RegistryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidModelName(_) | Self::Wildcard | Self::InvalidAlias(_) | Self::ReservedAlias(_) => {
                ErrorCode::InvalidName
            }
            Self::InvalidVersion(_)
            | Self::InvalidStage(_)
            | Self::NotActive(_)
            | Self::InvalidTagKey(_)
            | Self::PromptTooLong
            | Self::TooLong { .. }
            | Self::Nul { .. } => ErrorCode::InvalidArgument,
            Self::NoModel(_) | Self::NoVersion(..) => ErrorCode::NotFound,
            Self::ModelExists(_) | Self::PromptExists(_) | Self::OtherKindExists { .. } => {
                ErrorCode::AlreadyExists
            }
            Self::NoNumberLeft(_)
            | Self::NameGranted { .. }
            | Self::Governed { .. }
            | Self::NotGoverned { .. } => ErrorCode::WrongState,
            Self::GateNotPassed { .. } => ErrorCode::GateNotPassed,
            Self::Search(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}
