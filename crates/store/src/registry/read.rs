//! The reading side.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_registry::model::{ListedModel, ModelDetail, ModelSummary, VersionDetail};
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_registry::port::RegistryReader;
use mainstay_registry::prompt::{IS_PROMPT, says_prompt};

use super::{VERSION, alias, model, model_name, number_of, version};
use crate::params;
use crate::reader::{ReadTx, Reader};
use crate::value::{Row, Value};

// An empty model name in `$2` stands for all models: no model has one.
const MODEL_NAMES: &str = "SELECT m.name, t.value FROM registered_models m LEFT JOIN model_tags t \
    ON t.workspace = m.workspace AND t.model = m.name AND t.key = $2 WHERE m.workspace = $1 ORDER BY m.name";
const NAMES_AFTER: &str =
    "SELECT name FROM registered_models WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3";
const COUNT_VERSIONS: &str = "SELECT COUNT(*), MAX(number) FROM model_versions \
    WHERE workspace = $1 AND model = $2 AND stage <> 'Deleted_Internal'";
const MODEL_ALIASES: &str = "SELECT model, alias, number FROM model_aliases WHERE workspace = $1 AND ($2 = '' OR model = $2) ORDER BY alias";
const NUMBERS: &str = "SELECT number FROM model_versions \
    WHERE workspace = $1 AND model = $2 AND stage <> 'Deleted_Internal' ORDER BY number DESC";

#[async_trait]
impl RegistryReader for Reader {
    async fn model(&self, workspace: &Name, name: &ModelName) -> Result<Option<ModelDetail>, StorageError> {
        let key = params![workspace.as_str(), name.as_str()].to_vec();
        self.read(move |tx| Box::pin(async move { model_detail(tx, &key).await })).await
    }

    async fn models(&self, workspace: &Name) -> Result<Vec<ModelDetail>, StorageError> {
        let key = params![workspace.as_str()].to_vec();
        self.read(move |tx| Box::pin(async move { model_details(tx, &ALL_MODELS, &key).await })).await
    }

    async fn model_names(&self, workspace: &Name) -> Result<Vec<ListedModel>, StorageError> {
        let key = params![workspace.as_str(), IS_PROMPT].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let listed = |row: &Row| {
                    let is_prompt = row.opt_text(1)?.is_some_and(says_prompt);
                    Ok(ListedModel { name: model_name(row, 0)?, is_prompt })
                };
                tx.query(MODEL_NAMES, &key).await?.iter().map(listed).collect()
            })
        })
        .await
    }

    async fn summaries(
        &self,
        workspace: &Name,
        names: &[ModelName],
    ) -> Result<Vec<ModelSummary>, StorageError> {
        let keys: Vec<_> =
            names.iter().map(|name| params![workspace.as_str(), name.as_str()].to_vec()).collect();
        self.read(move |tx| {
            Box::pin(async move {
                let mut found = Vec::with_capacity(keys.len());
                for key in &keys {
                    let Some(detail) = model_detail(tx, key).await? else { continue };
                    let row = tx.query_one(COUNT_VERSIONS, key).await?;
                    let (versions, newest) = match &row {
                        Some(row) => (row.count(0)?, row.opt_int(1)?.map(number_of).transpose()?),
                        None => (0, None),
                    };
                    let versions = usize::try_from(versions).unwrap_or(usize::MAX);
                    found.push(ModelSummary { detail, versions, newest });
                }
                Ok(found)
            })
        })
        .await
    }

    async fn models_after(
        &self,
        workspace: &Name,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ModelDetail>, StorageError> {
        let workspace = workspace.clone();
        // '' sorts before every name.
        let key = params![workspace.as_str(), after.unwrap_or_default(), limit as u64].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let mut found = Vec::new();
                for row in tx.query(NAMES_AFTER, &key).await? {
                    let key = params![workspace.as_str(), row.text(0)?].to_vec();
                    found.extend(model_detail(tx, &key).await?);
                }
                Ok(found)
            })
        })
        .await
    }

    async fn version(
        &self,
        workspace: &Name,
        name: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<VersionDetail>, StorageError> {
        let key = params![workspace.as_str(), name.as_str(), number.0].to_vec();
        self.read(move |tx| Box::pin(async move { version_detail(tx, &key).await })).await
    }

    async fn latest_versions(
        &self,
        workspace: &Name,
        name: Option<&ModelName>,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let key = params![workspace.as_str(), name.map_or("", ModelName::as_str)].to_vec();
        self.version_details(&LATEST_VERSIONS, key).await
    }

    async fn version_numbers(
        &self,
        workspace: &Name,
        name: &ModelName,
    ) -> Result<Vec<VersionNumber>, StorageError> {
        let key = params![workspace.as_str(), name.as_str()].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                tx.query(NUMBERS, &key).await?.iter().map(|row| number_of(row.int(0)?)).collect()
            })
        })
        .await
    }

    async fn versions_within(
        &self,
        workspace: &Name,
        name: &ModelName,
        numbers: RangeInclusive<VersionNumber>,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let key = params![workspace.as_str(), name.as_str(), numbers.start().0, numbers.end().0].to_vec();
        let mut found = self.version_details(&VERSIONS_WITHIN, key).await?;
        found.reverse();
        Ok(found)
    }

    async fn versions(
        &self,
        workspace: &Name,
        name: Option<&ModelName>,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let key = params![workspace.as_str(), name.map_or("", ModelName::as_str)].to_vec();
        self.version_details(&ALL_VERSIONS, key).await
    }
}

