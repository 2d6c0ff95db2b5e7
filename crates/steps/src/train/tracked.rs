//! The tracking run of a `train` step: parameters, figures, the data that went in, the model that came out.
//!
//! It is written whole by the command that accepts the step. Its ids follow from the step, so that an attempt
//! that repeats another finds the same places.

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::object::ObjectPath;
use mainstay_core::principal::Principal;
use mainstay_core::time::MachineTime;
use mainstay_pipelines::run::StepOutput;
use mainstay_tracking::batch::{Batch, LoggedMetric, MAX_PAIRS};
use mainstay_tracking::command::{
    ArtifactLocation, CreateExperiment, CreateLoggedModel, CreateRun, FinalizeLoggedModel, LogBatch,
    LogInputs, LogOutputs, UpdateRun,
};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::{Experiment, ExperimentName};
use mainstay_tracking::input::{DATASET_CONTEXT_TAG, Dataset, DatasetInput, ModelOutput};
use mainstay_tracking::logged_model::{LoggedModelId, LoggedModelStatus};
use mainstay_tracking::metric::Point;
use mainstay_tracking::port::{TrackingReader as _, TrackingTx};
use mainstay_tracking::run::RunStatus;
use mainstay_tracking::text::{Overlong, Pair};
use mainstay_training::{Metrics, TrainingReport};
use serde_json::{Value, json};

use super::{Order, Outcome};
use crate::{Held, StepError, write};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};

/// Where artifacts lie that this server keeps.
const SCHEME: &str = "mlflow-artifacts:/";
/// What the model is called in its run: `runs:/ID/model`.
const MODEL_NAME: &str = "model";

/// Which run and logged model a step makes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub(super) run: RunId,
    pub(super) model: LoggedModelId,
}

impl Ids {
    pub(super) fn of(held: &Held) -> Self {
        let id = |kind: &str| {
            let step = &held.claim.step;
            let parts = [kind.as_bytes(), step.run.as_bytes().as_slice(), step.name.as_str().as_bytes()];
            Digest::of_parts(parts).as_bytes().first_chunk::<16>().copied().unwrap_or_default()
        };
        Self { run: RunId::from_bytes(id("run")), model: LoggedModelId::from_bytes(id("model")) }
    }
}

/// The experiment of a project, created if there is none. It may stay empty if the step is not accepted.
pub(super) async fn experiment(
    platform: &Platform,
    workspace: &Name,
    project: &Name,
) -> Result<Experiment, StepError> {
    let name = ExperimentName::new(project.as_str()).map_err(StepError::of)?;
    let reader = &platform.database.reader;
    if let Some(found) = reader.experiment_named(workspace, &name).await.map_err(StepError::of)? {
        return ours(platform, workspace, found.experiment).await;
    }
    let create = CreateExperiment {
        workspace: workspace.clone(),
        name,
        location: ArtifactLocation::Under(SCHEME.to_owned()),
        tags: Vec::new(),
    };
    match platform.tracking.run(&Principal::system("engine"), create).await {
        Ok(created) => Ok(created),
        Err(error) if error.code() == ErrorCode::AlreadyExists => {
            Err(StepError::overtaken("another step created the experiment at the same time"))
        }
        Err(error) => Err(StepError::of(error)),
    }
}

/// Refuses an experiment that somebody named who is let in by levels alone, and could change what is written there.
async fn ours(
    platform: &Platform,
    workspace: &Name,
    experiment: Experiment,
) -> Result<Experiment, StepError> {
    let theirs = platform.named_by_level(workspace, experiment.id).await.map_err(StepError::of)?;
    let Some(actor) = theirs else { return Ok(experiment) };
    let message = format!(
        "{actor} gave experiment {} the name of the project, and may write there by a level alone, so that what the \
         pipeline keeps there could be changed: rename it, and the step creates another",
        experiment.name
    );
    Err(StepError::refused(ErrorCode::PermissionDenied, message))
}

/// Where the files of a logged model lie among the objects.
pub(super) fn artifacts(experiment: &Experiment, model: LoggedModelId) -> Result<ObjectPath, StepError> {
    let location = &experiment.artifact_location;
    let elsewhere = || {
        let message = format!(
            "experiment {} keeps its artifacts at {location}, where this server cannot write; rename it, and \
             the step creates another",
            experiment.name
        );
        StepError::refused(ErrorCode::WrongState, message)
    };
    let root = kept_here(location).ok_or_else(elsewhere)?;
    root.join(&format!("models/{model}/artifacts")).map_err(StepError::of)
}

