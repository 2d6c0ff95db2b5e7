//! Where a version comes from: the pipeline run, its training, its data, its approvals.

use std::collections::BTreeMap;

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, EventSeq, RecordedEvent};
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::{DataTime, MachineTime};
use mainstay_pipelines::definition::{Definition, StepName, Work};
use mainstay_pipelines::run::{CauseKind, PipelineRun, RunState, StepResult};
use mainstay_registry::model::version_subject;
use mainstay_registry::name::{ModelName, VersionNumber};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{WhyState, as_text};

/// A command that registers a version and accepts its step records these events at most.
const IN_ONE_COMMAND: usize = 16;
/// Most decisions that are looked through for those of the run.
const DECISIONS: usize = 1_000;
/// Most validations of a table version that are shown.
const VALIDATIONS: usize = 20;

/// The pipeline run that registered a version.
#[derive(Debug, Serialize)]
pub struct Origin {
    /// Its id.
    pub run: PipelineRunId,
    /// Of which pipeline.
    pub pipeline: Name,
    /// How far it is.
    pub state: RunState,
    /// For whom it works.
    pub author: Actor,
    /// What started it: a person, a schedule, an alarm.
    pub cause: CauseKind,
    /// What the cause says of itself.
    pub evidence: Value,
    /// As of when it worked.
    #[serde(serialize_with = "as_text_if_known")]
    pub data_time: Option<DataTime>,
    /// When.
    #[serde(serialize_with = "as_text_if_known")]
    pub started: Option<MachineTime>,
    /// The step that trained the artifact, if one of this run did.
    pub training: Option<Training>,
    /// What people said to it, in order.
    pub approvals: Vec<Approval>,
}

/// A step, as it was defined and what it gave.
#[derive(Debug, Serialize)]
pub struct Training {
    /// Its name.
    pub step: StepName,
    /// What it was told.
    pub with: Value,
    /// When its result counted.
    #[serde(serialize_with = "as_text")]
    pub accepted: MachineTime,
    /// Its result.
    pub output: Value,
}

/// A person's word on this run.
#[derive(Debug, Serialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The step that waited for it.
    pub step: StepName,
    /// What it is about.
    pub digest: Digest,
    /// The word.
    pub state: &'static str,
    /// Whose.
    pub by: Option<Actor>,
    /// When.
    #[serde(serialize_with = "as_text_if_known")]
    pub at: Option<MachineTime>,
    /// Why.
    pub comment: Option<String>,
}

#[expect(clippy::ref_option, reason = "serde passes the field itself")]
fn as_text_if_known<S: Serializer>(value: &Option<impl ToString>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}

