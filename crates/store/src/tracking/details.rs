//! Runs and logged models with everything that hangs on them: one query for each table and chunk of
//! ids, never one for each run.

use std::collections::{BTreeMap, HashMap};

use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_tracking::input::{DatasetInput, ModelOutput};
use mainstay_tracking::logged_model::{LoggedModelDetail, LoggedModelId, ModelMetric};
use mainstay_tracking::metric::Point;
use mainstay_tracking::run::{Attachments, RunDetail};
use mainstay_tracking::search::LookedAt;

use super::{logged_model, point, run};
use crate::reader::ReadTx;
use crate::value::{Row, Value};

/// How many ids the wide texts take. Positions that are left over hold `''`, which is no id.
pub(super) const CHUNK: usize = 50;

macro_rules! run_texts {
    ($ids:literal) => {
        RunTexts {
            runs: concat!(
                "SELECT id, experiment, name, user_name, status, start_ms, end_ms, lifecycle, artifact_uri, ",
                "workspace FROM runs WHERE EXISTS (SELECT 1 FROM experiments e WHERE e.id = runs.experiment) AND id IN (",
                $ids,
                ")"
            ),
            metrics: concat!(
                "SELECT run, key, step, timestamp_ms, value FROM run_metrics WHERE run IN (",
                $ids,
                ")"
            ),
            params: concat!("SELECT run, key, value FROM run_params WHERE run IN (", $ids, ")"),
            tags: concat!("SELECT run, key, value FROM run_tags WHERE run IN (", $ids, ")"),
            datasets: concat!(
                "SELECT i.run, d.description, i.tags FROM run_dataset_inputs i JOIN run_datasets d ",
                "ON d.experiment = i.experiment AND d.name = i.name AND d.digest = i.digest WHERE i.run IN (",
                $ids,
                ") ORDER BY i.run, i.name, i.digest"
            ),
            model_inputs: concat!(
                "SELECT run, model FROM run_model_inputs WHERE run IN (",
                $ids,
                ") ORDER BY run, model"
            ),
            model_outputs: concat!(
                "SELECT run, model, step FROM run_model_outputs WHERE run IN (",
                $ids,
                ") ORDER BY run, step, model"
            ),
        }
    };
}

macro_rules! model_texts {
    ($ids:literal) => {
        ModelTexts {
            models: concat!(
                "SELECT id, experiment, name, model_type, source_run, artifact_uri, status, lifecycle, ",
                "created, updated, workspace FROM logged_models ",
                "WHERE EXISTS (SELECT 1 FROM experiments e WHERE e.id = logged_models.experiment) AND id IN (",
                $ids,
                ")"
            ),
            params: concat!("SELECT model, key, value FROM logged_model_params WHERE model IN (", $ids, ")"),
            tags: concat!("SELECT model, key, value FROM logged_model_tags WHERE model IN (", $ids, ")"),
            metrics: concat!(
                "SELECT model, run, key, dataset_name, dataset_digest, step, timestamp_ms, value ",
                "FROM logged_model_metrics WHERE model IN (",
                $ids,
                ") ORDER BY model, run, key, dataset_name, dataset_digest, step, timestamp_ms"
            ),
        }
    };
}

struct RunTexts {
    runs: &'static str,
    metrics: &'static str,
    params: &'static str,
    tags: &'static str,
    datasets: &'static str,
    model_inputs: &'static str,
    model_outputs: &'static str,
}

struct ModelTexts {
    models: &'static str,
    params: &'static str,
    tags: &'static str,
    metrics: &'static str,
}

static ONE_RUN: RunTexts = run_texts!("$1");
static MANY_RUNS: RunTexts = run_texts!(
    "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
     $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, \
     $44, $45, $46, $47, $48, $49, $50"
);
static ONE_MODEL: ModelTexts = model_texts!("$1");
static MANY_MODELS: ModelTexts = model_texts!(
    "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
     $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, \
     $44, $45, $46, $47, $48, $49, $50"
);

/// The parameters for a chunk of ids: as many as the text takes.
fn key(ids: impl ExactSizeIterator<Item = String>) -> Vec<Value> {
    let wide = ids.len() > 1;
    let mut key: Vec<Value> = ids.map(Value::from).collect();
    if wide {
        key.resize(CHUNK, Value::from(""));
    }
    key
}

