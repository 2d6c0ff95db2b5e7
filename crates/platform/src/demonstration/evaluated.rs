//! The questions as an evaluation dataset, and what searches for them came to, as runs.

use std::time::Duration;

use mainstay_core::error::Failure;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_demonstration::measure::{Quality, reciprocal};
use mainstay_demonstration::question::QUESTIONS;
use mainstay_demonstration::search::{Library, Method};
use mainstay_evaluation::DatasetId;
use mainstay_evaluation::command::{CreateEvaluationDataset, MergeRecords};
use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::error::EvaluationError;
use mainstay_evaluation::record::{NewRecord, RecordSource, SourceType};
use mainstay_tracking::batch::{Batch, LoggedMetric};
use mainstay_tracking::command::{CreateRun, LogBatch, LogInputs, UpdateRun};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::input::{DATASET_CONTEXT_TAG, Dataset, DatasetInput};
use mainstay_tracking::metric::Point;
use mainstay_tracking::run::RunStatus;
use mainstay_tracking::text::{Overlong, Pair};
use serde_json::json;

use super::traced::{Answered, facts};
use super::{MARK_TAG, NAME, NOTE_TAG, Recorder, Task};

/// What `MLflow` calls the source of an evaluation dataset that a server keeps.
const SOURCE_TYPE: &str = "mlflow_evaluation_dataset";
/// The tag by which pages know runs that evaluate, and its value.
const RUN_TYPE: (&str, &str) = ("mlflow.runType", "genai_evaluate");

impl Recorder {
    /// Makes a dataset of the questions, each with the page that answers it.
    pub(super) async fn record_dataset(&self, task: Task<'_>) -> Result<EvaluationDatasetDetail, Failure> {
        let (id, workspace) = (DatasetId::draw(&*self.entropy), task.workspace.clone());
        let tags =
            vec![(MARK_TAG.to_owned(), task.experiment.to_string()), ("mlflow.user".to_owned(), user(task))];
        let command = CreateEvaluationDataset::new(
            workspace.clone(),
            id,
            NAME.to_owned(),
            tags,
            vec![task.experiment],
        )?;
        self.evaluation.run(task.caller, command).await?;
        let records = QUESTIONS.iter().map(|one| NewRecord {
            inputs: [("question".to_owned(), json!(one.text))].into_iter().collect(),
            expectations: Some([("page".to_owned(), json!(one.page))].into_iter().collect()),
            source: Some(RecordSource {
                source_type: SourceType::Document,
                source_data: [("doc_uri".to_owned(), json!(one.page))].into_iter().collect(),
            }),
            ..NewRecord::default()
        });
        let command = MergeRecords::new(workspace, id, records.collect(), &*self.entropy)?;
        self.evaluation.run(task.caller, command).await?;
        self.dataset(task.workspace, id).await
    }

    async fn dataset(&self, workspace: &Name, id: DatasetId) -> Result<EvaluationDatasetDetail, Failure> {
        let found = self.evaluated.evaluation_dataset(workspace, id).await?;
        Ok(found.ok_or_else(|| EvaluationError::NoDataset(id.to_string()))?)
    }

    /// A run of one method over all questions, which happened already: it began and ended with its searches.
    pub(super) async fn record_run(
        &self,
        task: Task<'_>,
        dataset: &EvaluationDatasetDetail,
        method: Method,
        library: &Library,
        answers: &[Answered<'_>],
    ) -> Result<RunId, Failure> {
        let (run, workspace) = (RunId::draw(&*self.entropy), task.workspace);
        let now = self.clock.now();
        let tag = |key, value: &str| Pair::tag(key, value, Overlong::Refuse);
        let command = CreateRun {
            workspace: workspace.clone(),
            id: run,
            experiment: task.experiment,
            name: method.as_str().to_owned(),
            user: user(task),
            start_ms: answers.first().map_or(now, Answered::began).millis(),
            tags: vec![
                tag("mlflow.user", &user(task))?,
                tag(RUN_TYPE.0, RUN_TYPE.1)?,
                tag(NOTE_TAG, note(method))?,
            ],
        };
        self.tracking.run(task.caller, command).await?;
        let input = DatasetInput { dataset: input(dataset), tags: vec![context()] }.checked()?;
        let command =
            LogInputs { workspace: workspace.clone(), run, datasets: vec![input], models: Vec::new() };
        self.tracking.run(task.caller, command).await?;
        let batch = batch(method, library, answers)?;
        self.tracking.run(task.caller, LogBatch { workspace: workspace.clone(), run, batch }).await?;
        let end = UpdateRun {
            workspace: workspace.clone(),
            id: run,
            status: Some(RunStatus::Finished),
            end_ms: Some(answers.last().map_or(now, Answered::ended).millis()),
            name: None,
        };
        self.tracking.run(task.caller, end).await?;
        Ok(run)
    }
}

/// By whom it is recorded, as runs and datasets tell it.
fn user(task: Task<'_>) -> String {
    let actor = &task.caller.actor;
    actor.user_name().unwrap_or(actor.as_str()).to_owned()
}

fn context() -> (String, String) {
    (DATASET_CONTEXT_TAG.to_owned(), "eval".to_owned())
}

/// The dataset as an input of a run, as `MLflow`'s client describes it.
fn input(detail: &EvaluationDatasetDetail) -> Dataset {
    let dataset = &detail.dataset;
    Dataset {
        name: dataset.name.clone(),
        digest: dataset.digest.clone(),
        source_type: SOURCE_TYPE.to_owned(),
        source: json!({"dataset_id": dataset.id.to_string()}).to_string(),
        schema: dataset.schema.clone(),
        profile: dataset.profile.clone(),
    }
}

const fn note(method: Method) -> &'static str {
    match method {
        Method::SharedWords => {
            "The baseline: passages are ordered by how many words of the question they have. \
             reciprocal_rank and search_ms have a step for each question."
        }
        Method::Bm25(_) => {
            "Passages are ordered by BM25: rare words count more, repeated ones and long passages less. \
             reciprocal_rank and search_ms have a step for each question."
        }
    }
}

/// What was chosen, and what it came to: for each question, in the order of the dataset, and together.
fn batch(method: Method, library: &Library, answers: &[Answered<'_>]) -> Result<Batch, TrackingError> {
    let mut metrics = Vec::new();
    let mut timestamp_ms = 0;
    for (step, answered) in (1..).zip(answers) {
        timestamp_ms = answered.ended().millis();
        let took = Duration::from_micros(answered.search_micros()).as_secs_f64() * 1_000.0;
        for (key, value) in [("reciprocal_rank", reciprocal(answered.rank)), ("search_ms", took)] {
            metrics.push(LoggedMetric::new(key, Point { step, timestamp_ms, value })?);
        }
    }
    let ranks: Vec<Option<u32>> = answers.iter().map(|answered| answered.rank).collect();
    let Quality { recall_at_1, recall_at_3, mrr } = Quality::of(&ranks);
    for (key, value) in [("recall_at_1", recall_at_1), ("recall_at_3", recall_at_3), ("mrr", mrr)] {
        metrics.push(LoggedMetric::new(key, Point { step: 0, timestamp_ms, value })?);
    }
    let mut params = facts(method, library);
    params.push(("questions", answers.len().to_string()));
    let param = |(key, value): (&'static str, String)| Pair::param(key, value, Overlong::Refuse);
    Batch::new(metrics, params.into_iter().map(param).collect::<Result<_, _>>()?, Vec::new())
}
