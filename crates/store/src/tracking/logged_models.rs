//! Rows of logged models and of their metrics.

use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::run_ref::RunRef;
use mainstay_tracking::logged_model::{LoggedModel, LoggedModelId, ModelMetric};

use super::{bits, logged_model};
use crate::tx::StoreTx;
use crate::{params, row};

const MODEL: &str = "SELECT id, experiment, name, model_type, source_run, artifact_uri, status, lifecycle, \
    created, updated FROM logged_models WHERE id = $1 AND workspace = $2 \
    AND EXISTS (SELECT 1 FROM experiments e WHERE e.id = logged_models.experiment)";
const ADD_METRIC: &str = "INSERT INTO logged_model_metrics \
    (model, run, key, dataset_name, dataset_digest, step, timestamp_ms, value) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

/// Name and digest of the dataset; empty where there is none.
fn dataset(metric: &ModelMetric) -> (&str, &str) {
    metric.dataset.as_ref().map_or(("", ""), |(name, digest)| (name, digest))
}

impl StoreTx {
    pub(super) async fn find_logged_model(
        &mut self,
        id: LoggedModelId,
    ) -> Result<Option<LoggedModel>, StorageError> {
        let row = self.query_one(MODEL, params![id.to_string(), self.workspace().as_str()]).await?;
        row.as_ref().map(logged_model).transpose()
    }

    pub(super) async fn add_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError> {
        let sql = "INSERT INTO logged_models (id, workspace, experiment, name, model_type, source_run, \
            artifact_uri, status, lifecycle, created, updated) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let row = params![
            model.id.to_string(),
            self.workspace().as_str(),
            model.experiment.0,
            &model.name,
            &model.model_type,
            model.source_run.as_ref().map(RunRef::as_str),
            &model.artifact_uri,
            model.status.as_str(),
            model.lifecycle.as_str(),
            model.created.micros(),
            model.updated.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    pub(super) async fn replace_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError> {
        let sql = "UPDATE logged_models SET status = $2, lifecycle = $3, updated = $4 WHERE id = $1";
        let row = params![
            model.id.to_string(),
            model.status.as_str(),
            model.lifecycle.as_str(),
            model.updated.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    pub(super) async fn add_model_metrics(&mut self, metrics: &[ModelMetric]) -> Result<(), StorageError> {
        let rows = metrics.iter().map(|metric| {
            let (name, digest) = dataset(metric);
            row![
                metric.model.to_string(),
                metric.run.to_string(),
                &metric.key,
                name,
                digest,
                metric.point.step,
                metric.point.timestamp_ms,
                bits(metric.point.value),
            ]
        });
        self.execute_rows(ADD_METRIC, &rows.collect::<Vec<_>>()).await
    }
}
