//! The reading side.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_registry::model::{ListedModel, ModelDetail, ModelSummary, VersionDetail};
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_registry::port::RegistryReader;
use mainstay_registry::prompt::{IS_PROMPT, says_prompt};
use mainstay_registry::search::{ModelSearch, VersionSearch};

use super::{VERSION, alias, model, model_name, number_of, version};
use crate::params;
use crate::reader::{ReadTx, Reader};
use crate::value::{Row, Value};

/// How many models or versions a search looks at in one go.
const CHUNK: usize = 500;

const MODEL_NAMES: &str = "SELECT m.name, t.value FROM registered_models m LEFT JOIN model_tags t \
    ON t.workspace = m.workspace AND t.model = m.name AND t.key = $2 WHERE m.workspace = $1 ORDER BY m.name";
const NAMES_AFTER: &str =
    "SELECT name FROM registered_models WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3";
const COUNT_VERSIONS: &str = "SELECT COUNT(*), MAX(number) FROM model_versions \
    WHERE workspace = $1 AND model = $2 AND stage <> 'Deleted_Internal'";
const NUMBERS: &str = "SELECT number FROM model_versions \
    WHERE workspace = $1 AND model = $2 AND stage <> 'Deleted_Internal' ORDER BY number DESC";

const NUMBERS_AFTER: &str = "SELECT model, number FROM model_versions \
    WHERE workspace = $1 AND model = $2 AND number > $3 ORDER BY number LIMIT $4";
const VERSIONS_AFTER: &str = "SELECT model, number FROM model_versions \
    WHERE workspace = $1 AND (model, number) > ($2, $3) ORDER BY model, number LIMIT $4";

#[async_trait]
impl RegistryReader for Reader {
    async fn model(&self, workspace: &Name, name: &ModelName) -> Result<Option<ModelDetail>, StorageError> {
        let key = params![workspace.as_str(), name.as_str()].to_vec();
        self.read(move |tx| Box::pin(async move { model_detail(tx, &key).await })).await
    }

    async fn search_models(
        &self,
        workspace: &Name,
        search: ModelSearch,
    ) -> Result<Page<ModelDetail>, StorageError> {
        let workspace = workspace.clone();
        self.read(move |tx| Box::pin(async move { search_models(tx, &workspace, search).await })).await
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
        let (workspace, after) = (workspace.clone(), after.unwrap_or_default().to_owned());
        self.read(move |tx| Box::pin(async move { models_behind(tx, &workspace, &after, limit).await })).await
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
        names: &[ModelName],
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let key = |name: &ModelName| params![workspace.as_str(), name.as_str()].to_vec();
        self.version_details(&LATEST_VERSIONS, names.iter().map(key).collect()).await
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
        let mut found = self.version_details(&VERSIONS_WITHIN, vec![key]).await?;
        found.reverse();
        Ok(found)
    }

    async fn search_versions(
        &self,
        workspace: &Name,
        search: VersionSearch,
    ) -> Result<Page<VersionDetail>, StorageError> {
        let workspace = workspace.clone();
        self.read(move |tx| Box::pin(async move { search_versions(tx, &workspace, search).await })).await
    }

    async fn versions_of_runs(
        &self,
        workspace: &Name,
        runs: &[String],
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let key = |run: &String| params![workspace.as_str(), run].to_vec();
        self.version_details(&VERSIONS_OF_RUN, runs.iter().map(key).collect()).await
    }

    async fn versions_of_digest(
        &self,
        workspace: &Name,
        digest: &Digest,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let key = params![workspace.as_str(), digest.to_string()].to_vec();
        self.version_details(&VERSIONS_OF_DIGEST, vec![key]).await
    }
}

impl Reader {
    /// The versions of one key after the other, deleted ones left out.
    async fn version_details(
        &self,
        texts: &'static VersionTexts,
        keys: Vec<Vec<Value>>,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        self.read(move |tx| {
            Box::pin(async move {
                let mut found = Vec::new();
                for key in &keys {
                    found.extend(version_details(tx, texts, key).await?);
                }
                found.retain(|detail| !detail.version.is_deleted());
                Ok(found)
            })
        })
        .await
    }
}

/// Of one model of a workspace, or of several.
struct ModelTexts {
    models: &'static str,
    tags: &'static str,
    aliases: &'static str,
}

