//! Registered models and their versions on the wire.

use mainstay_registry::model::{ModelDetail, VersionDetail};
use mainstay_registry::name::Alias;
use serde::Serialize;

use crate::wire::{KeyValue, pairs};

/// `ModelVersion`.
#[derive(Debug, Serialize)]
pub(crate) struct VersionBody {
    name: String,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    current_stage: &'static str,
    // These three are there even when empty: clients show what is missing as None.
    description: String,
    source: String,
    run_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    run_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
}

impl From<VersionDetail> for VersionBody {
    fn from(VersionDetail { version, tags, aliases }: VersionDetail) -> Self {
        Self {
            name: version.model.to_string(),
            version: version.number.to_string(),
            creation_timestamp: version.created.millis(),
            last_updated_timestamp: version.updated.millis(),
            user_id: version.creator.map(|actor| actor.to_string()),
            current_stage: version.stage.as_str(),
            description: version.description,
            source: version.source,
            run_id: version.run.map(String::from).unwrap_or_default(),
            status: "READY",
            tags: pairs(tags),
            run_link: version.run_link,
            aliases: aliases.iter().map(Alias::to_string).collect(),
            model_id: version.logged_model,
        }
    }
}

#[derive(Debug, Serialize)]
struct AliasBody {
    alias: String,
    version: String,
}

/// `RegisteredModel`.
#[derive(Debug, Serialize)]
pub(crate) struct ModelBody {
    name: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<VersionBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasBody>,
}

impl ModelBody {
    /// A model with the newest version in each stage.
    pub(crate) fn new(ModelDetail { model, tags, aliases }: ModelDetail, latest: Vec<VersionDetail>) -> Self {
        let alias = |(alias, number): (Alias, mainstay_registry::name::VersionNumber)| AliasBody {
            alias: alias.to_string(),
            version: number.to_string(),
        };
        Self {
            name: model.name.to_string(),
            creation_timestamp: model.created.millis(),
            last_updated_timestamp: model.updated.millis(),
            description: model.description,
            latest_versions: latest.into_iter().map(VersionBody::from).collect(),
            tags: pairs(tags),
            aliases: aliases.into_iter().map(alias).collect(),
        }
    }
}