impl Reader {
    /// Deleted ones left out.
    async fn version_details(
        &self,
        texts: &'static VersionTexts,
        key: Vec<Value>,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let all =
            self.read(move |tx| Box::pin(async move { version_details(tx, texts, &key).await })).await?;
        Ok(all.into_iter().filter(|detail| !detail.version.is_deleted()).collect())
    }
}

/// Of all models of a workspace, or of one.
struct ModelTexts {
    models: &'static str,
    tags: &'static str,
    aliases: &'static str,
}

static ALL_MODELS: ModelTexts = ModelTexts {
    models: "SELECT name, description, created, updated FROM registered_models WHERE workspace = $1 ORDER BY name",
    tags: "SELECT model, key, value FROM model_tags WHERE workspace = $1",
    aliases: "SELECT model, alias, number FROM model_aliases WHERE workspace = $1 ORDER BY alias",
};
static ONE_MODEL: ModelTexts = ModelTexts {
    models: "SELECT name, description, created, updated FROM registered_models WHERE workspace = $1 AND name = $2",
    tags: "SELECT model, key, value FROM model_tags WHERE workspace = $1 AND model = $2",
    aliases: "SELECT model, alias, number FROM model_aliases WHERE workspace = $1 AND model = $2 ORDER BY alias",
};

/// The model of a workspace and a name.
async fn model_detail(tx: &mut ReadTx, key: &[Value]) -> Result<Option<ModelDetail>, StorageError> {
    Ok(model_details(tx, &ONE_MODEL, key).await?.into_iter().next())
}

async fn model_details(
    tx: &mut ReadTx,
    texts: &ModelTexts,
    key: &[Value],
) -> Result<Vec<ModelDetail>, StorageError> {
    let mut tags: BTreeMap<ModelName, BTreeMap<String, String>> = BTreeMap::new();
    for row in tx.query(texts.tags, key).await? {
        let of_model = tags.entry(model_name(&row, 0)?).or_default();
        of_model.insert(row.text(1)?.to_owned(), row.text(2)?.to_owned());
    }
    let mut aliases: BTreeMap<ModelName, BTreeMap<Alias, VersionNumber>> = BTreeMap::new();
    for row in tx.query(texts.aliases, key).await? {
        let of_model = aliases.entry(model_name(&row, 0)?).or_default();
        of_model.insert(alias(&row, 1)?, number_of(row.int(2)?)?);
    }
    let rows = tx.query(texts.models, key).await?;
    let detail = |row| {
        let model = model(row)?;
        let (tags, aliases) = (tags.remove(&model.name), aliases.remove(&model.name));
        Ok(ModelDetail { model, tags: tags.unwrap_or_default(), aliases: aliases.unwrap_or_default() })
    };
    rows.iter().map(detail).collect()
}

