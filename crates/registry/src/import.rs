//! What another registry kept, brought in whole: with its own numbers and times, and with events that say that it
//! was imported and not made here, so that no webhook and no trigger takes it for news.
//!
//! Whoever calls has checked names, tags and texts by the rules of this crate; what is there already is
//! [`StorageError::Contended`], as in every insert.

use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use serde_json::{Map, Value, json};

use crate::model::{ModelDetail, VersionDetail, model_subject, version_subject};
use crate::name::Tag;
use crate::port::RegistryTx;

/// A version of elsewhere, and what was said of it there for which there is no place here: it stands in the event.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedVersion {
    /// The version; its aliases come with its model's.
    pub detail: VersionDetail,
    /// What else was said of it.
    pub elsewhere: Map<String, Value>,
}

fn tag((key, value): (&String, &String)) -> Tag {
    Tag { key: key.clone(), value: value.clone() }
}

/// Adds a model with its tags; its aliases come by [`put_aliases`], when its versions are there. Event:
/// `model.imported`.
pub async fn put_model(tx: &mut dyn RegistryTx, detail: &ModelDetail) -> Result<(), StorageError> {
    let ModelDetail { model, tags, .. } = detail;
    tx.insert_model(model).await?;
    for tag in tags.iter().map(tag) {
        tx.put_model_tag(&model.name, &tag).await?;
    }
    let body = json!({
        "description": model.description,
        "created": model.created,
        "updated": model.updated,
        "tags": tags,
    });
    tx.record(Event::new("model.imported", model_subject(&model.name), body));
    Ok(())
}

/// Points the aliases of a model at their versions. Event: `alias.imported`, one for each.
pub async fn put_aliases(tx: &mut dyn RegistryTx, detail: &ModelDetail) -> Result<(), StorageError> {
    for (alias, number) in &detail.aliases {
        tx.put_alias(&detail.model.name, alias, *number).await?;
        let body = json!({"alias": alias, "to": number});
        tx.record(Event::new("alias.imported", model_subject(&detail.model.name), body));
    }
    Ok(())
}

/// Adds a version with its tags, a deleted one too: its number is never given again. Event:
/// `model_version.imported`.
pub async fn put_version(tx: &mut dyn RegistryTx, imported: &ImportedVersion) -> Result<(), StorageError> {
    let VersionDetail { version, tags, .. } = &imported.detail;
    tx.insert_version(version).await?;
    for tag in tags.iter().map(tag) {
        tx.put_version_tag(&version.model, version.number, &tag).await?;
    }
    let body = json!({
        "source": version.source,
        "location": version.location,
        "run": version.run,
        "run_link": version.run_link,
        "logged_model": version.logged_model,
        "description": version.description,
        "stage": version.stage.as_str(),
        "creator": version.creator.as_ref().map(mainstay_core::principal::Actor::as_str),
        "created": version.created,
        "updated": version.updated,
        "tags": tags,
        "elsewhere": imported.elsewhere,
    });
    tx.record(Event::new("model_version.imported", version_subject(&version.model, version.number), body));
    Ok(())
}
