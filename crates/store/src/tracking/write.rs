//! The writing side: experiments, runs and what is logged to them. Logged models are in
//! [`logged_models`](super::logged_models).

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::{ExperimentError, ExperimentTx};
use mainstay_core::id::RunId;
use mainstay_tracking::experiment::{Experiment, ExperimentId, ExperimentName};
use mainstay_tracking::input::{DatasetInput, ModelOutput};
use mainstay_tracking::logged_model::{LoggedModel, LoggedModelId, ModelMetric};
use mainstay_tracking::metric::Latest;
use mainstay_tracking::port::{EncodedBlock, Texts, TrackingTx};
use mainstay_tracking::run::{Lifecycle, Run};
use mainstay_tracking::series::compaction::is_due;
use mainstay_tracking::text::Pair;

use super::{bits, experiment, point, run};
use crate::quotas::Counted;
use crate::tx::StoreTx;
use crate::value::json_text;
use crate::{params, row};

const EXPERIMENT: &str = "SELECT id, name, artifact_location, lifecycle, created, updated FROM experiments \
    WHERE workspace = $1 AND id = $2";
const EXPERIMENT_NAMED: &str = "SELECT id, name, artifact_location, lifecycle, created, updated \
    FROM experiments WHERE workspace = $1 AND name = $2";
const RUN: &str = "SELECT id, experiment, name, user_name, status, start_ms, end_ms, lifecycle, artifact_uri \
    FROM runs WHERE id = $1 AND workspace = $2 AND EXISTS (SELECT 1 FROM experiments e WHERE e.id = runs.experiment)";
/// Purged ones count: their ids are not given again.
const PLACES_AFTER: &str =
    "SELECT id, artifact_location FROM experiments WHERE workspace = $1 AND id > $2 ORDER BY id";
const LAST_EXPERIMENT: &str = "SELECT MAX(x.id) FROM (SELECT MAX(id) AS id FROM experiments \
    UNION ALL SELECT MAX(id) AS id FROM purged_experiments) x";
const APPEND_BLOCK: &str = "INSERT INTO metric_blocks (run, key, number, points, block) \
    VALUES ($1, $2, (SELECT COALESCE(MAX(number), 0) + 1 FROM metric_blocks WHERE run = $1 AND key = $2), $3, $4) \
    RETURNING key, number, points";
const MARK_DUE: &str = "INSERT INTO metric_due (run, key) VALUES ($1, $2) ON CONFLICT (run, key) DO NOTHING";

#[async_trait]
impl ExperimentTx for StoreTx {
    async fn experiment(&mut self, id: ExperimentId) -> Result<Option<Experiment>, StorageError> {
        let row = self.query_one(EXPERIMENT, params![self.workspace().as_str(), id.0]).await?;
        row.as_ref().map(experiment).transpose()
    }

    async fn experiment_of_run(&mut self, run: RunId) -> Result<Option<ExperimentId>, StorageError> {
        let sql = "SELECT r.experiment FROM runs r JOIN experiments e ON e.id = r.experiment \
            WHERE r.id = $1 AND r.workspace = $2";
        let row = self.query_one(sql, params![run.to_string(), self.workspace().as_str()]).await?;
        row.map(|row| row.count(0).map(ExperimentId)).transpose()
    }
}

#[async_trait]
impl TrackingTx for StoreTx {
    async fn experiment_named(&mut self, name: &ExperimentName) -> Result<Option<Experiment>, StorageError> {
        let row = self.query_one(EXPERIMENT_NAMED, params![self.workspace().as_str(), name.as_str()]).await?;
        row.as_ref().map(experiment).transpose()
    }

    async fn last_experiment(&mut self) -> Result<Option<ExperimentId>, StorageError> {
        let row = self.query_one(LAST_EXPERIMENT, &[]).await?;
        let last = row.map(|row| row.opt_int(0)).transpose()?.flatten();
        Ok(last.map(|last| ExperimentId(last.cast_unsigned())))
    }

    async fn places_after(
        &mut self,
        last: Option<ExperimentId>,
    ) -> Result<Vec<(ExperimentId, String)>, StorageError> {
        let last = last.map_or(-1, |last| last.0.cast_signed());
        let rows = self.query(PLACES_AFTER, params![self.workspace().as_str(), last]).await?;
        rows.iter().map(super::place).collect()
    }

