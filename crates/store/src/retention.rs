//! The port of retention rules, and what they may take.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_retention::port::{RuleReader, RuleTx, StandingRule};
use mainstay_retention::rule::{Candidate, Rule, RuleKind, Window};
use mainstay_retention::target::Target;

use crate::params;
use crate::reader::{ReadTx, Reader};
use crate::tx::StoreTx;
use crate::value::{Row, json_text};

const RULES: &str = "SELECT r.workspace, r.document, a.applied FROM retention_rules r LEFT JOIN retention_applied a \
    ON a.workspace = r.workspace AND a.name = r.name WHERE r.workspace = $1 ORDER BY r.name";
const ALL_RULES: &str = "SELECT r.workspace, r.document, a.applied FROM retention_rules r \
    LEFT JOIN retention_applied a ON a.workspace = r.workspace AND a.name = r.name ORDER BY r.workspace, r.name";

/// What is asked of each kind. `$1` is the workspace, `$2` an experiment or -1, `$3` how many of the newest stay, `$4` an
/// end that lies behind, `$5` 1 for deleted things alone, `$6` the id before, `$7` how many. The columns are `id,
/// experiment, ended, gone, place`, and when the newest event about the thing and about its experiment was. What is
/// deleted takes no more events but that of its artifacts: its newest other one is that of its deletion.
macro_rules! candidates {
    ($inner:expr, $gone_at:expr) => {
        concat!(
            "SELECT x.id, x.experiment, x.ended, x.gone, x.place, ",
            $gone_at,
            " FROM (",
            $inner,
            ") x WHERE x.place > $3 AND (x.ended < $4 OR (x.ended IS NULL AND $5 = 1)) ",
            "AND (x.gone = 1 OR $5 = 0) AND x.id > $6 ORDER BY x.id LIMIT $7"
        )
    };
}

/// Runs, the active ones first and the newest of these first; those that go on are newer than those that ended.
macro_rules! runs {
    ($further:literal) => {
        concat!(
            "SELECT r.id, r.experiment, r.end_ms AS ended, e.lifecycle AS outer_lifecycle, ",
            "CASE WHEN r.lifecycle = 'deleted' THEN 1 ELSE 0 END AS gone, ",
            "ROW_NUMBER() OVER (PARTITION BY r.experiment ORDER BY CASE WHEN r.lifecycle = 'deleted' THEN 1 ELSE 0 END, ",
            "CASE WHEN r.end_ms IS NULL THEN 0 ELSE 1 END, r.end_ms DESC, r.id DESC) AS place ",
            "FROM runs r JOIN experiments e ON e.id = r.experiment ",
            "WHERE r.workspace = $1 AND ($2 < 0 OR r.experiment = $2)",
            $further
        )
    };
}

macro_rules! run_gone_at {
    () => {
        "(SELECT v.at FROM events v WHERE v.subject = 'run:' || x.id \
         AND v.kind <> 'run.artifacts_purged' ORDER BY v.seq DESC LIMIT 1), \
         CASE WHEN x.outer_lifecycle = 'deleted' THEN (SELECT v.at FROM events v \
         WHERE v.subject = 'experiment:' || x.experiment ORDER BY v.seq DESC LIMIT 1) ELSE NULL END"
    };
}

const RUNS: &str = candidates!(runs!(""), run_gone_at!());
const RUN_ARTIFACTS: &str = candidates!(
    runs!(
        " AND NOT EXISTS (SELECT 1 FROM run_tags t WHERE t.run = r.id AND t.key = 'mainstay.artifacts_purged')"
    ),
    run_gone_at!()
);
const TRACES: &str = candidates!(
    "SELECT t.id, t.experiment, t.request_ms + COALESCE(t.duration_ms, 0) AS ended, 0 AS gone, \
     ROW_NUMBER() OVER (PARTITION BY t.experiment ORDER BY t.request_ms + COALESCE(t.duration_ms, 0) DESC, t.id DESC) \
     AS place FROM traces t JOIN experiments e ON e.id = t.experiment \
     WHERE t.workspace = $1 AND ($2 < 0 OR t.experiment = $2)",
    "NULL, NULL"
);
const LOGGED_MODELS: &str = candidates!(
    "SELECT m.id, m.experiment, m.updated / 1000 AS ended, m.updated AS updated, \
     CASE WHEN m.lifecycle = 'deleted' THEN 1 ELSE 0 END AS gone, \
     ROW_NUMBER() OVER (PARTITION BY m.experiment ORDER BY CASE WHEN m.lifecycle = 'deleted' THEN 1 ELSE 0 END, \
     m.updated DESC, m.id DESC) AS place FROM logged_models m JOIN experiments e ON e.id = m.experiment \
     WHERE m.workspace = $1 AND ($2 < 0 OR m.experiment = $2)",
    "x.updated, NULL"
);
/// The default experiment is always there.
const EXPERIMENTS: &str = candidates!(
    "SELECT CAST(e.id AS TEXT) AS id, e.id AS experiment, e.updated / 1000 AS ended, e.updated AS updated, \
     CASE WHEN e.lifecycle = 'deleted' THEN 1 ELSE 0 END AS gone, 1 AS place \
     FROM experiments e WHERE e.workspace = $1 AND ($2 < 0 OR e.id = $2) AND e.id > 0",
    "x.updated, NULL"
);

