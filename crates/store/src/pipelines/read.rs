//! The reading side.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_core::time::MachineTime;
use mainstay_pipelines::approval::Approval;
use mainstay_pipelines::definition::{Definition, StepName};
use mainstay_pipelines::port::{LedgerEntry, Pipeline, PipelineReader, RunFilter};
use mainstay_pipelines::run::{PipelineRun, RunState, Step, StepResult};

use crate::params;
use crate::reader::Reader;
use crate::value::{Row, Value, after, document, documents};

pub(super) const CACHED: &str = "SELECT document FROM step_results \
    WHERE workspace = $1 AND cache_key = $2 ORDER BY at DESC, run DESC LIMIT 1";

pub(super) fn pipeline(row: &Row) -> Result<Pipeline, StorageError> {
    Ok(Pipeline {
        name: row.parsed(0)?,
        revision: row.count(1)?,
        source: row.text(2)?.to_owned(),
        updated: MachineTime::from_micros(row.int(3)?),
    })
}

fn ledger_entry(row: &Row) -> Result<LedgerEntry, StorageError> {
    let step = row.opt_text(1)?.map(StepName::new).transpose();
    Ok(LedgerEntry {
        run: row.parsed(0)?,
        step: step.map_err(|e| StorageError::Corrupt(e.to_string()))?,
        kind: row.text(2)?.to_owned(),
        detail: row.json(3)?,
        at: MachineTime::from_micros(row.int(4)?),
    })
}

impl Reader {
    /// All rows of one statement, in one state of the database.
    pub(crate) async fn rows(&self, sql: &'static str, key: &[Value]) -> Result<Vec<Row>, StorageError> {
        let key = key.to_vec();
        self.read(move |tx| Box::pin(async move { tx.query(sql, &key).await })).await
    }
}

/// Newest runs first; the keyset is (created, id).
const RUNS: &str = "SELECT document FROM pipeline_runs WHERE workspace = $1 AND ($2 = '' OR pipeline = $2) \
    AND (created < $3 OR (created = $3 AND id < $4)) AND state IN ($6, $7, $8, $9, $10) \
    ORDER BY created DESC, id DESC LIMIT $5";

#[async_trait]
impl PipelineReader for Reader {
    async fn pipelines(&self, workspace: &Name) -> Result<Vec<Pipeline>, StorageError> {
        let sql = "SELECT name, revision, source, updated FROM pipelines WHERE workspace = $1 ORDER BY name";
        self.rows(sql, params![workspace.as_str()]).await?.iter().map(pipeline).collect()
    }

    async fn pipeline(&self, workspace: &Name, name: &Name) -> Result<Option<Pipeline>, StorageError> {
        let sql = "SELECT name, revision, source, updated FROM pipelines WHERE workspace = $1 AND name = $2";
        self.rows(sql, params![workspace.as_str(), name.as_str()]).await?.first().map(pipeline).transpose()
    }

    async fn run(&self, workspace: &Name, id: PipelineRunId) -> Result<Option<PipelineRun>, StorageError> {
        let sql = "SELECT document FROM pipeline_runs WHERE workspace = $1 AND id = $2";
        document(self.rows(sql, params![workspace.as_str(), id.to_string()]).await?.first())
    }

