//! Rows of logged models and of their metrics, and the search over them.

use std::collections::BTreeSet;

use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_core::run_ref::RunRef;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::logged_model::{LoggedModel, LoggedModelDetail, LoggedModelId, ModelMetric};
use mainstay_tracking::search::{LoggedModelSearch, LookedAt};

use super::{bits, details, logged_model};
use crate::reader::ReadTx;
use crate::tx::StoreTx;
use crate::{params, row};

const MODEL: &str = "SELECT id, experiment, name, model_type, source_run, artifact_uri, status, lifecycle, \
    created, updated FROM logged_models WHERE id = $1 AND workspace = $2 \
    AND EXISTS (SELECT 1 FROM experiments e WHERE e.id = logged_models.experiment)";
const ADD_METRIC: &str = "INSERT INTO logged_model_metrics \
    (model, run, key, dataset_name, dataset_digest, step, timestamp_ms, value) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

const BEHIND: &str = "SELECT id, created FROM logged_models WHERE experiment = $1 AND lifecycle = 'active' \
    AND created <= $2 AND (created < $2 OR id > $3) ORDER BY created DESC, id LIMIT $4";

/// Shows a search the logged models of some experiments, a chunk at a time, and reads those that it chose whole.
pub(super) async fn search(
    tx: &mut ReadTx,
    workspace: &Name,
    experiments: &BTreeSet<ExperimentId>,
    mut search: LoggedModelSearch,
) -> Result<Page<LoggedModelDetail>, StorageError> {
    let looks_at = search.looks_at();
    for experiment in experiments {
        let first = search.behind().map(|(created, id)| (created.micros(), id.to_string()));
        // '' sorts before every id.
        let mut behind = first.unwrap_or((i64::MAX, String::new()));
        'experiment: loop {
            let key = params![experiment.0, behind.0, &behind.1, details::CHUNK as u64];
            let rows = tx.query(BEHIND, key).await?;
            let ids = rows.iter().map(|row| row.parsed(0)).collect::<Result<Vec<LoggedModelId>, _>>()?;
            for detail in details::logged_models(tx, workspace, &ids, looks_at).await? {
                if search.see(&detail).is_break() {
                    break 'experiment;
                }
            }
            match rows.last().filter(|_| rows.len() == details::CHUNK) {
                Some(last) => behind = (last.int(1)?, last.text(0)?.to_owned()),
                None => break,
            }
        }
    }
    let Page { items, next } = search.page();
    Ok(Page { items: details::logged_models(tx, workspace, &items, LookedAt::ALL).await?, next })
}

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
