//! The changes that the registry knows.

mod alias;
mod model;
mod tag;
mod version;

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use serde_json::Value;

pub use alias::{DeleteAlias, PromoteAlias, Promotion, SetAlias};
pub use model::{CreateModel, DeleteModel, DescribeModel, RenameModel};
pub use tag::{DeleteModelTag, DeleteVersionTag, SetModelTag, SetVersionTag};
pub use version::{DeleteVersion, DescribeVersion, RegisterVersion, TransitionStage};

use crate::error::RegistryError;
use crate::model::{Model, ModelVersion};
use crate::name::{Alias, ModelName, VersionNumber};
use crate::port::{GateStatus, RegistryTx};
use crate::prompt::is_prompt_now;

async fn existing_model(tx: &mut dyn RegistryTx, name: &ModelName) -> Result<Model, RegistryError> {
    tx.model(name).await?.ok_or_else(|| RegistryError::NoModel(name.clone()))
}

/// The version, unless it was deleted.
async fn existing_version(
    tx: &mut dyn RegistryTx,
    name: &ModelName,
    number: VersionNumber,
) -> Result<ModelVersion, RegistryError> {
    let version = tx.version(name, number).await?.filter(|version| !version.is_deleted());
    version.ok_or_else(|| RegistryError::NoVersion(name.clone(), number))
}

/// Notes that something of a model changed.
async fn touch(tx: &mut dyn RegistryTx, name: &ModelName) -> Result<(), RegistryError> {
    let mut model = existing_model(tx, name).await?;
    model.updated = tx.now();
    Ok(tx.update_model(&model).await?)
}

/// Refuses if an endpoint follows one of these aliases.
async fn refuse_governed(
    tx: &mut dyn RegistryTx,
    name: &ModelName,
    aliases: impl IntoIterator<Item = &Alias> + Send,
) -> Result<(), RegistryError> {
    let aliases: Vec<&Alias> = aliases.into_iter().collect();
    for alias in aliases {
        if let Some(endpoint) = tx.alias_guard(name, alias).await? {
            return Err(RegistryError::Governed { model: name.clone(), alias: alias.clone(), endpoint });
        }
    }
    Ok(())
}

/// The digest of a version whose gates have passed, now.
async fn expect_gates(
    tx: &mut dyn RegistryTx,
    name: &ModelName,
    version: &ModelVersion,
) -> Result<Digest, RegistryError> {
    let not_passed =
        |reason| RegistryError::GateNotPassed { model: name.clone(), version: version.number, reason };
    let Some(digest) = version.digest else {
        return Err(not_passed("its artifacts are not kept here, so no gate can judge them".to_owned()));
    };
    match tx.gate_status(&digest).await? {
        GateStatus::Missing(reason) => Err(not_passed(reason)),
        GateStatus::Passed => Ok(digest),
    }
}

/// Says in the body of an event that the model was a prompt when it happened: its tags may be others by the
/// time that the event is told.
async fn note_prompt(
    tx: &mut dyn RegistryTx,
    name: &ModelName,
    mut body: Value,
) -> Result<Value, StorageError> {
    if is_prompt_now(tx, name).await?
        && let Some(members) = body.as_object_mut()
    {
        members.insert("prompt".to_owned(), Value::Bool(true));
    }
    Ok(body)
}

/// Where an alias points.
async fn alias_target(
    tx: &mut dyn RegistryTx,
    name: &ModelName,
    alias: &Alias,
) -> Result<Option<VersionNumber>, StorageError> {
    let aliases = tx.aliases(name).await?;
    Ok(aliases.into_iter().find(|(other, _)| other == alias).map(|(_, number)| number))
}
