//! How far an import is. It is written with each page, so it never says more or less than what is there.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ImportError;

/// What is imported after what. Within a stage things go by their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Experiments with their tags.
    Experiments,
    /// Runs with everything but their points.
    Runs,
    /// All points of all metrics.
    Points,
    /// Logged models.
    LoggedModels,
    /// Registered models with their tags; prompts are such models.
    Models,
    /// Their versions.
    Versions,
    /// Their aliases, now that the versions are there.
    Aliases,
    /// Traces with their spans.
    Traces,
    /// Evaluation datasets, without their records.
    Datasets,
    /// The records of evaluation datasets.
    Records,
    /// Secrets of the gateway.
    Secrets,
    /// Model definitions of the gateway, now that the secrets are there.
    ModelDefinitions,
    /// Endpoints of the gateway with what hangs on them.
    Endpoints,
    /// Scorers with their versions, which may be judged by those endpoints.
    Scorers,
    /// Issues.
    Issues,
    /// Webhooks.
    Webhooks,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 16] = [
        Self::Experiments,
        Self::Runs,
        Self::Points,
        Self::LoggedModels,
        Self::Models,
        Self::Versions,
        Self::Aliases,
        Self::Traces,
        Self::Datasets,
        Self::Records,
        Self::Secrets,
        Self::ModelDefinitions,
        Self::Endpoints,
        Self::Scorers,
        Self::Issues,
        Self::Webhooks,
    ];

    /// What it brings, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Experiments => "experiments",
            Self::Runs => "runs",
            Self::Points => "metric points",
            Self::LoggedModels => "logged models",
            Self::Models => "registered models",
            Self::Versions => "model versions",
            Self::Aliases => "model aliases",
            Self::Traces => "traces",
            Self::Datasets => "evaluation datasets",
            Self::Records => "evaluation records",
            Self::Secrets => "gateway secrets",
            Self::ModelDefinitions => "gateway model definitions",
            Self::Endpoints => "gateway endpoints",
            Self::Scorers => "scorers",
            Self::Issues => "issues",
            Self::Webhooks => "webhooks",
        }
    }
}

/// Where the next page begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// How many workspaces are done.
    pub workspace: usize,
    /// How many stages of the next one are done.
    pub stage: usize,
    /// The last key of that stage that is done.
    pub after: Option<Value>,
}

impl Position {
    /// The last key that is done, as its stage has it.
    pub fn key<K: DeserializeOwned>(&self) -> Result<Option<K>, ImportError> {
        let key = self.after.as_ref().filter(|after| !after.is_null());
        key.map(|after| K::deserialize(after).map_err(ImportError::state)).transpose()
    }
}

/// Files that were copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The digest of the digest before, path, length and digest of each file, in order; in hexadecimal.
    pub digest: String,
    /// How many roots are done.
    pub root: usize,
    /// The last file of the next root that is done.
    pub after: Option<String>,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How many rows each table had when it began.
    pub inventory: BTreeMap<String, u64>,
    /// The options that decide what is written.
    pub options: Value,
    /// Where the next page begins.
    pub position: Position,
    /// How much of each kind was imported.
    pub done: BTreeMap<String, u64>,
    /// How many things were left out.
    pub left_out: u64,
    /// Artifacts.
    pub files: Files,
    /// When everything was there, and both sides alike.
    pub is_verified: bool,
}

impl State {
    /// The state of an import that begins.
    pub fn new(inventory: BTreeMap<String, u64>, options: Value) -> Self {
        Self {
            inventory,
            options,
            position: Position::default(),
            done: BTreeMap::new(),
            left_out: 0,
            files: Files::default(),
            is_verified: false,
        }
    }

    /// Counts things of a kind as imported.
    pub(crate) fn count(&mut self, kind: &str, more: u64) {
        *self.done.entry(kind.to_owned()).or_default() += more;
    }
}
