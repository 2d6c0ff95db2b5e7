//! Scorers that another server kept, brought in whole; as they were there.

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use serde_json::json;

use super::port::ScorerTx;
use super::{Scorer, ScorerVersion, scorer_subject};

/// A scorer of elsewhere with all its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedScorer {
    /// The scorer.
    pub scorer: Scorer,
    /// Its versions, by number.
    pub versions: Vec<ScorerVersion>,
}

/// Adds a scorer with its versions. Event: `scorer.imported`.
pub async fn put_scorer(tx: &mut dyn ScorerTx, imported: &ImportedScorer) -> Result<(), StorageError> {
    let ImportedScorer { scorer, versions } = imported;
    tx.insert_scorer(scorer).await?;
    let mut told = Vec::new();
    for version in versions {
        // Endpoints of the gateway are not brought in: no version has one as its judge.
        tx.insert_scorer_version(scorer.id, version, None).await?;
        let digest = Digest::of(version.serialized.as_bytes());
        told.push(json!({"version": version.number, "scorer": digest, "created": version.created}));
    }
    let body = json!({"id": scorer.id.to_string(), "name": scorer.name, "versions": told});
    tx.record(Event::new("scorer.imported", scorer_subject(scorer.experiment, &scorer.name), body));
    Ok(())
}
