//! The writing side.

use async_trait::async_trait;
use mainstay_core::command::Journal as _;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentId;
use mainstay_retention::command::ARTIFACTS_PURGED_TAG;
use mainstay_retention::port::{PurgeTx, Swept};
use mainstay_retention::purge::{Counts, Measure, Purge, PurgeId};
use mainstay_retention::target::{Found, Hold, Target, TargetKind};
use mainstay_traces::id::TraceId;
use mainstay_traces::port::TraceTx as _;

use super::{find, holds, number, place_of_trace, rows};
use crate::params;
use crate::quotas::Counted;
use crate::tx::StoreTx;
use crate::value::{Value, document, json_text};

/// Things of an experiment that become items at once.
const EXPANDED: u64 = 100;

const ADD_ITEM: &str = "INSERT INTO purge_items (purge, kind, id, place, measured, objects, bytes, elsewhere) \
    VALUES ($1, $2, $3, $4, 0, 0, 0, 0) ON CONFLICT (purge, kind, id) DO NOTHING";
const PUT_PURGE: &str = "INSERT INTO purges (id, workspace, started, finished, document) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (id) DO UPDATE SET finished = excluded.finished, document = excluded.document";
const MEASURED: &str = "UPDATE purge_items SET measured = 1, objects = $4, bytes = $5, elsewhere = $6 \
    WHERE purge = $1 AND kind = $2 AND id = $3 AND measured = 0";
const TAKE_ITEM: &str = "DELETE FROM purge_items WHERE purge = $1 AND kind = $2 AND id = $3 AND measured = 1 \
    RETURNING objects, bytes, elsewhere";
const MODELS_OF_RUN: &str = "DELETE FROM logged_models WHERE workspace = $1 AND source_run = $2 \
    RETURNING id, artifact_uri";
const RUNS_IN: &str = "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE experiment = $1 LIMIT $2) \
    RETURNING id, artifact_uri";
const MODELS_IN: &str = "DELETE FROM logged_models WHERE id IN (SELECT id FROM logged_models WHERE experiment = $1 \
    LIMIT $2) RETURNING id, artifact_uri";
const TRACES_IN: &str = "SELECT id FROM traces WHERE experiment = $1 LIMIT $2";

#[async_trait]
impl PurgeTx for StoreTx {
    async fn find_target(&mut self, target: &Target) -> Result<Option<Found>, StorageError> {
        let workspace = self.workspace().clone();
        find(self, workspace.as_str(), target).await
    }

    async fn holds(&mut self, found: &Found) -> Result<Vec<Hold>, StorageError> {
        let workspace = self.workspace().clone();
        holds::holds(self, workspace.as_str(), found).await
    }

    async fn hide(&mut self, purge: PurgeId, found: &Found) -> Result<Counts, StorageError> {
        let (target, mut counts) = (&found.target, Counts::default());
        match target.kind {
            TargetKind::Trace => {
                self.delete_trace(found.experiment, &trace_id(&target.id)?).await?;
            }
            TargetKind::RunArtifacts => {
                let sql = "INSERT INTO run_tags (run, key, value) VALUES ($1, $2, $3) \
                    ON CONFLICT (run, key) DO UPDATE SET value = excluded.value";
                self.execute(sql, params![&target.id, ARTIFACTS_PURGED_TAG, purge.to_string()]).await?;
            }
            TargetKind::LoggedModel => {
                self.execute("DELETE FROM logged_models WHERE id = $1", params![&target.id]).await?;
            }
            TargetKind::Run => {
                let key = params![self.workspace().as_str(), &target.id];
                for row in self.query(MODELS_OF_RUN, key).await? {
                    let model = Target { kind: TargetKind::LoggedModel, id: row.text(0)?.to_owned() };
                    self.add_item(purge, &model, row.text(1)?).await?;
                    counts.add(model.kind, 1);
                }
                self.execute("DELETE FROM runs WHERE id = $1", params![&target.id]).await?;
                self.uncount(Counted::Runs).await?;
            }
            TargetKind::Experiment => {
                let sql = "INSERT INTO purged_experiments (id, purge) VALUES ($1, $2)";
                self.execute(sql, params![found.experiment.0, purge.to_string()]).await?;
                self.execute("DELETE FROM experiments WHERE id = $1", params![found.experiment.0]).await?;
                self.uncount(Counted::Experiments).await?;
            }
        }
        self.add_item(purge, target, &found.place).await?;
        counts.add(target.kind, 1);
        Ok(counts)
    }

    async fn put_purge(&mut self, purge: &Purge) -> Result<(), StorageError> {
        let row = params![
            purge.id.to_string(),
            self.workspace().as_str(),
            purge.started.micros(),
            purge.finished.map(mainstay_core::time::MachineTime::micros),
            json_text(purge)?,
        ];
        self.execute(PUT_PURGE, row).await.map(drop)
    }