#[async_trait]
impl RuleTx for StoreTx {
    async fn other_rules(&mut self, name: &Name) -> Result<u64, StorageError> {
        let sql = "SELECT COUNT(*) FROM retention_rules WHERE workspace = $1 AND name <> $2";
        let row = self.query_one(sql, params![self.workspace().as_str(), name.as_str()]).await?;
        row.map_or(Ok(0), |row| row.count(0))
    }

    async fn put_rule(&mut self, rule: &Rule) -> Result<(), StorageError> {
        let sql = "INSERT INTO retention_rules (workspace, name, document) VALUES ($1, $2, $3) \
            ON CONFLICT (workspace, name) DO UPDATE SET document = excluded.document";
        let row = params![self.workspace().as_str(), rule.name.as_str(), json_text(rule)?];
        self.execute(sql, row).await.map(drop)
    }

    async fn delete_rule(&mut self, name: &Name) -> Result<bool, StorageError> {
        let key = [self.workspace().as_str().into(), name.as_str().into()];
        self.execute("DELETE FROM retention_applied WHERE workspace = $1 AND name = $2", &key).await?;
        let sql = "DELETE FROM retention_rules WHERE workspace = $1 AND name = $2";
        Ok(self.execute(sql, &key).await? > 0)
    }

    async fn note_applied(&mut self, name: &Name, at: MachineTime) -> Result<(), StorageError> {
        let sql = "INSERT INTO retention_applied (workspace, name, applied) VALUES ($1, $2, $3) \
            ON CONFLICT (workspace, name) DO UPDATE SET applied = excluded.applied";
        self.execute(sql, params![self.workspace().as_str(), name.as_str(), at.micros()]).await.map(drop)
    }
}

#[async_trait]
impl RuleReader for Reader {
    async fn rules(&self, workspace: &Name) -> Result<Vec<StandingRule>, StorageError> {
        let rows = self.rows(RULES, params![workspace.as_str()]).await?;
        rows.iter().map(|row| Ok(rule(row)?.1)).collect()
    }

    async fn all_rules(&self) -> Result<Vec<(Name, StandingRule)>, StorageError> {
        self.rows(ALL_RULES, params![]).await?.iter().map(rule).collect()
    }

    async fn candidates(
        &self,
        workspace: &Name,
        kind: RuleKind,
        experiment: Option<ExperimentId>,
        window: &Window,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Candidate>, StorageError> {
        let sql = match kind {
            RuleKind::Runs => RUNS,
            RuleKind::RunArtifacts => RUN_ARTIFACTS,
            RuleKind::Traces => TRACES,
            RuleKind::LoggedModels => LOGGED_MODELS,
            RuleKind::Experiments => EXPERIMENTS,
        };
        let experiment = experiment.map_or(-1, |id| i64::try_from(id.0).unwrap_or(i64::MAX));
        let key = params![
            workspace.as_str(),
            experiment,
            window.keep_last,
            window.ended_before_ms.unwrap_or(i64::MAX),
            window.deleted_until.is_some(),
            after,
            limit as u64,
        ]
        .to_vec();
        let with_tags = window.with_tags;
        self.read(move |tx| {
            Box::pin(async move {
                let rows = tx.query(sql, &key).await?;
                let mut found = rows.iter().map(|row| candidate(kind, row)).collect::<Result<Vec<_>, _>>()?;
                if with_tags {
                    for candidate in &mut found {
                        candidate.tags = tags(tx, kind, &candidate.target).await?;
                    }
                }
                Ok(found)
            })
        })
        .await
    }
}

fn rule(row: &Row) -> Result<(Name, StandingRule), StorageError> {
    let applied = row.opt_int(2)?.map(MachineTime::from_micros);
    Ok((row.parsed(0)?, StandingRule { rule: row.json(1)?, applied }))
}

fn candidate(kind: RuleKind, row: &Row) -> Result<Candidate, StorageError> {
    let gone_at = row.opt_int(5)?.max(row.opt_int(6)?).map(MachineTime::from_micros);
    Ok(Candidate {
        target: Target { kind: kind.target(), id: row.text(0)?.to_owned() },
        experiment: ExperimentId(row.count(1)?),
        ended_ms: row.opt_int(2)?,
        deleted: gone_at.filter(|_| row.flag(3).unwrap_or_default()),
        place: row.count(4)?,
        tags: Vec::new(),
    })
}

async fn tags(
    tx: &mut ReadTx,
    kind: RuleKind,
    target: &Target,
) -> Result<Vec<(String, String)>, StorageError> {
    let key = params![&target.id];
    let rows = match kind {
        RuleKind::Runs | RuleKind::RunArtifacts => {
            tx.query("SELECT key, value FROM run_tags WHERE run = $1", key).await?
        }
        RuleKind::Traces => tx.query("SELECT key, value FROM trace_tags WHERE trace = $1", key).await?,
        RuleKind::LoggedModels => {
            tx.query("SELECT key, value FROM logged_model_tags WHERE model = $1", key).await?
        }
        RuleKind::Experiments => {
            let sql = "SELECT key, value FROM experiment_tags WHERE experiment = $1";
            let number = ExperimentId::parse(&target.id).map_err(|e| StorageError::Corrupt(e.to_string()))?;
            tx.query(sql, params![number.0]).await?
        }
    };
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect()
}