/// What a URI of artifacts names among the objects, if they are kept here.
pub(crate) fn kept_here(uri: &str) -> Option<ObjectPath> {
    uri.strip_prefix(SCHEME).and_then(|path| ObjectPath::new(path).ok())
}

/// Everything that is written, command by command.
pub(super) struct Tracked {
    run: CreateRun,
    inputs: LogInputs,
    model: CreateLoggedModel,
    logs: Vec<LogBatch>,
    outputs: LogOutputs,
    ready: FinalizeLoggedModel,
    finish: UpdateRun,
    output: StepOutput,
}

impl Tracked {
    /// The run of a step that ends `now`.
    pub(super) fn new(
        held: &Held,
        experiment: &Experiment,
        outcome: &Outcome,
        now: MachineTime,
        output: StepOutput,
    ) -> Result<Self, StepError> {
        let Ids { run: id, model } = Ids::of(held);
        let (workspace, order) = (held.workspace.clone(), &outcome.order);
        let params = params(order, &outcome.report)?;
        let metrics = metrics(&outcome.report, model, now.millis())?;
        let batch = |metrics, params| {
            let batch = Batch::new(metrics, params, Vec::new()).map_err(StepError::of)?;
            Ok(LogBatch { workspace: workspace.clone(), run: id, batch })
        };
        let logs = std::iter::once(batch(metrics, Vec::new()))
            .chain(params.chunks(MAX_PAIRS).map(|some| batch(Vec::new(), some.to_vec())));
        let started = held.claim.step.started.unwrap_or(now);
        let model_type = outcome.report.selected().map(|chosen| json!(chosen.candidate)["algorithm"].clone());
        Ok(Self {
            logs: logs.collect::<Result<_, StepError>>()?,
            run: CreateRun {
                workspace: workspace.clone(),
                id,
                experiment: experiment.id,
                name: format!("{}-{}", held.claim.step.name, &id.to_string().get(..8).unwrap_or_default()),
                user: held.claim.run.author.to_string(),
                start_ms: started.millis(),
                tags: tags(held, outcome)?,
            },
            inputs: LogInputs {
                workspace: workspace.clone(),
                run: id,
                datasets: datasets(order)?,
                models: Vec::new(),
            },
            model: CreateLoggedModel {
                workspace: workspace.clone(),
                id: model,
                experiment: experiment.id,
                name: MODEL_NAME.to_owned(),
                model_type: model_type.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
                source_run: Some(id.into()),
                params: Vec::new(),
                tags: vec![tag("mainstay.digest", outcome.digest.to_string())?],
            },
            outputs: LogOutputs {
                workspace: workspace.clone(),
                run: id,
                models: vec![ModelOutput { model, step: 0 }],
            },
            ready: FinalizeLoggedModel {
                workspace: workspace.clone(),
                id: model,
                status: LoggedModelStatus::Ready,
            },
            finish: UpdateRun {
                workspace,
                id,
                status: Some(RunStatus::Finished),
                end_ms: Some(now.millis()),
                name: None,
            },
            output,
        })
    }

    async fn write(&self, tx: &mut (dyn TrackingTx + 'static)) -> Result<(), TrackingError> {
        if tx.run(self.run.id).await?.is_some() {
            // Of an attempt that was accepted meanwhile; this one's token is stale, and it will hear so.
            return Ok(());
        }
        self.run.apply(tx).await?;
        self.inputs.apply(tx).await?;
        self.model.apply(tx).await?;
        for log in &self.logs {
            log.apply(tx).await?;
        }
        self.outputs.apply(tx).await?;
        self.ready.apply(tx).await?;
        self.finish.apply(tx).await.map(drop)
    }
}

#[async_trait]
impl Effect for Tracked {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        self.write(tx).await.map_err(EffectError::from_coded)?;
        Ok(Conclusion::Accepted(self.output.clone()))
    }
}

fn tag(key: &str, value: impl Into<String>) -> Result<Pair, StepError> {
    Pair::tag(key, value, Overlong::Truncate).map_err(StepError::of)
}