impl Origin {
    pub(super) async fn find(
        state: &WhyState,
        workspace: &Name,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<Self>, StorageError> {
        let Some(id) = run_of(state, workspace, model, number).await? else { return Ok(None) };
        let Some(run) = state.pipelines.run(workspace, id).await? else { return Ok(None) };
        let definition = state.pipelines.definition(&run.definition).await?;
        let results = state.pipelines.results(workspace, id).await?;
        let digest = state.registered.version(workspace, model, number).await?;
        let digest = digest.and_then(|detail| detail.version.digest);
        let training = digest.zip(definition.as_deref());
        let training = training.and_then(|(digest, definition)| training_step(definition, &results, &digest));
        let approvals = approvals(state, workspace, &run).await?;
        Ok(Some(Self {
            run: run.id,
            pipeline: run.pipeline,
            state: run.state,
            author: run.author,
            cause: run.cause.kind,
            evidence: run.cause.evidence,
            data_time: run.data_time,
            started: run.started,
            training,
            approvals,
        }))
    }

    /// The table versions that training says it has read, by dataset.
    pub(super) fn tables(&self) -> BTreeMap<String, String> {
        let data = self.training.as_ref().and_then(|training| training.output.get("data"));
        data.and_then(|data| serde_json::from_value(data.clone()).ok()).unwrap_or_default()
    }
}

/// The run whose step registered the version.
async fn run_of(
    state: &WhyState,
    workspace: &Name,
    model: &ModelName,
    number: VersionNumber,
) -> Result<Option<PipelineRunId>, StorageError> {
    let subject = version_subject(model, number);
    let mut after = EventSeq(0);
    let registered = loop {
        let events = state.events.read(&EventQuery::after(after, 100).about(subject.clone())).await?;
        let Some(last) = events.last() else { return Ok(None) };
        after = last.seq;
        let mut here = events.iter().filter(|event| event.workspace == *workspace);
        if let Some(found) = here.find(|event| event.kind == "model_version.registered") {
            break found.seq;
        }
    };
    let behind = state.events.read(&EventQuery::after(registered, IN_ONE_COMMAND)).await?;
    let mut accepted = behind.iter().filter(|event| event.workspace == *workspace);
    let accepted = accepted.find(|event| event.kind == "step.accepted" && names(event, model, number));
    Ok(accepted
        .filter(|event| event.subject.kind == ResourceKind::PipelineRun)
        .and_then(|event| event.subject.id.parse().ok()))
}

/// Whether a step's output says that it is this version.
fn names(event: &RecordedEvent, model: &ModelName, number: VersionNumber) -> bool {
    let value = event.body.as_ref().and_then(|body| body.pointer("/output/value"));
    value.is_some_and(|value| value["model"] == model.as_str() && value["version"] == number.0)
}

/// The step that gave the artifact and registered nothing itself.
fn training_step(definition: &Definition, results: &[StepResult], digest: &Digest) -> Option<Training> {
    results.iter().find_map(|result| {
        let Work::BuiltIn { uses, with } = &definition.stages.get(&result.step)?.work else { return None };
        let trained = uses == "train" && result.output.artifacts.get("model") == Some(digest);
        trained.then(|| Training {
            step: result.step.clone(),
            with: Value::Object(with.clone()),
            accepted: result.at,
            output: result.output.value.clone(),
        })
    })
}

/// What people decided about the run, in order.
async fn approvals(
    state: &WhyState,
    workspace: &Name,
    run: &PipelineRun,
) -> Result<Vec<Approval>, StorageError> {
    let decided = EventQuery::newest(DECISIONS).of_kind("approval.decided");
    let events = state.events.read(&decided).await?;
    let of_run = events.into_iter().rev().filter(|event| event.workspace == *workspace).filter_map(|event| {
        let approval: mainstay_pipelines::approval::Approval = serde_json::from_value(event.body?).ok()?;
        (approval.run == run.id).then(|| Approval {
            id: approval.id,
            step: approval.step,
            digest: approval.digest,
            state: approval.state.as_str(),
            by: approval.decided_by,
            at: approval.decided_at,
            comment: approval.comment,
        })
    });
    Ok(of_run.collect())
}

/// A table version that was read.
#[derive(Debug, Serialize)]
pub struct Table {
    /// Its name.
    pub dataset: String,
    /// The number of the version.
    pub version: String,
    /// Of its manifest; `None` if this server does not know it.
    pub digest: Option<Digest>,
    /// Where it was imported from.
    pub source: Option<String>,
    /// How many.
    pub rows: Option<u64>,
    /// When it was imported.
    #[serde(serialize_with = "as_text_if_known")]
    pub committed: Option<MachineTime>,
    /// What it was held against.
    pub validations: Vec<Validated>,
}

/// What a suite of expectations said of a table version.
#[derive(Debug, Serialize)]
pub struct Validated {
    /// Its name.
    pub suite: String,
    /// Whether all were met.
    pub success: bool,
}

impl Table {
    pub(super) async fn gather(
        state: &WhyState,
        workspace: &Name,
        read: &BTreeMap<String, String>,
    ) -> Result<Vec<Self>, StorageError> {
        let mut tables = Vec::with_capacity(read.len());
        for (dataset, version) in read {
            tables.push(Self::of(state, workspace, dataset, version).await?);
        }
        Ok(tables)
    }

    async fn of(
        state: &WhyState,
        workspace: &Name,
        dataset: &str,
        version: &str,
    ) -> Result<Self, StorageError> {
        let known = Name::new(dataset).ok().zip(version.parse::<u64>().ok());
        let mut table = Self {
            dataset: dataset.to_owned(),
            version: version.to_owned(),
            digest: None,
            source: None,
            rows: None,
            committed: None,
            validations: Vec::new(),
        };
        let Some((name, number)) = known else { return Ok(table) };
        if let Some(found) = state.data.version(workspace, &name, Some(number)).await? {
            table.digest = Some(found.digest);
            table.rows = Some(found.manifest.rows());
            table.committed = Some(found.committed_at);
            table.source = Some(found.source);
        }
        let validations = state.data.validations(workspace, &name, number, VALIDATIONS).await?;
        let brief = |found: mainstay_data::validation::Validation| Validated {
            suite: found.suite,
            success: found.success,
        };
        table.validations = validations.into_iter().map(brief).collect();
        Ok(table)
    }
}