const ONE_VERSION_TAGS: &str =
    "SELECT key, value FROM model_version_tags WHERE workspace = $1 AND model = $2 AND number = $3";
const ONE_VERSION_ALIASES: &str = "SELECT alias FROM model_aliases \
    WHERE workspace = $1 AND model = $2 AND number = $3 ORDER BY alias";

async fn version_detail(tx: &mut ReadTx, key: &[Value]) -> Result<Option<VersionDetail>, StorageError> {
    let Some(row) = tx.query_one(VERSION, key).await? else { return Ok(None) };
    let version = version(&row)?;
    let tags = tx.query(ONE_VERSION_TAGS, key).await?;
    let tags = tags.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())));
    let tags = tags.collect::<Result<_, StorageError>>()?;
    let aliases = tx.query(ONE_VERSION_ALIASES, key).await?;
    let aliases = aliases.iter().map(|row| alias(row, 0)).collect::<Result<_, _>>()?;
    Ok(Some(VersionDetail { version, tags, aliases }))
}

/// Which versions, in their order, and the tags of the same. An empty model name stands for all models where it may.
struct VersionTexts {
    versions: &'static str,
    tags: &'static str,
}

macro_rules! version_texts {
    ($which:literal) => {
        version_texts!($which, "model, number")
    };
    ($which:literal, $order:literal) => {
        VersionTexts {
            versions: concat!(
                "SELECT model, number, created, updated, creator, description, stage, source, run, run_link, \
                 logged_model, digest, location FROM model_versions v WHERE workspace = $1 AND ",
                $which,
                " ORDER BY ",
                $order
            ),
            tags: concat!(
                "SELECT model, number, key, value FROM model_version_tags WHERE workspace = $1 AND ",
                $which
            ),
        }
    };
}

static ALL_VERSIONS: VersionTexts = version_texts!("($2 = '' OR model = $2)");
static LATEST_VERSIONS: VersionTexts = version_texts!(
    "($2 = '' OR model = $2) AND (model, number) IN (SELECT model, MAX(number) FROM model_versions \
     WHERE workspace = $1 AND ($2 = '' OR model = $2) AND stage <> 'Deleted_Internal' GROUP BY model, stage)",
    "model, (SELECT MIN(o.number) FROM model_versions o \
     WHERE o.workspace = v.workspace AND o.model = v.model AND o.stage = v.stage)"
);
static VERSIONS_WITHIN: VersionTexts = version_texts!("model = $2 AND number >= $3 AND number <= $4");

async fn version_details(
    tx: &mut ReadTx,
    texts: &VersionTexts,
    key: &[Value],
) -> Result<Vec<VersionDetail>, StorageError> {
    let mut tags: BTreeMap<(ModelName, VersionNumber), BTreeMap<String, String>> = BTreeMap::new();
    for row in tx.query(texts.tags, key).await? {
        let of_version = tags.entry((model_name(&row, 0)?, number_of(row.int(1)?)?)).or_default();
        of_version.insert(row.text(2)?.to_owned(), row.text(3)?.to_owned());
    }
    let mut aliases: BTreeMap<(ModelName, VersionNumber), Vec<Alias>> = BTreeMap::new();
    // Both databases take the parameters that a text names, and no others.
    for row in tx.query(MODEL_ALIASES, key.get(..2).unwrap_or_default()).await? {
        let of_version = aliases.entry((model_name(&row, 0)?, number_of(row.int(2)?)?)).or_default();
        of_version.push(alias(&row, 1)?);
    }
    let rows = tx.query(texts.versions, key).await?;
    let detail = |row| {
        let version = version(row)?;
        let of = (version.model.clone(), version.number);
        let (tags, aliases) = (tags.remove(&of), aliases.remove(&of));
        Ok(VersionDetail { version, tags: tags.unwrap_or_default(), aliases: aliases.unwrap_or_default() })
    };
    rows.iter().map(detail).collect()
}