    async fn runs(
        &self,
        workspace: &Name,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<PipelineRun>, StorageError> {
        let (created, id) = after(page)?.unwrap_or((i64::MAX, String::new()));
        let mut key = params![
            workspace.as_str(),
            filter.pipeline.as_ref().map_or("", Name::as_str),
            created,
            id,
            page.limit as u64 + 1,
        ]
        .to_vec();
        // One place for each state there is; a state that is not wanted gives its place to one that is.
        let wanted = |state: &RunState| filter.states.is_empty() || filter.states.contains(state);
        let fallback = filter.states.first().map_or(RunState::Running, |state| *state);
        key.extend(
            RunState::ALL
                .iter()
                .map(|state| Value::from(if wanted(state) { state } else { &fallback }.as_str())),
        );
        let runs: Vec<PipelineRun> = documents(&self.rows(RUNS, &key).await?)?;
        Ok(Page::of(runs, page.limit, |run| (run.created.micros(), run.id.to_string())))
    }

    async fn definition(&self, digest: &Digest) -> Result<Option<Arc<Definition>>, StorageError> {
        let sql = "SELECT document FROM pipeline_definitions WHERE digest = $1";
        Ok(document(self.rows(sql, params![digest.to_string()]).await?.first())?.map(Arc::new))
    }

    async fn steps(&self, workspace: &Name, run: PipelineRunId) -> Result<Vec<Step>, StorageError> {
        let sql = "SELECT document FROM pipeline_steps WHERE workspace = $1 AND run = $2 ORDER BY name";
        documents(&self.rows(sql, params![workspace.as_str(), run.to_string()]).await?)
    }

    async fn results(&self, workspace: &Name, run: PipelineRunId) -> Result<Vec<StepResult>, StorageError> {
        let sql = "SELECT document FROM step_results WHERE workspace = $1 AND run = $2 ORDER BY step";
        documents(&self.rows(sql, params![workspace.as_str(), run.to_string()]).await?)
    }

    async fn find_cached(&self, workspace: &Name, key: &Digest) -> Result<Option<StepResult>, StorageError> {
        document(self.rows(CACHED, params![workspace.as_str(), key.to_string()]).await?.first())
    }

    async fn ledger(
        &self,
        workspace: &Name,
        run: PipelineRunId,
        after: usize,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StorageError> {
        let sql = "SELECT l.run, l.step, l.kind, l.detail, l.at FROM step_ledger AS l \
            JOIN pipeline_runs AS r ON r.id = l.run \
            WHERE r.workspace = $1 AND l.run = $2 AND l.number > $3 ORDER BY l.number LIMIT $4";
        let key = params![workspace.as_str(), run.to_string(), after as u64, limit as u64];
        self.rows(sql, key).await?.iter().map(ledger_entry).collect()
    }

    async fn pending_approvals(&self, workspace: &Name) -> Result<Vec<Approval>, StorageError> {
        let sql = "SELECT document FROM approvals WHERE workspace = $1 AND state = 'pending' ORDER BY requested, id";
        documents(&self.rows(sql, params![workspace.as_str()]).await?)
    }

    async fn last_firing(&self, workspace: &Name, schedule: &str) -> Result<Option<i64>, StorageError> {
        let sql =
            "SELECT at FROM schedule_firings WHERE workspace = $1 AND schedule = $2 ORDER BY at DESC LIMIT 1";
        self.rows(sql, params![workspace.as_str(), schedule]).await?.first().map(|row| row.int(0)).transpose()
    }

    async fn last_firing_until(
        &self,
        workspace: &Name,
        schedule: &str,
        until_micros: i64,
    ) -> Result<Option<i64>, StorageError> {
        let sql = "SELECT at FROM schedule_firings WHERE workspace = $1 AND schedule = $2 AND at <= $3 \
            ORDER BY at DESC LIMIT 1";
        let rows = self.rows(sql, params![workspace.as_str(), schedule, until_micros]).await?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    async fn work(&self, now: MachineTime) -> Result<(Vec<Name>, Option<MachineTime>), StorageError> {
        let now = now.micros();
        self.read(move |tx| {
            Box::pin(async move {
                let busy = "SELECT DISTINCT s.workspace FROM pipeline_steps AS s \
                    JOIN pipeline_runs AS r ON r.id = s.run \
                    WHERE (s.state = 'ready' AND s.not_before <= $1 AND r.state = 'running') \
                    OR (s.state IN ('running', 'waiting') AND s.deadline <= $1) ORDER BY s.workspace";
                let busy = tx.query(busy, params![now]).await?;
                let next = "SELECT MIN(at) FROM (\
                    SELECT s.not_before AS at FROM pipeline_steps AS s JOIN pipeline_runs AS r ON r.id = s.run \
                    WHERE s.state = 'ready' AND s.not_before > $1 AND r.state = 'running' \
                    UNION ALL SELECT deadline AS at FROM pipeline_steps \
                    WHERE state IN ('running', 'waiting') AND deadline > $1) AS upcoming";
                let next = tx.query_one(next, params![now]).await?;
                let next = next.map(|row| row.opt_int(0)).transpose()?.flatten();
                let workspaces = busy.iter().map(|row| row.parsed(0)).collect::<Result<_, _>>()?;
                Ok((workspaces, next.map(MachineTime::from_micros)))
            })
        })
        .await
    }
}
