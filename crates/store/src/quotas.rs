//! The port of quotas. One statement counts and compares; where a workspace has no limit, it finds no row.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_retention::quota::{Limits, QuotaReader, QuotaTx, Usage};

use crate::params;
use crate::reader::Reader;
use crate::tx::StoreTx;
use crate::value::json_text;

const RUNS: &str = "UPDATE quota_usage SET runs = runs + $2 WHERE workspace = $1 RETURNING runs, max_runs";
const EXPERIMENTS: &str = "UPDATE quota_usage SET experiments = experiments + $2 WHERE workspace = $1 \
    RETURNING experiments, max_experiments";
const TRACES: &str = "UPDATE quota_usage SET traces = CASE WHEN day = $2 THEN traces + 1 ELSE 1 END, day = $2 \
    WHERE workspace = $1 AND NOT EXISTS (SELECT 1 FROM traces WHERE id = $3) RETURNING traces, max_traces";
const COUNT: &str = "INSERT INTO quota_usage (workspace, experiments, runs, day, traces, bytes) \
    SELECT $1, (SELECT COUNT(*) FROM experiments WHERE workspace = $1), \
    (SELECT COUNT(*) FROM runs WHERE workspace = $1), 0, 0, 0 \
    WHERE NOT EXISTS (SELECT 1 FROM quota_usage WHERE workspace = $1)";
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

impl StoreTx {
    /// Counts things that come, or go; refuses if there is one too many.
    pub(crate) async fn count(&mut self, what: Counted, by: i64) -> Result<(), StorageError> {
        let (sql, name) = match what {
            Counted::Experiments => (EXPERIMENTS, "experiments"),
            Counted::Runs => (RUNS, "runs"),
        };
        let row = self.query_one(sql, params![self.workspace().as_str(), by]).await?;
        match row {
            Some(row) if by > 0 => within(row.int(0)?, row.opt_int(1)?, name),
            _ => Ok(()),
        }
    }

    /// Takes bytes of artifacts that were removed from those of the workspace.
    pub(crate) async fn free_bytes(&mut self, bytes: u64) -> Result<(), StorageError> {
        let sql = "UPDATE quota_usage SET bytes = CASE WHEN bytes > $2 THEN bytes - $2 ELSE 0 END WHERE workspace = $1";
        self.execute(sql, params![self.workspace().as_str(), bytes]).await.map(drop)
    }

    /// Counts a trace, if it is new.
    pub(crate) async fn count_trace(&mut self, id: &str) -> Result<(), StorageError> {
        let key = params![self.workspace().as_str(), self.now.day(), id];
        match self.query_one(TRACES, key).await? {
            Some(row) => within(row.int(0)?, row.opt_int(1)?, "new traces a day"),
            None => Ok(()),
        }
    }
}

fn within(used: i64, limit: Option<i64>, what: &'static str) -> Result<(), StorageError> {
    match limit {
        Some(limit) if used > limit => {
            Err(StorageError::OverQuota { what, limit: u64::try_from(limit).unwrap_or_default() })
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl QuotaTx for StoreTx {
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
        let limit =
            |column| Ok::<_, StorageError>(row.opt_int(column)?.and_then(|most| u64::try_from(most).ok()));
        Ok(Some(Usage {
            limits: Limits {
                experiments: limit(1)?,
                runs: limit(3)?,
                traces_per_day: limit(6)?,
                artifact_bytes: limit(8)?,
            },
            experiments: row.count(0)?,
            runs: row.count(2)?,
            traces: (row.int(4)?, row.count(5)?),
            artifact_bytes: row.count(7)?,
            measured: row.opt_int(9)?.map(MachineTime::from_micros),
        }))
    }

    async fn measured(&self) -> Result<Vec<(Name, Option<MachineTime>)>, StorageError> {
        let rows = self.rows(MEASURED, params![]).await?;
        rows.iter().map(|row| Ok((row.parsed(0)?, row.opt_int(1)?.map(MachineTime::from_micros)))).collect()
    }
}