fn tags(held: &Held, outcome: &Outcome) -> Result<Vec<Pair>, StepError> {
    let run = &held.claim.run;
    let mut tags = vec![
        tag("mlflow.source.type", "JOB")?,
        tag("mlflow.source.name", run.pipeline.as_str())?,
        tag("mlflow.user", run.author.to_string())?,
        tag("mainstay.pipeline", run.pipeline.as_str())?,
        tag("mainstay.pipeline_run", run.id.to_string())?,
        tag("mainstay.step", held.claim.step.name.as_str())?,
        tag("mainstay.digest", outcome.digest.to_string())?,
    ];
    if let Some(at) = run.data_time {
        tags.push(tag("mainstay.data_time", at.to_string())?);
    }
    Ok(tags)
}

/// All that the training depends on: the trainer's parameters by their names, and which rows it saw.
fn params(order: &Order, report: &TrainingReport) -> Result<Vec<Pair>, StepError> {
    let Value::Object(given) = write(&report.params)? else { return Ok(Vec::new()) };
    let (from, until) = order.frame.span();
    let mut all: Vec<(String, String)> =
        given.into_iter().map(|(name, value)| (name, plain(&value))).collect();
    all.extend([
        ("service".to_owned(), order.frame.service().to_owned()),
        ("from".to_owned(), from.to_string()),
        ("validation_from".to_owned(), order.validation_from.to_string()),
        ("until".to_owned(), until.to_string()),
        ("rows.train".to_owned(), report.rows.train.to_string()),
        ("rows.validation".to_owned(), report.rows.validation.to_string()),
    ]);
    if let Some(chosen) = report.selected() {
        all.push(("selected".to_owned(), write(&chosen.candidate)?.to_string()));
    }
    all.extend(order.frame.versions().into_iter().map(|(name, version)| (format!("data.{name}"), version)));
    let pair = |(key, value)| Pair::param(key, value, Overlong::Truncate).map_err(StepError::of);
    all.into_iter().map(pair).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The figures on the validation rows: of the exported model, of each candidate by its position, and of the
/// trivial model. A figure that is not defined is left out.
fn metrics(
    report: &TrainingReport,
    model: LoggedModelId,
    timestamp_ms: i64,
) -> Result<Vec<LoggedMetric>, StepError> {
    let mut all = Vec::new();
    let mut add = |prefix: &str, figures: &Metrics, of: Option<LoggedModelId>| -> Result<(), StepError> {
        let Value::Object(figures) = write(figures)? else { return Ok(()) };
        for (name, value) in figures {
            let Some(value) = value.as_f64() else { continue };
            let point = Point { step: 0, timestamp_ms, value };
            let metric = LoggedMetric::new(format!("{prefix}validation_{name}"), point);
            let metric = match of {
                Some(model) => metric.and_then(|metric| metric.of_model(model, None)),
                None => metric,
            };
            all.push(metric.map_err(StepError::of)?);
        }
        Ok(())
    };
    if let Some(chosen) = report.selected() {
        add("", &chosen.validation, Some(model))?;
    }
    for (position, candidate) in report.candidates.iter().enumerate() {
        add(&format!("candidates/{position}/"), &candidate.validation, None)?;
    }
    add("baseline/", &report.baseline.validation, None)?;
    Ok(all)
}

/// The table versions that the rows came from.
fn datasets(order: &Order) -> Result<Vec<DatasetInput>, StepError> {
    let input = |(name, version, manifest): (&str, u64, &mainstay_data::table::Manifest)| {
        let digest = manifest.digest();
        let columns: Vec<Value> = manifest.schema.columns().iter().map(column).collect();
        let input = DatasetInput {
            dataset: Dataset {
                name: name.to_owned(),
                digest: digest.hex().chars().take(36).collect(),
                source_type: "mainstay".to_owned(),
                source: json!({ "dataset": name, "version": version, "digest": digest }).to_string(),
                schema: Some(json!({ "mlflow_colspec": columns }).to_string()),
                profile: Some(json!({ "num_rows": manifest.rows() }).to_string()),
            },
            tags: vec![(DATASET_CONTEXT_TAG.to_owned(), "training".to_owned())],
        };
        input.checked().map_err(StepError::of)
    };
    order.frame.tables().map(input).collect()
}

/// `ColSpec` of a column of a table; dates and instants are both `datetime`.
fn column(column: &mainstay_data::schema::Column) -> Value {
    use mainstay_data::schema::DataType;
    let kind = match column.data_type {
        DataType::Bool => "boolean",
        DataType::Int64 => "long",
        DataType::Float64 => "double",
        DataType::Utf8 => "string",
        DataType::Timestamp | DataType::Date => "datetime",
    };
    json!({ "name": column.name, "type": kind, "required": false })
}
