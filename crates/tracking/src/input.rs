//! What went into a run, and what came out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::TrackingError;
use crate::experiment::ExperimentId;
use crate::logged_model::LoggedModelId;
use crate::text::Overlong;
use mainstay_core::text::checked;

/// The key of the input tag that says what a dataset was used for: `training`, `eval` ….
pub const DATASET_CONTEXT_TAG: &str = "mlflow.data.context";
/// Most datasets, or models, in one call (`MAX_DATASETS_PER_BATCH`).
pub const MAX_INPUTS: usize = 1_000;

/// A dataset, as its client describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its name, at most 500 characters.
    pub name: String,
    /// Its digest by the client's own rule, at most 36 characters.
    pub digest: String,
    /// What kind of source it comes from.
    pub source_type: String,
    /// The source, at most 65,535 characters.
    pub source: String,
    /// Its schema, at most 1,048,575 characters.
    pub schema: Option<String>,
    /// Statistics about it, at most 16,777,215 characters.
    pub profile: Option<String>,
}

/// A dataset that went into a run. The same name and digest is the same dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInput {
    /// The dataset.
    pub dataset: Dataset,
    /// Tags of this use: keys of at most 255 characters, values of at most 500.
    pub tags: Vec<(String, String)>,
}

impl DatasetInput {
    /// Checks all lengths (`_validate_dataset_inputs`).
    pub fn checked(self) -> Result<Self, TrackingError> {
        let text = |field, text, limit| checked(field, text, limit, Overlong::Refuse);
        let Dataset { name, digest, source_type, source, schema, profile } = self.dataset;
        let dataset = Dataset {
            name: text("name", name, 500)?,
            digest: text("digest", digest, 36)?,
            source_type: text("source_type", source_type, 500)?,
            source: text("source", source, 65_535)?,
            schema: schema.map(|schema| text("schema", schema, 1_048_575)).transpose()?,
            profile: profile.map(|profile| text("profile", profile, 16_777_215)).transpose()?,
        };
        let tags = self
            .tags
            .into_iter()
            .map(|(key, value)| Ok((text("key", key, 255)?, text("value", value, 500)?)));
        Ok(Self { dataset, tags: tags.collect::<Result<_, TrackingError>>()? })
    }

    /// What it was used for.
    pub fn context(&self) -> Option<&str> {
        context(&self.tags)
    }
}

/// What a dataset with these tags was used for.
pub fn context(tags: &[(String, String)]) -> Option<&str> {
    tags.iter().find(|(key, _)| key == DATASET_CONTEXT_TAG).map(|(_, value)| value.as_str())
}

/// Most uses that [`uses`] names.
pub const MAX_USES: usize = 1_000;

/// A dataset as the runs of an experiment used it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetUse {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The dataset's name.
    pub name: String,
    /// The dataset's digest.
    pub digest: String,
    /// What it was used for.
    pub context: Option<String>,
}

/// Each use once, at most [`MAX_USES`] of them.
pub fn uses(all: impl IntoIterator<Item = DatasetUse>) -> Vec<DatasetUse> {
    let distinct: BTreeSet<DatasetUse> = all.into_iter().collect();
    distinct.into_iter().take(MAX_USES).collect()
}

/// A logged model that came out of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOutput {
    /// Which.
    pub model: LoggedModelId,
    /// At which training step.
    pub step: i64,
}
