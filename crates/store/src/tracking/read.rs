//! The reading side.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_tracking::block;
use mainstay_tracking::experiment::{ExperimentDetail, ExperimentId, ExperimentName};
use mainstay_tracking::index::{DatasetRef, RunSummary};
use mainstay_tracking::input::{self, DatasetInput, DatasetUse};
use mainstay_tracking::logged_model::{LoggedModelDetail, LoggedModelId};
use mainstay_tracking::metric::Point;
use mainstay_tracking::port::TrackingReader;
use mainstay_tracking::run::{Attachments, RunDetail};
use mainstay_tracking::search::{LoggedModelSearch, LookedAt};

use super::series::blocks_after;
use super::series::history::history_after;
use super::{details, experiment, logged_models};
use crate::params;
use crate::reader::{ReadTx, Reader};
use crate::value::{Row, Value};

const EXPERIMENTS: &str = "SELECT id, name, artifact_location, lifecycle, created, updated FROM experiments \
    WHERE workspace = $1 ORDER BY id";
const EXPERIMENT: &str = "SELECT id, name, artifact_location, lifecycle, created, updated FROM experiments \
    WHERE workspace = $1 AND id = $2";
const EXPERIMENT_NAMED: &str = "SELECT id, name, artifact_location, lifecycle, created, updated \
    FROM experiments WHERE workspace = $1 AND name = $2";
const PLACES: &str = "SELECT id, artifact_location FROM experiments WHERE workspace = $1 ORDER BY id";
const ALL_PLACES: &str = "SELECT id, artifact_location FROM experiments WHERE id > $1 ORDER BY id";
const TAGS: &str = "SELECT t.experiment, t.key, t.value FROM experiment_tags t JOIN experiments e \
    ON e.id = t.experiment WHERE e.workspace = $1";
const TAGS_OF: &str = "SELECT experiment, key, value FROM experiment_tags WHERE experiment = $1";
const RUN_IS_HERE: &str = "SELECT 1 FROM runs r JOIN experiments e ON e.id = r.experiment \
    WHERE r.id = $1 AND r.workspace = $2";
const COUNT_MODELS: &str = "SELECT COUNT(*) FROM logged_models \
    WHERE experiment = $1 AND workspace = $2 AND lifecycle = 'active'";
const RUNS_AFTER: &str = "SELECT id, workspace FROM runs WHERE id > $1 \
    AND EXISTS (SELECT 1 FROM experiments e WHERE e.id = runs.experiment) ORDER BY id LIMIT $2";
const DATASET_USES: &str = "SELECT DISTINCT i.name, i.digest, i.tags FROM run_dataset_inputs i \
    JOIN runs r ON r.id = i.run WHERE r.experiment = $1 AND r.workspace = $2";
const HEAD: &str = "SELECT size FROM audit_tree WHERE id = 1";

#[async_trait]
impl TrackingReader for Reader {
    async fn experiment(
        &self,
        workspace: &Name,
        id: ExperimentId,
    ) -> Result<Option<ExperimentDetail>, StorageError> {
        let key = params![workspace.as_str(), id.0].to_vec();
        self.read(move |tx| Box::pin(async move { one_experiment(tx, EXPERIMENT, &key).await })).await
    }

    async fn experiment_named(
        &self,
        workspace: &Name,
        name: &ExperimentName,
    ) -> Result<Option<ExperimentDetail>, StorageError> {
        let key = params![workspace.as_str(), name.as_str()].to_vec();
        self.read(move |tx| Box::pin(async move { one_experiment(tx, EXPERIMENT_NAMED, &key).await })).await
    }

