//! The reading side.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_registry::model::{ModelDetail, VersionDetail};
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_registry::port::RegistryReader;

use super::{VERSION, alias, model, model_name, number_of, version};
use crate::params;
use crate::reader::{ReadTx, Reader};
use crate::value::Value;

// An empty model name in `$2` stands for all models: no model has one.
const MODELS: &str = "SELECT name, description, created, updated FROM registered_models \
    WHERE workspace = $1 AND ($2 = '' OR name = $2) ORDER BY name";
const MODEL_TAGS: &str =
    "SELECT model, key, value FROM model_tags WHERE workspace = $1 AND ($2 = '' OR model = $2)";
const MODEL_ALIASES: &str = "SELECT model, alias, number FROM model_aliases WHERE workspace = $1 AND ($2 = '' OR model = $2) ORDER BY alias";
const VERSIONS: &str = "SELECT model, number, created, updated, creator, description, stage, source, run, \
    run_link, logged_model, digest, location FROM model_versions WHERE workspace = $1 AND ($2 = '' OR model = $2) \
    ORDER BY model, number";
const VERSION_TAGS: &str = "SELECT model, number, key, value FROM model_version_tags WHERE workspace = $1 AND ($2 = '' OR model = $2)";

#[async_trait]
impl RegistryReader for Reader {
    async fn model(&self, workspace: &Name, name: &ModelName) -> Result<Option<ModelDetail>, StorageError> {
        Ok(self.model_details(workspace, name.as_str()).await?.into_iter().next())
    }

    async fn models(&self, workspace: &Name) -> Result<Vec<ModelDetail>, StorageError> {
        self.model_details(workspace, "").await
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

    async fn versions(
        &self,
        workspace: &Name,
        name: Option<&ModelName>,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let all = self.version_details(workspace, name.map_or("", ModelName::as_str)).await?;
        Ok(all.into_iter().filter(|detail| !detail.version.is_deleted()).collect())
    }
}

impl Reader {
    async fn model_details(&self, workspace: &Name, name: &str) -> Result<Vec<ModelDetail>, StorageError> {
        let key = params![workspace.as_str(), name].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let mut tags: BTreeMap<ModelName, BTreeMap<String, String>> = BTreeMap::new();
                for row in tx.query(MODEL_TAGS, &key).await? {
                    let of_model = tags.entry(model_name(&row, 0)?).or_default();
                    of_model.insert(row.text(1)?.to_owned(), row.text(2)?.to_owned());
                }
                let mut aliases: BTreeMap<ModelName, BTreeMap<Alias, VersionNumber>> = BTreeMap::new();
                for row in tx.query(MODEL_ALIASES, &key).await? {
                    let of_model = aliases.entry(model_name(&row, 0)?).or_default();
                    of_model.insert(alias(&row, 1)?, number_of(row.int(2)?)?);
                }
                let rows = tx.query(MODELS, &key).await?;
                let detail = |row| {
                    let model = model(row)?;
                    let (tags, aliases) = (tags.remove(&model.name), aliases.remove(&model.name));
                    Ok(ModelDetail {
                        model,
                        tags: tags.unwrap_or_default(),
                        aliases: aliases.unwrap_or_default(),
                    })
                };
                rows.iter().map(detail).collect()
            })
        })
        .await
    }

    async fn version_details(
        &self,
        workspace: &Name,
        name: &str,
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let key = params![workspace.as_str(), name].to_vec();
        self.read(move |tx| Box::pin(async move { version_details(tx, &key).await })).await
    }
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

async fn version_details(tx: &mut ReadTx, key: &[Value]) -> Result<Vec<VersionDetail>, StorageError> {
    let mut tags: BTreeMap<(ModelName, VersionNumber), BTreeMap<String, String>> = BTreeMap::new();
    for row in tx.query(VERSION_TAGS, key).await? {
        let of_version = tags.entry((model_name(&row, 0)?, number_of(row.int(1)?)?)).or_default();
        of_version.insert(row.text(2)?.to_owned(), row.text(3)?.to_owned());
    }
    let mut aliases: BTreeMap<(ModelName, VersionNumber), Vec<Alias>> = BTreeMap::new();
    for row in tx.query(MODEL_ALIASES, key).await? {
        let of_version = aliases.entry((model_name(&row, 0)?, number_of(row.int(2)?)?)).or_default();
        of_version.push(alias(&row, 1)?);
    }
    let rows = tx.query(VERSIONS, key).await?;
    let detail = |row| {
        let version = version(row)?;
        let of = (version.model.clone(), version.number);
        let (tags, aliases) = (tags.remove(&of), aliases.remove(&of));
        Ok(VersionDetail { version, tags: tags.unwrap_or_default(), aliases: aliases.unwrap_or_default() })
    };
    rows.iter().map(detail).collect()
}
