//! What another tracking server kept, brought in whole: with its own ids and times, and with one event for each
//! thing, which says that it was imported and not made here.
//!
//! Nothing here is a command: an import writes pages of things and how far it is in one, and that spans domains.
//! Whoever calls has checked names, keys and values by the rules of this crate; what is there already is
//! [`StorageError::Contended`], as in every insert.

use std::collections::BTreeMap;

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::id::RunId;
use serde_json::{Map, Value, json};

use crate::block;
use crate::experiment::{ExperimentDetail, experiment_subject};
use crate::index::DatasetRef;
use crate::logged_model::{LoggedModelDetail, logged_model_subject};
use crate::metric::Point;
use crate::port::{EncodedBlock, Texts, TrackingTx};
use crate::run::{RunDetail, run_subject};
use crate::text::Pair;

/// Something of elsewhere, and what was said of it there for which there is no place here: it stands in the event.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported<T> {
    /// The thing.
    pub detail: T,
    /// What else was said of it.
    pub elsewhere: Map<String, Value>,
}

/// Points of one metric of one run, in the order in which they are to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The run.
    pub run: RunId,
    /// The metric.
    pub key: String,
    /// The points.
    pub points: Vec<Point>,
}

fn pair((key, value): (&String, &String)) -> Pair {
    Pair { key: key.clone(), value: value.clone() }
}

fn texts(of: &BTreeMap<String, String>) -> Texts<'_> {
    of.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// Adds an experiment. Event: `experiment.imported`.
pub async fn put_experiment(
    tx: &mut dyn TrackingTx,
    imported: &Imported<ExperimentDetail>,
) -> Result<(), ExperimentError> {
    let ExperimentDetail { experiment, tags } = &imported.detail;
    tx.insert_experiment(experiment).await?;
    for tag in tags.iter().map(pair) {
        tx.put_experiment_tag(experiment.id, &tag).await?;
    }
    let body = json!({
        "name": experiment.name,
        "artifact_location": experiment.artifact_location,
        "lifecycle": experiment.lifecycle.as_str(),
        "created": experiment.created,
        "updated": experiment.updated,
        "tags": tags,
        "elsewhere": imported.elsewhere,
    });
    tx.record(Event::new("experiment.imported", experiment_subject(experiment.id), body));
    Ok(())
}

/// Adds a run with the latest points of its metrics, its parameters and tags, what went in and what came out; its
/// points come by [`put_points`]. Event: `run.imported`.
pub async fn put_run(tx: &mut dyn TrackingTx, imported: &Imported<RunDetail>) -> Result<(), ExperimentError> {
    let RunDetail { run, metrics, params, tags, attached } = &imported.detail;
    tx.insert_run(run).await?;
    tx.insert_params(run.id, &texts(params)).await?;
    tx.put_run_tags(run.id, &texts(tags)).await?;
    let latest = metrics.iter().map(|(key, latest)| (key.as_str(), *latest));
    tx.put_latest(run.id, &latest.collect()).await?;
    for input in &attached.datasets {
        tx.put_dataset_input(run, input).await?;
    }
    for model in &attached.model_inputs {
        tx.put_model_input(run.id, *model).await?;
    }
    for output in &attached.model_outputs {
        tx.put_model_output(run.id, output).await?;
    }
    let datasets = attached.datasets.iter().map(|input| DatasetRef {
        name: input.dataset.name.clone(),
        digest: input.dataset.digest.clone(),
        context: input.context().map(str::to_owned),
    });
    let body = json!({
        "experiment": run.experiment,
        "name": run.name,
        "user": run.user,
        "status": run.status.as_str(),
        "start_ms": run.start_ms,
        "end_ms": run.end_ms,
        "lifecycle": run.lifecycle.as_str(),
        "artifact_uri": run.artifact_uri,
        "params": params,
        "tags": tags,
        "metrics": metrics,
        "datasets": datasets.collect::<Vec<_>>(),
        "models_in": attached.model_inputs,
        "models_out": attached.model_outputs,
        "elsewhere": imported.elsewhere,
    });
    tx.record(Event::new("run.imported", run_subject(run.id), body));
    Ok(())
}

/// Appends points, those of one run side by side. Event: `run.points_imported`, one for each run, with the number
/// of its points and the digest of their blocks.
pub async fn put_points(tx: &mut dyn TrackingTx, series: &[Series]) -> Result<(), StorageError> {
    for of_run in series.chunk_by(|a, b| a.run == b.run) {
        let Some(run) = of_run.first().map(|first| first.run) else { continue };
        let (mut blocks, mut count) = (Vec::new(), 0);
        for Series { key, points, .. } in of_run {
            for (chunk, encoded) in points.chunks(block::MAX_POINTS).zip(block::encode(points)) {
                // One by one, since several may be of one metric.
                let block = EncodedBlock { key, points: chunk.len(), bytes: encoded };
                tx.append_blocks(run, std::slice::from_ref(&block)).await?;
                count += chunk.len();
                blocks.push(block.bytes);
            }
        }
        let digest = Digest::of_parts(blocks.iter().map(Vec::as_slice));
        let body = json!({"points": {"count": count, "digest": digest}});
        tx.record(Event::new("run.points_imported", run_subject(run), body));
    }
    Ok(())
}

/// Adds a logged model with its parameters, tags and metrics. Event: `logged_model.imported`.
pub async fn put_logged_model(
    tx: &mut dyn TrackingTx,
    imported: &Imported<LoggedModelDetail>,
) -> Result<(), StorageError> {
    let LoggedModelDetail { model, params, tags, metrics } = &imported.detail;
    tx.insert_logged_model(model).await?;
    tx.put_logged_model_params(model.id, &texts(params)).await?;
    tx.put_logged_model_tags(model.id, &texts(tags)).await?;
    tx.put_model_metrics(metrics).await?;
    let measured = metrics.iter().map(|metric| {
        json!({"run": metric.run, "key": metric.key, "dataset": metric.dataset, "point": metric.point})
    });
    let body = json!({
        "experiment": model.experiment,
        "name": model.name,
        "model_type": model.model_type,
        "source_run": model.source_run,
        "artifact_uri": model.artifact_uri,
        "status": model.status.as_str(),
        "lifecycle": model.lifecycle.as_str(),
        "created": model.created,
        "updated": model.updated,
        "params": params,
        "tags": tags,
        "metrics": measured.collect::<Vec<_>>(),
        "elsewhere": imported.elsewhere,
    });
    tx.record(Event::new("logged_model.imported", logged_model_subject(model.id), body));
    Ok(())
}
