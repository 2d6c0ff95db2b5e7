//! The writing side.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_pipelines::approval::Approval;
use mainstay_pipelines::definition::{Definition, StepName};
use mainstay_pipelines::port::{LedgerEntry, Pipeline, PipelineTx, Position};
use mainstay_pipelines::run::{PipelineRun, Step, StepResult};

use crate::params;
use crate::tx::StoreTx;
use crate::value::{Row, document, documents, json_text};

fn run_and_step(row: &Row) -> Result<(PipelineRunId, StepName), StorageError> {
    let name = StepName::new(row.text(1)?).map_err(|e| StorageError::Corrupt(e.to_string()))?;
    Ok((row.parsed(0)?, name))
}

#[async_trait]
impl PipelineTx for StoreTx {
    async fn pipeline(&mut self, name: &Name) -> Result<Option<Pipeline>, StorageError> {
        let sql = "SELECT name, revision, source, updated FROM pipelines WHERE workspace = $1 AND name = $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?;
        row.as_ref().map(super::read::pipeline).transpose()
    }

    async fn put_pipeline(&mut self, pipeline: &Pipeline) -> Result<(), StorageError> {
        let sql = "INSERT INTO pipelines (workspace, name, revision, source, updated) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (workspace, name) DO UPDATE SET revision = excluded.revision, \
            source = excluded.source, updated = excluded.updated";
        let row = params![
            self.workspace().as_str(),
            pipeline.name.as_str(),
            pipeline.revision,
            &pipeline.source,
            pipeline.updated.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn insert_definition(&mut self, digest: &Digest, added: &Definition) -> Result<(), StorageError> {
        let sql = "INSERT INTO pipeline_definitions (digest, document) VALUES ($1, $2) \
            ON CONFLICT (digest) DO NOTHING";
        self.execute(sql, params![digest.to_string(), json_text(added)?]).await.map(drop)
    }

    async fn definition(&mut self, digest: &Digest) -> Result<Option<Arc<Definition>>, StorageError> {
        if let Some(known) = self.definitions.get(digest) {
            return Ok(Some(known));
        }
        let sql = "SELECT document FROM pipeline_definitions WHERE digest = $1";
        let row = self.query_one(sql, params![digest.to_string()]).await?;
        let read: Option<Arc<Definition>> = document(row.as_ref())?.map(Arc::new);
        if let Some(definition) = &read {
            self.definitions.keep(*digest, definition);
        }
        Ok(read)
    }

    async fn run_by_key(&mut self, key: &str) -> Result<Option<PipelineRunId>, StorageError> {
        let sql = "SELECT id FROM pipeline_runs WHERE workspace = $1 AND idempotency_key = $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), key]).await?;
        row.map(|row| row.parsed(0)).transpose()
    }

    async fn insert_run(&mut self, run: &PipelineRun, steps: &[Step]) -> Result<(), StorageError> {
        let sql = "INSERT INTO pipeline_runs \
            (id, workspace, pipeline, state, concurrency_group, idempotency_key, created, document) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let row = params![
            run.id.to_string(),
            self.workspace().as_str(),
            run.pipeline.as_str(),
            run.state.as_str(),
            run.group.as_deref(),
            run.idempotency_key.as_deref(),
            run.created.micros(),
            json_text(run)?,
        ];
        self.execute(sql, row).await?;
        for step in steps {
            self.update_step(step).await?;
        }
        Ok(())
    }

    async fn run_for_update(&mut self, id: PipelineRunId) -> Result<Option<PipelineRun>, StorageError> {
        // The writer's lock on the audit tree guards the run and its steps.
        let sql = "SELECT document FROM pipeline_runs WHERE workspace = $1 AND id = $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), id.to_string()]).await?;
        document(row.as_ref())
    }

    async fn update_run(&mut self, run: &PipelineRun) -> Result<(), StorageError> {
        let sql = "UPDATE pipeline_runs SET state = $2, document = $3 WHERE id = $1";
        let row = params![run.id.to_string(), run.state.as_str(), json_text(run)?];
        self.has_moved_steps = true;
        self.execute(sql, row).await.map(drop)
    }

    async fn steps(&mut self, run: PipelineRunId) -> Result<Vec<Step>, StorageError> {
        let sql = "SELECT document FROM pipeline_steps WHERE workspace = $1 AND run = $2 ORDER BY name";
        documents(&self.query(sql, params![self.workspace().as_str(), run.to_string()]).await?)
    }

    async fn step(&mut self, run: PipelineRunId, name: &StepName) -> Result<Option<Step>, StorageError> {
        let sql = "SELECT document FROM pipeline_steps WHERE workspace = $1 AND run = $2 AND name = $3";
        let key = params![self.workspace().as_str(), run.to_string(), name.as_str()];
        document(self.query_one(sql, key).await?.as_ref())
    }

    async fn update_step(&mut self, step: &Step) -> Result<(), StorageError> {
        let sql = "INSERT INTO pipeline_steps (run, name, workspace, state, not_before, deadline, document) \
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (run, name) DO UPDATE SET \
            state = excluded.state, not_before = excluded.not_before, deadline = excluded.deadline, \
            document = excluded.document";
        let row = params![
            step.run.to_string(),
            step.name.as_str(),
            self.workspace().as_str(),
            step.state.as_str(),
            step.not_before.micros(),
            step.deadline.map(MachineTime::micros),
            json_text(step)?,
        ];
        self.has_moved_steps = true;
        self.execute(sql, row).await.map(drop)
    }

    async fn insert_result(&mut self, result: &StepResult) -> Result<(), StorageError> {
        let sql = "INSERT INTO step_results (run, step, workspace, cache_key, at, document) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        let again = "INSERT INTO step_results (run, step, workspace, cache_key, at, document) \
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (run, step) DO UPDATE SET document = excluded.document";
        let sql = if is_planted(Fault::DoubleAccept) { again } else { sql };
        let row = params![
            result.run.to_string(),
            result.step.as_str(),
            self.workspace().as_str(),
            result.cache_key.map(|key| key.to_string()),
            result.at.micros(),
            json_text(result)?,
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn results(
        &mut self,
        run: PipelineRunId,
        among: &BTreeSet<StepName>,
    ) -> Result<Vec<StepResult>, StorageError> {
        let sql = "SELECT document FROM step_results WHERE workspace = $1 AND run = $2 ORDER BY step";
        let rows = self.query(sql, params![self.workspace().as_str(), run.to_string()]).await?;
        let all: Vec<StepResult> = documents(&rows)?;
        Ok(all.into_iter().filter(|result| among.contains(&result.step)).collect())
    }

    async fn find_cached(&mut self, key: &Digest) -> Result<Option<StepResult>, StorageError> {
        let key = params![self.workspace().as_str(), key.to_string()];
        document(self.query_one(super::read::CACHED, key).await?.as_ref())
    }

    async fn append_ledger(&mut self, entry: &LedgerEntry) -> Result<(), StorageError> {
        let sql = "INSERT INTO step_ledger (run, number, step, kind, detail, at) \
            SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5 FROM step_ledger WHERE run = $1";
        let row = params![
            entry.run.to_string(),
            entry.step.as_ref().map(StepName::as_str),
            &entry.kind,
            entry.detail.to_string(),
            entry.at.micros(),
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn next_ready(
        &mut self,
        now: MachineTime,
    ) -> Result<Option<(PipelineRunId, StepName)>, StorageError> {
        let sql = "SELECT s.run, s.name FROM pipeline_steps AS s JOIN pipeline_runs AS r ON r.id = s.run \
            WHERE s.state = 'ready' AND s.not_before <= $2 AND s.workspace = $1 AND r.state = 'running' \
            ORDER BY s.not_before, s.run, s.name LIMIT 1";
        let row = self.query_one(sql, params![self.workspace().as_str(), now.micros()]).await?;
        row.as_ref().map(run_and_step).transpose()
    }

    async fn due(
        &mut self,
        now: MachineTime,
        limit: usize,
    ) -> Result<Vec<(PipelineRunId, StepName)>, StorageError> {
        let sql = "SELECT run, name FROM pipeline_steps WHERE state IN ('running', 'waiting') \
            AND deadline <= $2 AND workspace = $1 ORDER BY deadline, run, name LIMIT $3";
        let key = params![self.workspace().as_str(), now.micros(), limit as u64];
        self.query(sql, key).await?.iter().map(run_and_step).collect()
    }

    async fn active_in_group(&mut self, group: &str) -> Result<Vec<PipelineRunId>, StorageError> {
        let sql = "SELECT id FROM pipeline_runs WHERE workspace = $1 AND concurrency_group = $2 \
            AND state = 'running' ORDER BY created, id";
        let rows = self.query(sql, params![self.workspace().as_str(), group]).await?;
        rows.iter().map(|row| row.parsed(0)).collect()
    }

    async fn queued_in_group(&mut self, group: &str) -> Result<Option<PipelineRunId>, StorageError> {
        let sql = "SELECT id FROM pipeline_runs WHERE workspace = $1 AND concurrency_group = $2 \
            AND state = 'waiting' ORDER BY created, id LIMIT 1";
        let row = self.query_one(sql, params![self.workspace().as_str(), group]).await?;
        row.map(|row| row.parsed(0)).transpose()
    }

    async fn insert_approval(&mut self, approval: &Approval) -> Result<(), StorageError> {
        let sql = "INSERT INTO approvals (id, workspace, state, digest, requested, document) VALUES ($1, $2, $3, $4, $5, $6)";
        let row = params![
            approval.id.to_string(),
            self.workspace().as_str(),
            approval.state.as_str(),
            approval.digest.to_string(),
            approval.requested.micros(),
            json_text(approval)?,
        ];
        self.execute(sql, row).await.map(drop)
    }

    async fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>, StorageError> {
        let sql = "SELECT document FROM approvals WHERE workspace = $1 AND id = $2";
        document(self.query_one(sql, params![self.workspace().as_str(), id.to_string()]).await?.as_ref())
    }

    async fn update_approval(&mut self, approval: &Approval) -> Result<(), StorageError> {
        let sql = "UPDATE approvals SET state = $2, document = $3 WHERE id = $1";
        let row = params![approval.id.to_string(), approval.state.as_str(), json_text(approval)?];
        self.execute(sql, row).await.map(drop)
    }

    async fn insert_firing(&mut self, schedule: &str, at_micros: i64) -> Result<bool, StorageError> {
        let sql = "INSERT INTO schedule_firings (workspace, schedule, at) VALUES ($1, $2, $3) \
            ON CONFLICT (workspace, schedule, at) DO NOTHING";
        Ok(self.execute(sql, params![self.workspace().as_str(), schedule, at_micros]).await? == 1)
    }

    async fn put_position(&mut self, position: &Position) -> Result<(), StorageError> {
        let sql = "INSERT INTO trigger_positions (workspace, pipeline, place, revision, position) \
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace, pipeline, place) \
            DO UPDATE SET revision = excluded.revision, position = excluded.position \
            WHERE trigger_positions.revision < excluded.revision OR (trigger_positions.revision = excluded.revision \
            AND trigger_positions.position < excluded.position)";
        let Position { pipeline, revision, trigger, at } = position;
        let row = params![self.workspace().as_str(), pipeline.as_str(), *trigger as u64, *revision, *at];
        self.execute(sql, row).await.map(drop)
    }
}