    async fn find_purge(&mut self, id: PurgeId) -> Result<Option<Purge>, StorageError> {
        let sql = "SELECT document FROM purges WHERE id = $1 AND workspace = $2";
        document(self.query_one(sql, params![id.to_string(), self.workspace().as_str()]).await?.as_ref())
    }

    async fn note_measured(
        &mut self,
        purge: PurgeId,
        target: &Target,
        measure: Measure,
    ) -> Result<(), StorageError> {
        let row = params![
            purge.to_string(),
            target.kind.as_str(),
            &target.id,
            measure.objects,
            measure.bytes,
            measure.elsewhere,
        ];
        self.execute(MEASURED, row).await.map(drop)
    }

    async fn sweep(&mut self, purge: PurgeId, items: &[Target], most: u64) -> Result<Swept, StorageError> {
        let (mut swept, mut left) = (Swept::default(), most);
        for item in items {
            if item.kind == TargetKind::Experiment && self.expand(purge, &item.id, &mut swept).await? {
                continue;
            }
            left = self.sweep_rows(item, left, &mut swept).await?;
            if left == 0 {
                break;
            }
            let taken = params![purge.to_string(), item.kind.as_str(), &item.id];
            if let Some(row) = self.query_one(TAKE_ITEM, taken).await? {
                swept.objects = swept.objects.saturating_add(row.count(0)?);
                swept.bytes = swept.bytes.saturating_add(row.count(1)?);
                swept.elsewhere = swept.elsewhere.saturating_add(row.count(2)?);
            }
        }
        self.free_bytes(swept.bytes).await?;
        Ok(swept)
    }

    async fn items_left(&mut self, purge: PurgeId) -> Result<u64, StorageError> {
        let sql = "SELECT COUNT(*) FROM purge_items WHERE purge = $1";
        self.query_one(sql, params![purge.to_string()]).await?.map_or(Ok(0), |row| row.count(0))
    }
}

fn trace_id(text: &str) -> Result<TraceId, StorageError> {
    TraceId::parse(text).map_err(|error| StorageError::Corrupt(error.to_string()))
}

impl StoreTx {
    async fn add_item(&mut self, purge: PurgeId, target: &Target, place: &str) -> Result<(), StorageError> {
        let row = params![purge.to_string(), target.kind.as_str(), &target.id, place];
        self.execute(ADD_ITEM, row).await.map(drop)
    }

    /// Removes rows of an item; gives how many more may be removed, which is 0 if there may be more of these.
    async fn sweep_rows(
        &mut self,
        item: &Target,
        mut left: u64,
        swept: &mut Swept,
    ) -> Result<u64, StorageError> {
        let key = match item.kind {
            TargetKind::Experiment => Value::from(number(&item.id)?.0),
            _ => Value::from(&item.id),
        };
        for sql in rows::of(item.kind) {
            let gone = self.execute(sql, params![key.clone(), left]).await?;
            swept.rows = swept.rows.saturating_add(gone);
            left = left.saturating_sub(gone);
            if left == 0 {
                break;
            }
        }
        Ok(left)
    }

    /// Makes items of some of what lies in an experiment; `false` if there is nothing in it.
    async fn expand(&mut self, purge: PurgeId, id: &str, swept: &mut Swept) -> Result<bool, StorageError> {
        let experiment = number(id)?;
        let key = params![experiment.0, EXPANDED];
        let mut found = false;
        for (kind, sql) in [(TargetKind::Run, RUNS_IN), (TargetKind::LoggedModel, MODELS_IN)] {
            for row in self.query(sql, key).await? {
                found = true;
                swept.found.add(kind, 1);
                let target = Target { kind, id: row.text(0)?.to_owned() };
                self.add_item(purge, &target, row.text(1)?).await?;
                if kind == TargetKind::Run {
                    self.uncount(Counted::Runs).await?;
                }
            }
        }
        let traces = self.query(TRACES_IN, key).await?;
        for row in &traces {
            self.take_trace(purge, experiment, row.text(0)?, swept).await?;
        }
        Ok(found || !traces.is_empty())
    }

    async fn take_trace(
        &mut self,
        purge: PurgeId,
        experiment: ExperimentId,
        id: &str,
        swept: &mut Swept,
    ) -> Result<(), StorageError> {
        let sql = "SELECT place FROM purge_items WHERE purge = $1 AND kind = 'experiment' AND id = $2";
        let place = self.query_one(sql, params![purge.to_string(), experiment.to_string()]).await?;
        let place = place.map_or(Ok(String::new()), |row| row.text(0).map(str::to_owned))?;
        self.delete_trace(experiment, &trace_id(id)?).await?;
        let target = Target { kind: TargetKind::Trace, id: id.to_owned() };
        self.add_item(purge, &target, &place_of_trace(&place, id)).await?;
        swept.found.add(TargetKind::Trace, 1);
        swept.traces.entry(experiment).or_default().push(id.to_owned());
        Ok(())
    }
}