    async fn experiments(&self, workspace: &Name) -> Result<Vec<ExperimentDetail>, StorageError> {
        let key = params![workspace.as_str()].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let mut tags = tags_of(&tx.query(TAGS, &key).await?)?;
                let rows = tx.query(EXPERIMENTS, &key).await?;
                let detail = |row| {
                    let experiment = experiment(row)?;
                    let tags = tags.remove(&experiment.id).unwrap_or_default();
                    Ok(ExperimentDetail { experiment, tags })
                };
                rows.iter().map(detail).collect()
            })
        })
        .await
    }

    async fn places(&self, workspace: &Name) -> Result<Vec<(ExperimentId, String)>, StorageError> {
        self.rows(PLACES, params![workspace.as_str()]).await?.iter().map(super::place).collect()
    }

    async fn all_places(
        &self,
        last: Option<ExperimentId>,
    ) -> Result<Vec<(ExperimentId, String)>, StorageError> {
        let last = last.map_or(-1, |last| last.0.cast_signed());
        self.rows(ALL_PLACES, params![last]).await?.iter().map(super::place).collect()
    }

    async fn runs(&self, workspace: &Name, ids: &[RunId]) -> Result<Vec<RunDetail>, StorageError> {
        let (workspace, ids) = (workspace.clone(), ids.to_vec());
        self.read(move |tx| Box::pin(async move { details::runs(tx, Some(&workspace), &ids).await })).await
    }

    async fn points(&self, workspace: &Name, run: RunId, key: &str) -> Result<Vec<Point>, StorageError> {
        let (workspace, run, key) = (workspace.clone(), run.to_string(), key.to_owned());
        self.read(move |tx| {
            Box::pin(async move {
                let mut points = Vec::new();
                if tx.query_one(RUN_IS_HERE, params![&run, workspace.as_str()]).await?.is_some() {
                    blocks_after(tx, &run, &key, 0, |block| Ok(block::decode(block, &mut points)?)).await?;
                }
                Ok(points)
            })
        })
        .await
    }

    async fn attachments(
        &self,
        workspace: &Name,
        ids: &[RunId],
    ) -> Result<Vec<(RunId, Attachments)>, StorageError> {
        let (workspace, ids) = (workspace.clone(), ids.to_vec());
        self.read(move |tx| Box::pin(async move { details::attachments(tx, &workspace, &ids).await })).await
    }

    async fn history_after(
        &self,
        workspace: &Name,
        run: RunId,
        key: &str,
        after: Option<Point>,
        limit: usize,
    ) -> Result<Vec<Point>, StorageError> {
        let (workspace, run, key) = (workspace.clone(), run.to_string(), key.to_owned());
        self.read(move |tx| {
            Box::pin(async move {
                if tx.query_one(RUN_IS_HERE, params![&run, workspace.as_str()]).await?.is_none() {
                    return Ok(Vec::new());
                }
                history_after(tx, (&run, &key), after, limit).await
            })
        })
        .await
    }

    async fn logged_models(
        &self,
        workspace: &Name,
        ids: &[LoggedModelId],
    ) -> Result<Vec<LoggedModelDetail>, StorageError> {
        let (workspace, ids) = (workspace.clone(), ids.to_vec());
        self.read(move |tx| {
            Box::pin(async move { details::logged_models(tx, &workspace, &ids, LookedAt::ALL).await })
        })
        .await
    }

    async fn search_logged_models(
        &self,
        workspace: &Name,
        experiments: &[ExperimentId],
        search: LoggedModelSearch,
    ) -> Result<Page<LoggedModelDetail>, StorageError> {
        let (workspace, experiments) = (workspace.clone(), experiments.iter().copied().collect());
        self.read(move |tx| {
            Box::pin(async move { logged_models::search(tx, &workspace, &experiments, search).await })
        })
        .await
    }

    async fn count_logged_models(
        &self,
        workspace: &Name,
        experiment: ExperimentId,
    ) -> Result<u64, StorageError> {
        let key = params![experiment.0, workspace.as_str()].to_vec();
        self.read(move |tx| {
            Box::pin(async move { tx.query_one(COUNT_MODELS, &key).await?.map_or(Ok(0), |row| row.count(0)) })
        })
        .await
    }

    async fn dataset_uses(
        &self,
        workspace: &Name,
        experiments: &[ExperimentId],
    ) -> Result<Vec<DatasetUse>, StorageError> {
        let (workspace, experiments) = (workspace.clone(), experiments.to_vec());
        self.read(move |tx| {
            Box::pin(async move {
                let mut uses = Vec::new();
                for experiment in experiments {
                    for row in tx.query(DATASET_USES, params![experiment.0, workspace.as_str()]).await? {
                        let tags: Vec<(String, String)> = row.json(2)?;
                        let context = input::context(&tags).map(str::to_owned);
                        let (name, digest) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
                        uses.push(DatasetUse { experiment, name, digest, context });
                    }
                }
                Ok(uses)
            })
        })
        .await
    }

    async fn summaries(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<(Vec<RunSummary>, EventSeq), StorageError> {
        // '' sorts before every id.
        let key = params![after.map_or(String::new(), |id| id.to_string()), limit as u64].to_vec();
        self.read(move |tx| {
            Box::pin(async move {
                let head = tx.query_one(HEAD, &[]).await?.map_or(Ok(0), |row| row.count(0))?;
                let rows = tx.query(RUNS_AFTER, &key).await?;
                let of = rows.iter().map(|row| Ok((row.parsed(0)?, row.parsed(1)?)));
                let of: BTreeMap<RunId, Name> = of.collect::<Result<_, StorageError>>()?;
                let ids: Vec<RunId> = of.keys().copied().collect();
                let runs = details::runs(tx, None, &ids).await?.into_iter();
                let named = runs.filter_map(|detail| Some((of.get(&detail.run.id)?.clone(), detail)));
                Ok((named.map(summary).collect(), EventSeq(head)))
            })
        })
        .await
    }
}

async fn one_experiment(
    tx: &mut ReadTx,
    sql: &'static str,
    key: &[Value],
) -> Result<Option<ExperimentDetail>, StorageError> {
    let Some(row) = tx.query_one(sql, key).await? else { return Ok(None) };
    let experiment = experiment(&row)?;
    let mut tags = tags_of(&tx.query(TAGS_OF, params![experiment.id.0]).await?)?;
    let tags = tags.remove(&experiment.id).unwrap_or_default();
    Ok(Some(ExperimentDetail { experiment, tags }))
}

type Tags = BTreeMap<String, String>;

fn tags_of(rows: &[Row]) -> Result<BTreeMap<ExperimentId, Tags>, StorageError> {
    let mut tags: BTreeMap<ExperimentId, Tags> = BTreeMap::new();
    for row in rows {
        let of_experiment = tags.entry(ExperimentId(row.count(0)?)).or_default();
        of_experiment.insert(row.text(1)?.to_owned(), row.text(2)?.to_owned());
    }
    Ok(tags)
}

/// What the index keeps of a run.
fn summary((workspace, detail): (Name, RunDetail)) -> RunSummary {
    let Attachments { datasets, model_inputs, model_outputs } = detail.attached;
    let is_attached = !(datasets.is_empty() && model_inputs.is_empty() && model_outputs.is_empty());
    let dataset = |input: DatasetInput| DatasetRef {
        context: input.context().map(str::to_owned),
        name: input.dataset.name,
        digest: input.dataset.digest,
    };
    RunSummary {
        run: detail.run,
        workspace,
        metrics: detail.metrics,
        params: detail.params,
        tags: detail.tags,
        datasets: datasets.into_iter().map(dataset).collect(),
        is_attached,
    }
}
