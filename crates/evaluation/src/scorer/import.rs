//! Scorers that another server kept, brought in whole; as they were there.

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use serde_json::json;

use super::port::ScorerTx;
use super::{OnlineConfig, Scorer, ScorerVersion, scorer_subject};

/// A scorer of elsewhere with all its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedScorer {
    /// The scorer.
    pub scorer: Scorer,
    /// Its versions, by number.
    pub versions: Vec<ImportedScorerVersion>,
    /// How it is run on traces as they come, if somebody said so.
    pub online: Option<OnlineConfig>,
}

/// A version of a scorer of elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedScorerVersion {
    /// The version.
    pub version: ScorerVersion,
    /// The id of the gateway's endpoint that judges. What binds the scorer to it comes with the endpoint.
    pub judge: Option<String>,
}

/// Adds a scorer with its versions. Event: `scorer.imported`.
pub async fn put_scorer(tx: &mut dyn ScorerTx, imported: &ImportedScorer) -> Result<(), StorageError> {
    let ImportedScorer { scorer, versions, online } = imported;
    tx.insert_scorer(scorer).await?;
    let mut told = Vec::new();
    for ImportedScorerVersion { version, judge } in versions {
        tx.insert_scorer_version(scorer.id, version, judge.as_deref()).await?;
        told.push(json!({
            "version": version.number,
            "scorer": Digest::of(version.serialized.as_bytes()),
            "created": version.created,
            "endpoint": judge,
        }));
    }
    if let Some(config) = online {
        tx.put_online_config(config).await?;
    }
    let online = online
        .as_ref()
        .map(|config| json!({"id": config.id, "sample_rate": config.sample_rate, "filter": config.filter}));
    let body = json!({"id": scorer.id.to_string(), "name": scorer.name, "versions": told, "online": online});
    tx.record(Event::new("scorer.imported", scorer_subject(scorer.experiment, &scorer.name), body));
    Ok(())
}
