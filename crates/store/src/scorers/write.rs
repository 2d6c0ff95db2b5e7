//! The writing side.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_evaluation::scorer::port::ScorerTx;
use mainstay_evaluation::scorer::{OnlineConfig, Scorer, ScorerId, ScorerVersion};
use mainstay_tracking::experiment::ExperimentId;

use super::{scorer, version};
use crate::params;
use crate::tx::StoreTx;

const DELETE: [&str; 4] = [
    "DELETE FROM gateway_bindings WHERE resource_type = 'scorer' AND resource_id = $1",
    "DELETE FROM scorer_online_configs WHERE scorer = $1",
    "DELETE FROM scorer_versions WHERE scorer = $1",
    "DELETE FROM scorers WHERE id = $1",
];

#[async_trait]
impl ScorerTx for StoreTx {
    async fn scorer(&mut self, experiment: ExperimentId, name: &str) -> Result<Option<Scorer>, StorageError> {
        let sql =
            "SELECT id, experiment, name FROM scorers WHERE workspace = $1 AND experiment = $2 AND name = $3";
        let row = self.query_one(sql, params![self.workspace().as_str(), experiment.0, name]).await?;
        row.as_ref().map(scorer).transpose()
    }

    async fn insert_scorer(&mut self, scorer: &Scorer) -> Result<(), StorageError> {
        let sql = "INSERT INTO scorers (workspace, id, experiment, name) VALUES ($1, $2, $3, $4)";
        let row =
            params![self.workspace().as_str(), scorer.id.to_string(), scorer.experiment.0, &scorer.name];
        self.execute(sql, row).await.map(drop)
    }

    async fn last_scorer_version(&mut self, id: ScorerId) -> Result<Option<i64>, StorageError> {
        let sql = "SELECT MAX(version) FROM scorer_versions WHERE scorer = $1";
        self.query_one(sql, params![id.to_string()]).await?.map_or(Ok(None), |row| row.opt_int(0))
    }

    async fn insert_scorer_version(
        &mut self,
        id: ScorerId,
        version: &ScorerVersion,
        judge: Option<&str>,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO scorer_versions (scorer, version, serialized, created, gateway_endpoint) \
            VALUES ($1, $2, $3, $4, $5)";
        let created = version.created.micros();
        let row = params![id.to_string(), version.number, &version.serialized, created, judge];
        self.execute(sql, row).await.map(drop)
    }

    async fn newest_scorer_version(&mut self, id: ScorerId) -> Result<Option<ScorerVersion>, StorageError> {
        let sql = "SELECT v.version, v.serialized, v.created, v.gateway_endpoint, g.name FROM scorer_versions v \
            LEFT JOIN gateway_endpoints g ON g.id = v.gateway_endpoint WHERE v.scorer = $1 \
            ORDER BY v.version DESC LIMIT 1";
        let row = self.query_one(sql, params![id.to_string()]).await?;
        row.map(|row| version(&row, 0)).transpose()
    }

    async fn judge_endpoint(&mut self, name: &str) -> Result<Option<String>, StorageError> {
        let sql = "SELECT id FROM gateway_endpoints WHERE workspace = $1 AND name = $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), name]).await?;
        row.map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    async fn bind_judge(&mut self, scorer: &Scorer, endpoint: &str) -> Result<(), StorageError> {
        let [unbind, ..] = DELETE;
        self.execute(unbind, params![scorer.id.to_string()]).await?;
        let sql = "INSERT INTO gateway_bindings (endpoint, resource_type, resource_id, display_name, created, \
            created_by) VALUES ($1, 'scorer', $2, $3, $4, $5)";
        let user = self.actor().user_name().map(str::to_owned);
        let row = params![endpoint, scorer.id.to_string(), &scorer.name, self.now().micros(), user];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_scorer_version(&mut self, id: ScorerId, number: i64) -> Result<bool, StorageError> {
        let sql = "DELETE FROM scorer_versions WHERE scorer = $1 AND version = $2";
        Ok(self.execute(sql, params![id.to_string(), number]).await? > 0)
    }

    async fn delete_scorer(&mut self, id: ScorerId) -> Result<(), StorageError> {
        for sql in DELETE {
            self.execute(sql, params![id.to_string()]).await?;
        }
        Ok(())
    }

    async fn put_online_config(&mut self, config: &OnlineConfig) -> Result<(), StorageError> {
        let sql = "INSERT INTO scorer_online_configs (scorer, id, sample_rate, filter) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (scorer) DO UPDATE SET id = excluded.id, sample_rate = excluded.sample_rate, \
            filter = excluded.filter";
        let row = params![
            config.scorer.to_string(),
            config.id.to_string(),
            config.sample_rate,
            config.filter.as_deref()
        ];
        self.execute(sql, row).await.map(drop)
    }
}