/// The runs of a workspace, or of all, in the order of `ids`.
pub(super) async fn runs(
    tx: &mut ReadTx,
    workspace: Option<&Name>,
    ids: &[RunId],
) -> Result<Vec<RunDetail>, StorageError> {
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let texts = if chunk.len() == 1 { &ONE_RUN } else { &MANY_RUNS };
        let key = key(chunk.iter().map(RunId::to_string));
        for row in tx.query(texts.runs, &key).await? {
            if workspace.is_none_or(|workspace| row.text(9).is_ok_and(|of| of == workspace.as_str())) {
                let run = run(&row)?;
                found.insert(run.id, RunDetail::bare(run));
            }
        }
        fill(tx, texts, &key, &mut found).await?;
        attach(tx, texts, &key, &mut found, |detail| &mut detail.attached).await?;
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// What went into the runs of a workspace, and what came out; those of which that is nothing are left out.
pub(super) async fn attachments(
    tx: &mut ReadTx,
    workspace: &Name,
    ids: &[RunId],
) -> Result<Vec<(RunId, Attachments)>, StorageError> {
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let texts = if chunk.len() == 1 { &ONE_RUN } else { &MANY_RUNS };
        let key = key(chunk.iter().map(RunId::to_string));
        for row in tx.query(texts.runs, &key).await? {
            if row.text(9)? == workspace.as_str() {
                found.insert(row.parsed(0)?, Attachments::default());
            }
        }
        attach(tx, texts, &key, &mut found, |attached| attached).await?;
    }
    found.retain(|_, attached| *attached != Attachments::default());
    Ok(found.into_iter().collect())
}

async fn attach<D>(
    tx: &mut ReadTx,
    texts: &RunTexts,
    key: &[Value],
    found: &mut HashMap<RunId, D>,
    of: fn(&mut D) -> &mut Attachments,
) -> Result<(), StorageError> {
    each(found, &tx.query(texts.datasets, key).await?, |run, row| {
        of(run).datasets.push(DatasetInput { dataset: row.json(1)?, tags: row.json(2)? });
        Ok(())
    })?;
    each(found, &tx.query(texts.model_inputs, key).await?, |run, row| {
        of(run).model_inputs.push(row.parsed(1)?);
        Ok(())
    })?;
    each(found, &tx.query(texts.model_outputs, key).await?, |run, row| {
        of(run).model_outputs.push(ModelOutput { model: row.parsed(1)?, step: row.int(2)? });
        Ok(())
    })
}

async fn fill(
    tx: &mut ReadTx,
    texts: &RunTexts,
    key: &[Value],
    found: &mut HashMap<RunId, RunDetail>,
) -> Result<(), StorageError> {
    each(found, &tx.query(texts.metrics, key).await?, |detail: &mut RunDetail, row| {
        detail.metrics.insert(row.text(1)?.to_owned(), point(row, 2)?);
        Ok(())
    })?;
    each(found, &tx.query(texts.params, key).await?, |detail, row| pair(&mut detail.params, row))?;
    each(found, &tx.query(texts.tags, key).await?, |detail, row| pair(&mut detail.tags, row))?;
    Ok(())
}

/// Gives each row to the thing that its first column names.
fn each<K, D>(
    found: &mut HashMap<K, D>,
    rows: &[Row],
    take: impl Fn(&mut D, &Row) -> Result<(), StorageError>,
) -> Result<(), StorageError>
where
    K: std::str::FromStr + std::hash::Hash + Eq,
{
    for row in rows {
        if let Some(detail) = found.get_mut(&row.parsed::<K>(0)?) {
            take(detail, row)?;
        }
    }
    Ok(())
}

fn pair(pairs: &mut BTreeMap<String, String>, row: &Row) -> Result<(), StorageError> {
    pairs.insert(row.text(1)?.to_owned(), row.text(2)?.to_owned());
    Ok(())
}

/// The logged models of a workspace, in the order of `ids`, with that of them which is looked at.
pub(super) async fn logged_models(
    tx: &mut ReadTx,
    workspace: &Name,
    ids: &[LoggedModelId],
    looked: LookedAt,
) -> Result<Vec<LoggedModelDetail>, StorageError> {
    let mut found: HashMap<LoggedModelId, LoggedModelDetail> = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let texts = if chunk.len() == 1 { &ONE_MODEL } else { &MANY_MODELS };
        let key = key(chunk.iter().map(LoggedModelId::to_string));
        for row in tx.query(texts.models, &key).await? {
            if row.text(10)? == workspace.as_str() {
                let model = logged_model(&row)?;
                let (params, tags, metrics) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
                found.insert(model.id, LoggedModelDetail { model, params, tags, metrics });
            }
        }
        if looked.params {
            each(&mut found, &tx.query(texts.params, &key).await?, |detail, row| {
                pair(&mut detail.params, row)
            })?;
        }
        if looked.tags {
            each(&mut found, &tx.query(texts.tags, &key).await?, |detail, row| pair(&mut detail.tags, row))?;
        }
        if looked.metrics {
            each(&mut found, &tx.query(texts.metrics, &key).await?, |detail, row| {
                detail.metrics.push(model_metric(row)?);
                Ok(())
            })?;
        }
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

fn model_metric(row: &Row) -> Result<ModelMetric, StorageError> {
    let (name, digest) = (row.text(3)?, row.text(4)?);
    let dataset = (!name.is_empty()).then(|| (name.to_owned(), digest.to_owned()));
    let point: Point = point(row, 5)?;
    Ok(ModelMetric {
        model: row.parsed(0)?,
        run: row.parsed(1)?,
        key: row.text(2)?.to_owned(),
        dataset,
        point,
    })
}
