//! The reading side.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_evaluation::scorer::port::ScorerReader;
use mainstay_evaluation::scorer::{OnlineConfig, RegisteredScorer, ScorerId};
use mainstay_tracking::experiment::ExperimentId;

use super::{online_config, registered};
use crate::params;
use crate::reader::Reader;

const NEWEST: &str = "SELECT s.id, s.experiment, s.name, v.version, v.serialized, v.created, \
    v.gateway_endpoint, g.name FROM scorers s \
    JOIN experiments e ON e.id = s.experiment JOIN scorer_versions v ON v.scorer = s.id \
    LEFT JOIN gateway_endpoints g ON g.id = v.gateway_endpoint WHERE s.workspace = $1 AND e.lifecycle = 'active' \
    AND v.version = (SELECT MAX(m.version) FROM scorer_versions m WHERE m.scorer = s.id) \
    ORDER BY s.experiment, s.name";
const NEWEST_OF: &str = "SELECT s.id, s.experiment, s.name, v.version, v.serialized, v.created, \
    v.gateway_endpoint, g.name FROM scorers s \
    JOIN experiments e ON e.id = s.experiment JOIN scorer_versions v ON v.scorer = s.id \
    LEFT JOIN gateway_endpoints g ON g.id = v.gateway_endpoint WHERE s.workspace = $1 AND s.experiment = $2 AND e.lifecycle = 'active' \
    AND v.version = (SELECT MAX(m.version) FROM scorer_versions m WHERE m.scorer = s.id) ORDER BY s.name";
const VERSIONS: &str = "SELECT s.id, s.experiment, s.name, v.version, v.serialized, v.created, \
    v.gateway_endpoint, g.name FROM scorers s \
    JOIN scorer_versions v ON v.scorer = s.id \
    LEFT JOIN gateway_endpoints g ON g.id = v.gateway_endpoint WHERE s.workspace = $1 AND s.experiment = $2 AND s.name = $3 \
    ORDER BY v.version";
const VERSION: &str = "SELECT s.id, s.experiment, s.name, v.version, v.serialized, v.created, \
    v.gateway_endpoint, g.name FROM scorers s \
    JOIN scorer_versions v ON v.scorer = s.id \
    LEFT JOIN gateway_endpoints g ON g.id = v.gateway_endpoint WHERE s.workspace = $1 AND s.experiment = $2 AND s.name = $3 \
    AND v.version = $4";
const LAST: &str = "SELECT s.id, s.experiment, s.name, v.version, v.serialized, v.created, \
    v.gateway_endpoint, g.name FROM scorers s \
    JOIN scorer_versions v ON v.scorer = s.id \
    LEFT JOIN gateway_endpoints g ON g.id = v.gateway_endpoint WHERE s.workspace = $1 AND s.experiment = $2 AND s.name = $3 \
    ORDER BY v.version DESC LIMIT 1";
const CONFIG: &str = "SELECT c.id, c.scorer, s.experiment, c.sample_rate, c.filter FROM scorer_online_configs c \
    JOIN scorers s ON s.id = c.scorer WHERE c.scorer = $1 AND s.workspace = $2";

#[async_trait]
impl ScorerReader for Reader {
    async fn scorers(
        &self,
        workspace: &Name,
        experiments: Option<&BTreeSet<ExperimentId>>,
    ) -> Result<Vec<RegisteredScorer>, StorageError> {
        let (workspace, experiments) = (workspace.clone(), experiments.cloned());
        self.read(move |tx| {
            Box::pin(async move {
                let Some(experiments) = experiments else {
                    return tx
                        .query(NEWEST, params![workspace.as_str()])
                        .await?
                        .iter()
                        .map(registered)
                        .collect();
                };
                let mut found = Vec::new();
                for experiment in experiments {
                    for row in tx.query(NEWEST_OF, params![workspace.as_str(), experiment.0]).await? {
                        found.push(registered(&row)?);
                    }
                }
                Ok(found)
            })
        })
        .await
    }

    async fn scorer_versions(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
        name: &str,
    ) -> Result<Vec<RegisteredScorer>, StorageError> {
        let key = params![workspace.as_str(), experiment.0, name].to_vec();
        self.read(move |tx| {
            Box::pin(async move { tx.query(VERSIONS, &key).await?.iter().map(registered).collect() })
        })
        .await
    }

    async fn scorer_version(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
        name: &str,
        number: Option<i64>,
    ) -> Result<Option<RegisteredScorer>, StorageError> {
        let mut key = params![workspace.as_str(), experiment.0, name].to_vec();
        key.extend(number.map(Into::into));
        let sql = if number.is_some() { VERSION } else { LAST };
        self.read(move |tx| {
            Box::pin(async move { tx.query_one(sql, &key).await?.as_ref().map(registered).transpose() })
        })
        .await
    }

    async fn online_configs(
        &self,
        workspace: &Name,
        scorers: &BTreeSet<ScorerId>,
    ) -> Result<Vec<OnlineConfig>, StorageError> {
        let (workspace, scorers) = (workspace.clone(), scorers.clone());
        self.read(move |tx| {
            Box::pin(async move {
                let mut found = Vec::new();
                for scorer in scorers {
                    if let Some(row) =
                        tx.query_one(CONFIG, params![scorer.to_string(), workspace.as_str()]).await?
                    {
                        found.push(online_config(&row)?);
                    }
                }
                Ok(found)
            })
        })
        .await
    }
}
