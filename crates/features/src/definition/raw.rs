//! The file as it is written: the wire types of the definitions.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::DefinitionError;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) entities: Vec<Entity>,
    #[serde(default)]
    pub(super) sources: Vec<Source>,
    #[serde(default)]
    pub(super) feature_views: Vec<View>,
    #[serde(default)]
    pub(super) feature_services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entity {
    pub(super) name: String,
    pub(super) join_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) dataset: String,
    pub(super) timestamp: String,
    pub(super) created: Option<String>,
    pub(super) filter: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct View {
    pub(super) name: String,
    #[serde(default)]
    pub(super) entities: Vec<String>,
    #[serde(default)]
    pub(super) keys: BTreeMap<String, String>,
    pub(super) source: String,
    pub(super) ttl: Option<String>,
    pub(super) features: Option<Vec<Feature>>,
    pub(super) aggregates: Option<Vec<Aggregate>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) dtype: String,
    pub(super) expression: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Aggregate {
    pub(super) name: String,
    pub(super) function: String,
    pub(super) column: Option<String>,
    pub(super) window: String,
    pub(super) dtype: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) source: String,
    pub(super) expression: String,
    pub(super) dtype: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) label: Option<Label>,
    #[serde(default)]
    pub(super) features: Vec<String>,
    #[serde(default)]
    pub(super) request: Vec<Feature>,
}

/// Reads the text. The parser bounds depth and aliases by itself; its message names line and column,
/// and only its first line is shown.
pub(super) fn read(text: &str) -> Result<File, DefinitionError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let message = error.to_string();
        DefinitionError::Malformed(message.lines().next().unwrap_or_default().to_owned())
    })
}
