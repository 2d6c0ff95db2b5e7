//! Logging: metric points, parameters and tags of a run, whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{active_run, known_logged_model};
use crate::batch::Batch;
use crate::block;
use crate::error::TrackingError;
use crate::logged_model::ModelMetric;
use crate::metric::{Latest, fold_latest};
use crate::port::{EncodedBlock, Texts, TrackingTx, texts};
use crate::run::{RUN_NAME_TAG, Run, run_subject};
use crate::text::checked_key;

/// Logs a batch. A parameter that has the same value already is left alone, one that has another
/// refuses the whole batch. Event: `run.logged`, with the parameters and tags, the latest point of
/// each metric that moved, and the number and digest of all points.
#[derive(Debug, Clone)]
pub struct LogBatch {
    /// Where.
    pub workspace: Name,
    /// For which run.
    pub run: RunId,
    /// What.
    pub batch: Batch,
}

impl LogBatch {
    async fn log_params(&self, tx: &mut dyn TrackingTx) -> Result<Texts<'_>, TrackingError> {
        let mut logged = texts(self.batch.params());
        let keys: Vec<&str> = self.batch.params().iter().map(|param| param.key.as_str()).collect();
        let mut known = tx.params(self.run, &keys).await?;
        for param in self.batch.params() {
            match known.remove(&param.key) {
                None => {}
                Some(old) if old == param.value => drop(logged.remove(param.key.as_str())),
                Some(old) => {
                    let (run, key, new) = (self.run, param.key.clone(), param.value.clone());
                    return Err(TrackingError::ParamChanged { run, key, old, new });
                }
            }
        }
        tx.insert_params(self.run, &logged).await?;
        Ok(logged)
    }

    async fn log_tags(&self, tx: &mut dyn TrackingTx, mut run: Run) -> Result<Texts<'_>, TrackingError> {
        let mut logged = texts(self.batch.tags());
        // No run is without a name: an empty one changes nothing.
        logged.retain(|key, value| *key != RUN_NAME_TAG || !value.is_empty());
        tx.put_run_tags(self.run, &logged).await?;
        if let Some(name) = logged.get(RUN_NAME_TAG) {
            (*name).clone_into(&mut run.name);
            tx.update_run(&run).await?;
        }
        Ok(logged)
    }

    /// Appends the blocks; gives the latest points that moved, and the digest of all blocks in the
    /// order of their keys.
    async fn log_metrics(
        &self,
        tx: &mut dyn TrackingTx,
    ) -> Result<(BTreeMap<&str, Latest>, Digest), TrackingError> {
        let (mut moved, mut blocks) = (BTreeMap::new(), Vec::new());
        let series = self.batch.series();
        let keys: Vec<&str> = series.keys().copied().collect();
        let known = tx.latest(self.run, &keys).await?;
        for (key, points) in series {
            // A batch is smaller than a block, so this is one.
            let encoded = block::encode(&points).into_iter();
            blocks.extend(encoded.map(|bytes| EncodedBlock { key, points: points.len(), bytes }));
            let old = known.get(key).copied();
            if let Some(latest) = fold_latest(old, &points).filter(|latest| Some(*latest) != old) {
                moved.insert(key, latest);
            }
        }
        tx.append_blocks(self.run, &blocks).await?;
        tx.put_latest(self.run, &moved).await?;
        self.judge_models(tx).await?;
        Ok((moved, Digest::of_parts(blocks.iter().map(|block| block.bytes.as_slice()))))
    }

    /// Notes the points that judge logged models.
    async fn judge_models(&self, tx: &mut dyn TrackingTx) -> Result<(), TrackingError> {
        let judged = self.batch.metrics().iter().filter_map(|metric| {
            let (model, run, key) = (metric.model?, self.run, metric.key.clone());
            Some(ModelMetric { model, run, key, dataset: metric.dataset.clone(), point: metric.point })
        });
        let judged: Vec<ModelMetric> = judged.collect();
        for model in judged.iter().map(|metric| metric.model).collect::<BTreeSet<_>>() {
            known_logged_model(tx, model).await?;
        }
        tx.put_model_metrics(&judged).await?;
        Ok(())
    }
}

#[async_trait]
impl Command for LogBatch {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        let run = active_run(tx, self.run).await?;
        let params = self.log_params(tx).await?;
        let (metrics, digest) = self.log_metrics(tx).await?;
        let tags = self.log_tags(tx, run).await?;
        let points = self.batch.metrics().len();
        if points > 0 || !params.is_empty() || !tags.is_empty() {
            let mut body = json!({"params": params, "tags": tags, "metrics": metrics});
            if points > 0 {
                body["points"] = json!({"count": points, "digest": digest});
            }
            tx.record(Event::new("run.logged", run_subject(self.run), body));
        }
        Ok(())
    }
}

/// Removes a tag of a run. Event: `run.untagged`.
#[derive(Debug, Clone)]
pub struct DeleteRunTag {
    /// Where.
    pub workspace: Name,
    /// Of which run.
    pub run: RunId,
    /// The tag's key.
    pub key: String,
}

#[async_trait]
impl Command for DeleteRunTag {
    type Tx = dyn TrackingTx;
    type Out = ();
    type Error = TrackingError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), run_subject(self.run))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TrackingError> {
        let key = checked_key(self.key.clone())?;
        active_run(tx, self.run).await?;
        if !tx.delete_run_tag(self.run, &key).await? {
            return Err(TrackingError::NoTag { key, of: format!("run with id {}", self.run) });
        }
        tx.record(Event::new("run.untagged", run_subject(self.run), json!({"key": key})));
        Ok(())
    }
}
