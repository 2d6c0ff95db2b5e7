//! What scorers need of a store. `None` means that there is no such thing. A scorer belongs to the
//! transaction's workspace, or the one given.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;

use super::{OnlineConfig, RegisteredScorer, Scorer, ScorerId, ScorerVersion};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::ExperimentTx;

/// What the commands on scorers write through.
#[async_trait]
pub trait ScorerTx: ExperimentTx {
    /// A scorer of an experiment, with or without versions.
    async fn scorer(&mut self, experiment: ExperimentId, name: &str) -> Result<Option<Scorer>, StorageError>;
    /// Adds a scorer.
    async fn insert_scorer(&mut self, scorer: &Scorer) -> Result<(), StorageError>;
    /// The highest number of its versions.
    async fn last_scorer_version(&mut self, id: ScorerId) -> Result<Option<i64>, StorageError>;
    /// Adds a version; its judge may be the gateway's endpoint of that id.
    async fn insert_scorer_version(
        &mut self,
        id: ScorerId,
        version: &ScorerVersion,
        judge: Option<&str>,
    ) -> Result<(), StorageError>;
    /// Its newest version.
    async fn newest_scorer_version(&mut self, id: ScorerId) -> Result<Option<ScorerVersion>, StorageError>;
    /// The id of the gateway's endpoint of that name.
    async fn judge_endpoint(&mut self, name: &str) -> Result<Option<String>, StorageError>;
    /// Notes that a scorer uses the gateway's endpoint of that id, and no other.
    async fn bind_judge(&mut self, scorer: &Scorer, endpoint: &str) -> Result<(), StorageError>;
    /// Removes a version; `false` if there was none.
    async fn delete_scorer_version(&mut self, id: ScorerId, number: i64) -> Result<bool, StorageError>;
    /// Removes a scorer with its versions, its online configuration and its use of an endpoint.
    async fn delete_scorer(&mut self, id: ScorerId) -> Result<(), StorageError>;
    /// Replaces the online configuration of a scorer.
    async fn put_online_config(&mut self, config: &OnlineConfig) -> Result<(), StorageError>;
}

/// What readers of scorers ask.
#[async_trait]
pub trait ScorerReader: Send + Sync {
    /// The newest version of each scorer of the active ones among these experiments, or of all active ones,
    /// by (experiment, name).
    async fn scorers(
        &self,
        workspace: &Name,
        experiments: Option<&BTreeSet<ExperimentId>>,
    ) -> Result<Vec<RegisteredScorer>, StorageError>;
    /// All versions of a scorer, the oldest first.
    async fn scorer_versions(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
        name: &str,
    ) -> Result<Vec<RegisteredScorer>, StorageError>;
    /// One version of a scorer, or its newest.
    async fn scorer_version(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
        name: &str,
        number: Option<i64>,
    ) -> Result<Option<RegisteredScorer>, StorageError>;
    /// The online configurations of scorers; of those that have none, none.
    async fn online_configs(
        &self,
        workspace: &Name,
        scorers: &BTreeSet<ScorerId>,
    ) -> Result<Vec<OnlineConfig>, StorageError>;
}