    async fn insert_experiment(&mut self, experiment: &Experiment) -> Result<(), ExperimentError> {
        self.count(Counted::Experiments).await?;
        let sql = "INSERT INTO experiments (workspace, id, name, artifact_location, lifecycle, created, updated) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let row = params![
            self.workspace().as_str(),
            experiment.id.0,
            experiment.name.as_str(),
            &experiment.artifact_location,
            experiment.lifecycle.as_str(),
            experiment.created.micros(),
            experiment.updated.micros(),
        ];
        self.execute(sql, row).await?;
        Ok(())
    }

    async fn update_experiment(&mut self, experiment: &Experiment) -> Result<(), StorageError> {
        let sql = "UPDATE experiments SET name = $2, lifecycle = $3, updated = $4 WHERE id = $1";
        let row = params![
            experiment.id.0,
            experiment.name.as_str(),
            experiment.lifecycle.as_str(),
            experiment.updated.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn put_experiment_tag(&mut self, id: ExperimentId, tag: &Pair) -> Result<(), StorageError> {
        let sql = "INSERT INTO experiment_tags (experiment, key, value) VALUES ($1, $2, $3) \
            ON CONFLICT (experiment, key) DO UPDATE SET value = excluded.value";
        self.execute(sql, params![id.0, &tag.key, &tag.value]).await.map(drop)
    }

    async fn delete_experiment_tag(&mut self, id: ExperimentId, key: &str) -> Result<bool, StorageError> {
        let sql = "DELETE FROM experiment_tags WHERE experiment = $1 AND key = $2";
        Ok(self.execute(sql, params![id.0, key]).await? > 0)
    }

    async fn set_lifecycle_of_runs(
        &mut self,
        id: ExperimentId,
        lifecycle: Lifecycle,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE runs SET lifecycle = $2 WHERE experiment = $1";
        self.execute(sql, params![id.0, lifecycle.as_str()]).await.map(drop)
    }

    async fn run(&mut self, id: RunId) -> Result<Option<Run>, StorageError> {
        let row = self.query_one(RUN, params![id.to_string(), self.workspace().as_str()]).await?;
        row.as_ref().map(run).transpose()
    }

    async fn insert_run(&mut self, run: &Run) -> Result<(), ExperimentError> {
        self.count(Counted::Runs).await?;
        let sql = "INSERT INTO runs (id, workspace, experiment, name, user_name, status, start_ms, end_ms, \
            lifecycle, artifact_uri) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let row = params![
            run.id.to_string(),
            self.workspace().as_str(),
            run.experiment.0,
            &run.name,
            &run.user,
            run.status.as_str(),
            run.start_ms,
            run.end_ms,
            run.lifecycle.as_str(),
            &run.artifact_uri,
        ];
        self.execute(sql, row).await?;
        Ok(())
    }

    async fn update_run(&mut self, run: &Run) -> Result<(), StorageError> {
        let sql = "UPDATE runs SET name = $2, status = $3, end_ms = $4, lifecycle = $5 WHERE id = $1";
        let row =
            params![run.id.to_string(), &run.name, run.status.as_str(), run.end_ms, run.lifecycle.as_str(),];
        self.execute(sql, row).await.map(drop)
    }

    async fn params(&mut self, run: RunId, keys: &[&str]) -> Result<BTreeMap<String, String>, StorageError> {
        let sql = "SELECT key, value FROM run_params WHERE run = $1 AND key IN ($2)";
        let rows = self.query_keys(sql, params![run.to_string()], keys).await?;
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect()
    }

    async fn insert_params(&mut self, run: RunId, params: &Texts<'_>) -> Result<(), StorageError> {
        let sql = "INSERT INTO run_params (run, key, value) VALUES ($1, $2, $3)";
        self.put_texts(sql, run.to_string(), params).await
    }

    async fn run_tag(&mut self, run: RunId, key: &str) -> Result<Option<String>, StorageError> {
        let sql = "SELECT value FROM run_tags WHERE run = $1 AND key = $2";
        let row = self.query_one(sql, params![run.to_string(), key]).await?;
        row.map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    async fn put_run_tags(&mut self, run: RunId, tags: &Texts<'_>) -> Result<(), StorageError> {
        let sql = "INSERT INTO run_tags (run, key, value) VALUES ($1, $2, $3) \
            ON CONFLICT (run, key) DO UPDATE SET value = excluded.value";
        self.put_texts(sql, run.to_string(), tags).await
    }

    async fn delete_run_tag(&mut self, run: RunId, key: &str) -> Result<bool, StorageError> {
        let sql = "DELETE FROM run_tags WHERE run = $1 AND key = $2";
        Ok(self.execute(sql, params![run.to_string(), key]).await? > 0)
    }

    async fn latest(&mut self, run: RunId, keys: &[&str]) -> Result<BTreeMap<String, Latest>, StorageError> {
        let sql = "SELECT key, step, timestamp_ms, value FROM run_metrics WHERE run = $1 AND key IN ($2)";
        let rows = self.query_keys(sql, params![run.to_string()], keys).await?;
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), point(row, 1)?))).collect()
    }

    async fn put_latest(&mut self, run: RunId, latest: &BTreeMap<&str, Latest>) -> Result<(), StorageError> {
        let sql = "INSERT INTO run_metrics (run, key, step, timestamp_ms, value) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (run, key) DO UPDATE SET step = excluded.step, timestamp_ms = excluded.timestamp_ms, \
            value = excluded.value";
        let rows = latest.iter().map(|(key, latest)| {
            row![run.to_string(), *key, latest.step, latest.timestamp_ms, bits(latest.value)]
        });
        self.execute_rows(sql, &rows.collect::<Vec<_>>()).await
    }

    async fn append_blocks(&mut self, run: RunId, blocks: &[EncodedBlock<'_>]) -> Result<(), StorageError> {
        let rows = blocks.iter().map(|block| {
            let bytes = block.bytes.as_slice();
            row![run.to_string(), block.key, block.points as u64, bytes]
        });
        let mut due = Vec::new();
        for appended in self.query_rows(APPEND_BLOCK, &rows.collect::<Vec<_>>()).await? {
            let (key, number, points) = (appended.text(0)?, appended.count(1)?, appended.count(2)?);
            if is_due(number, usize::try_from(points).unwrap_or(usize::MAX)) {
                due.push(row![run.to_string(), key]);
            }
        }
        self.execute_rows(MARK_DUE, &due).await
    }

    async fn put_dataset_input(&mut self, run: &Run, input: &DatasetInput) -> Result<bool, StorageError> {
        let dataset = &input.dataset;
        let sql = "INSERT INTO run_datasets (experiment, name, digest, description) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (experiment, name, digest) DO NOTHING";
        let row = params![run.experiment.0, &dataset.name, &dataset.digest, json_text(dataset)?];
        self.execute(sql, row).await?;
        let sql = "INSERT INTO run_dataset_inputs (run, experiment, name, digest, tags) \
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run, name, digest) DO NOTHING";
        let row = params![
            run.id.to_string(),
            run.experiment.0,
            &dataset.name,
            &dataset.digest,
            json_text(&input.tags)?,
        ];
        Ok(self.execute(sql, row).await? > 0)
    }

    async fn put_model_input(&mut self, run: RunId, model: LoggedModelId) -> Result<(), StorageError> {
        let sql = "INSERT INTO run_model_inputs (run, model) VALUES ($1, $2) \
            ON CONFLICT (run, model) DO NOTHING";
        self.execute(sql, params![run.to_string(), model.to_string()]).await.map(drop)
    }

    async fn put_model_output(&mut self, run: RunId, output: &ModelOutput) -> Result<(), StorageError> {
        let sql = "INSERT INTO run_model_outputs (run, model, step) VALUES ($1, $2, $3) \
            ON CONFLICT (run, model) DO UPDATE SET step = excluded.step";
        self.execute(sql, params![run.to_string(), output.model.to_string(), output.step]).await.map(drop)
    }

    async fn logged_model(&mut self, id: LoggedModelId) -> Result<Option<LoggedModel>, StorageError> {
        self.find_logged_model(id).await
    }

    async fn insert_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError> {
        self.add_logged_model(model).await
    }

    async fn update_logged_model(&mut self, model: &LoggedModel) -> Result<(), StorageError> {
        self.replace_logged_model(model).await
    }

    async fn put_logged_model_params(
        &mut self,
        id: LoggedModelId,
        params: &Texts<'_>,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO logged_model_params (model, key, value) VALUES ($1, $2, $3) \
            ON CONFLICT (model, key) DO UPDATE SET value = excluded.value";
        self.put_texts(sql, id.to_string(), params).await
    }

    async fn put_logged_model_tags(
        &mut self,
        id: LoggedModelId,
        tags: &Texts<'_>,
    ) -> Result<(), StorageError> {
        let sql = "INSERT INTO logged_model_tags (model, key, value) VALUES ($1, $2, $3) \
            ON CONFLICT (model, key) DO UPDATE SET value = excluded.value";
        self.put_texts(sql, id.to_string(), tags).await
    }

    async fn delete_logged_model_tag(&mut self, id: LoggedModelId, key: &str) -> Result<bool, StorageError> {
        let sql = "DELETE FROM logged_model_tags WHERE model = $1 AND key = $2";
        Ok(self.execute(sql, params![id.to_string(), key]).await? > 0)
    }

    async fn put_model_metrics(&mut self, metrics: &[ModelMetric]) -> Result<(), StorageError> {
        self.add_model_metrics(metrics).await
    }
}

impl StoreTx {
    /// Writes texts by key below an id.
    async fn put_texts(
        &mut self,
        sql: &'static str,
        id: String,
        texts: &Texts<'_>,
    ) -> Result<(), StorageError> {
        let rows = texts.iter().map(|(key, value)| row![&id, *key, *value]);
        self.execute_rows(sql, &rows.collect::<Vec<_>>()).await
    }
}
