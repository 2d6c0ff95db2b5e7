//! The port of quotas. One statement counts, and gives the limit; where a workspace has none, it finds no row.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_retention::quota::{Limits, Quota, QuotaReader, QuotaTx, Usage};

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::{Row, json_text};

const RUNS: &str = "UPDATE quota_usage SET runs = runs + $2 WHERE workspace = $1 RETURNING runs, max_runs";
const EXPERIMENTS: &str = "UPDATE quota_usage SET experiments = experiments + $2 WHERE workspace = $1 \
    RETURNING experiments, max_experiments";
const TRACES: &str = "UPDATE quota_usage SET traces = CASE WHEN day = $2 THEN traces + 1 ELSE 1 END, day = $2 \
    WHERE workspace = $1 AND NOT EXISTS (SELECT 1 FROM traces WHERE id = $3) RETURNING traces, max_traces";
const COUNT: &str = "INSERT INTO quota_usage (workspace, experiments, runs, day, traces, bytes) \
    SELECT $1, (SELECT COUNT(*) FROM experiments WHERE workspace = $1), \
    (SELECT COUNT(*) FROM runs WHERE workspace = $1), 0, 0, 0 \
    WHERE NOT EXISTS (SELECT 1 FROM quota_usage WHERE workspace = $1)";
const HAS: &str = "SELECT (SELECT COUNT(*) FROM experiments WHERE workspace = $1), \
    (SELECT COUNT(*) FROM runs WHERE workspace = $1)";
const LIMIT: &str = "UPDATE quota_usage SET max_experiments = $2, max_runs = $3, max_traces = $4, max_bytes = $5 \
    WHERE workspace = $1";
const USAGE: &str = "SELECT experiments, max_experiments, runs, max_runs, day, traces, max_traces, bytes, max_bytes, \
    measured FROM quota_usage WHERE workspace = $1";
const MEASURED: &str =
    "SELECT workspace, measured FROM quota_usage WHERE max_bytes IS NOT NULL ORDER BY workspace";

/// What is counted as it is added.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    Experiments,
    Runs,
}

impl Counted {
    const fn sql(self) -> &'static str {
        match self {
            Self::Experiments => EXPERIMENTS,
            Self::Runs => RUNS,
        }
    }

    const fn quota(self) -> Quota {
        match self {
            Self::Experiments => Quota::Experiments,
            Self::Runs => Quota::Runs,
        }
    }
}

impl StoreTx {
    /// Counts one that comes, if it may.
    pub(crate) async fn count(&mut self, what: Counted) -> Result<(), ExperimentError> {
        let row = self.query_one(what.sql(), params![self.workspace().as_str(), 1_i64]).await?;
        admit(what.quota(), row.as_ref())
    }

    /// Counts one that goes.
    pub(crate) async fn uncount(&mut self, what: Counted) -> Result<(), StorageError> {
        self.query_one(what.sql(), params![self.workspace().as_str(), -1_i64]).await.map(drop)
    }

    /// Takes bytes of artifacts that were removed from those of the workspace.
    pub(crate) async fn free_bytes(&mut self, bytes: u64) -> Result<(), StorageError> {
        let sql = "UPDATE quota_usage SET bytes = CASE WHEN bytes > $2 THEN bytes - $2 ELSE 0 END WHERE workspace = $1";
        self.execute(sql, params![self.workspace().as_str(), bytes]).await.map(drop)
    }

    /// Counts a trace if it is new, if it may come.
    pub(crate) async fn count_trace(&mut self, id: &str) -> Result<(), ExperimentError> {
        let key = params![self.workspace().as_str(), self.now.day(), id];
        let row = self.query_one(TRACES, key).await?;
        admit(Quota::TracesPerDay, row.as_ref())
    }
}

/// Asks the quota about what a statement counted, and the limit beside it; without a row there is none.
fn admit(quota: Quota, row: Option<&Row>) -> Result<(), ExperimentError> {
    let Some(row) = row else { return Ok(()) };
    let admitted = quota.admits(row.count(0)?, limit(row, 1)?);
    admitted.map_err(|over| ExperimentError::Quota(over.into()))
}

fn limit(row: &Row, column: usize) -> Result<Option<u64>, StorageError> {
    Ok(row.opt_int(column)?.and_then(|most| u64::try_from(most).ok()))
}

#[async_trait]
impl QuotaTx for StoreTx {
    async fn limits(&mut self) -> Result<Limits, StorageError> {
        let key = params![self.workspace().as_str()];
        let row = self.query_one("SELECT document FROM quotas WHERE workspace = $1", key).await?;
        row.map_or_else(|| Ok(Limits::default()), |row| row.json(0))
    }

    async fn put_limits(&mut self, limits: &Limits) -> Result<(), StorageError> {
        let workspace = self.workspace().to_string();
        if limits.is_empty() {
            self.execute("DELETE FROM quota_usage WHERE workspace = $1", params![&workspace]).await?;
            return self
                .execute("DELETE FROM quotas WHERE workspace = $1", params![workspace])
                .await
                .map(drop);
        }
        let sql = "INSERT INTO quotas (workspace, document) VALUES ($1, $2) \
            ON CONFLICT (workspace) DO UPDATE SET document = excluded.document";
        self.execute(sql, params![&workspace, json_text(limits)?]).await?;
        self.execute(COUNT, params![&workspace]).await?;
        let Limits { experiments, runs, traces_per_day, artifact_bytes } = *limits;
        let row = params![workspace, experiments, runs, traces_per_day, artifact_bytes];
        self.execute(LIMIT, row).await.map(drop)
    }

    async fn add_bytes(&mut self, bytes: u64) -> Result<(), StorageError> {
        let sql = "UPDATE quota_usage SET bytes = bytes + $2 WHERE workspace = $1";
        self.execute(sql, params![self.workspace().as_str(), bytes]).await.map(drop)
    }

    async fn put_bytes(&mut self, bytes: u64) -> Result<(), StorageError> {
        let sql = "UPDATE quota_usage SET bytes = $2, measured = $3 WHERE workspace = $1";
        self.execute(sql, params![self.workspace().as_str(), bytes, self.now.micros()]).await.map(drop)
    }
}

#[async_trait]
impl QuotaReader for Reader {
    async fn usage(&self, workspace: &Name) -> Result<Option<Usage>, StorageError> {
        let rows = self.rows(USAGE, params![workspace.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Usage {
            limits: Limits {
                experiments: limit(row, 1)?,
                runs: limit(row, 3)?,
                traces_per_day: limit(row, 6)?,
                artifact_bytes: limit(row, 8)?,
            },
            experiments: row.count(0)?,
            runs: row.count(2)?,
            traces: (row.int(4)?, row.count(5)?),
            artifact_bytes: row.count(7)?,
            measured: row.opt_int(9)?.map(MachineTime::from_micros),
        }))
    }

    async fn count(&self, workspace: &Name) -> Result<Usage, StorageError> {
        let rows = self.rows(HAS, params![workspace.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(Usage::default()) };
        Ok(Usage { experiments: row.count(0)?, runs: row.count(1)?, ..Usage::default() })
    }

    async fn measured(&self) -> Result<Vec<(Name, Option<MachineTime>)>, StorageError> {
        let rows = self.rows(MEASURED, params![]).await?;
        rows.iter().map(|row| Ok((row.parsed(0)?, row.opt_int(1)?.map(MachineTime::from_micros)))).collect()
    }
}