macro_rules! model_texts {
    ($name:literal, $model:literal) => {
        ModelTexts {
            models: concat!(
                "SELECT name, description, created, updated FROM registered_models WHERE workspace = $1 AND ",
                $name,
                " ORDER BY name"
            ),
            tags: concat!("SELECT model, key, value FROM model_tags WHERE workspace = $1 AND ", $model),
            aliases: concat!(
                "SELECT model, alias, number FROM model_aliases WHERE workspace = $1 AND ",
                $model,
                " ORDER BY alias"
            ),
        }
    };
}

static ONE_MODEL: ModelTexts = model_texts!("name = $2", "model = $2");
static MODELS_BETWEEN: ModelTexts = model_texts!("name > $2 AND name <= $3", "model > $2 AND model <= $3");

/// Shows a search the models of a workspace, a chunk at a time.
async fn search_models(
    tx: &mut ReadTx,
    workspace: &Name,
    mut search: ModelSearch,
) -> Result<Page<ModelDetail>, StorageError> {
    let mut behind = search.behind().map_or_else(String::new, ModelName::to_string);
    loop {
        let chunk = models_behind(tx, workspace, &behind, CHUNK).await?;
        let Some(last) = chunk.last() else { return Ok(search.page()) };
        behind = last.model.name.to_string();
        for detail in chunk {
            if search.see(detail).is_break() {
                return Ok(search.page());
            }
        }
    }
}

/// At most `limit` models whose names sort behind one; `''` sorts before every name.
async fn models_behind(
    tx: &mut ReadTx,
    workspace: &Name,
    behind: &str,
    limit: usize,
) -> Result<Vec<ModelDetail>, StorageError> {
    let names = tx.query(NAMES_AFTER, params![workspace.as_str(), behind, limit as u64]).await?;
    let Some(last) = names.last() else { return Ok(Vec::new()) };
    model_details(tx, &MODELS_BETWEEN, params![workspace.as_str(), behind, last.text(0)?]).await
}

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

/// Which versions, in their order, and the tags and aliases of the same.
struct VersionTexts {
    versions: &'static str,
    tags: &'static str,
    aliases: &'static str,
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
            aliases: concat!(
                "SELECT model, number, alias FROM model_aliases WHERE workspace = $1 AND ",
                $which,
                " ORDER BY alias"
            ),
        }
    };
}

static LATEST_VERSIONS: VersionTexts = version_texts!(
    "model = $2 AND number IN (SELECT MAX(number) FROM model_versions \
     WHERE workspace = $1 AND model = $2 AND stage <> 'Deleted_Internal' GROUP BY stage)",
    "(SELECT MIN(o.number) FROM model_versions o \
     WHERE o.workspace = v.workspace AND o.model = v.model AND o.stage = v.stage)"
);
static VERSIONS_WITHIN: VersionTexts = version_texts!("model = $2 AND number >= $3 AND number <= $4");
static VERSIONS_BETWEEN: VersionTexts =
    version_texts!("(model, number) > ($2, $3) AND (model, number) <= ($4, $5)");
static VERSIONS_OF_RUN: VersionTexts = version_texts!(
    "(model, number) IN (SELECT model, number FROM model_versions WHERE workspace = $1 AND run = $2)"
);
static VERSIONS_OF_DIGEST: VersionTexts = version_texts!(
    "(model, number) IN (SELECT model, number FROM model_versions WHERE workspace = $1 AND digest = $2)"
);

/// Shows a search the versions of a workspace, a chunk at a time.
async fn search_versions(
    tx: &mut ReadTx,
    workspace: &Name,
    mut search: VersionSearch,
) -> Result<Page<VersionDetail>, StorageError> {
    let (text, mut behind) = match search.model_name() {
        Some(name) => (NUMBERS_AFTER, (name.to_owned(), 0)),
        // '' sorts before every name.
        None => (VERSIONS_AFTER, (String::new(), 0)),
    };
    loop {
        let keys = tx.query(text, params![workspace.as_str(), &behind.0, behind.1, CHUNK as u64]).await?;
        let Some(last) = keys.last() else { return Ok(search.page()) };
        let last = (last.text(0)?.to_owned(), last.int(1)?);
        let key = params![workspace.as_str(), &behind.0, behind.1, &last.0, last.1];
        for detail in version_details(tx, &VERSIONS_BETWEEN, key).await? {
            search.see(detail);
        }
        behind = last;
    }
}

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
    for row in tx.query(texts.aliases, key).await? {
        let of_version = aliases.entry((model_name(&row, 0)?, number_of(row.int(1)?)?)).or_default();
        of_version.push(alias(&row, 2)?);
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
