//! What the index knows of a run, and how an event changes it.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::event::RecordedEvent;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::experiment::ExperimentId;
use crate::input::ModelOutput;
use crate::logged_model::LoggedModelId;
use crate::metric::Latest;
use crate::run::{Lifecycle, RUN_NAME_TAG, Run, RunStatus};

/// A dataset that went into a run, as far as a search can ask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DatasetRef {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// What it was used for.
    pub context: Option<String>,
}

/// Everything that a search can ask of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The run.
    pub run: Run,
    /// The workspace of its experiment.
    pub workspace: Name,
    /// The latest point of each metric.
    pub metrics: BTreeMap<String, Latest>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The datasets that went in.
    pub datasets: Vec<DatasetRef>,
    /// Whether datasets or logged models went in, or logged models came out.
    pub is_attached: bool,
}

/// A change that an event brings. Every change states what is now, so applying one twice, or an old
/// one again before the newer ones, does no harm.
#[derive(Debug, Clone, PartialEq)]
pub enum RunChange {
    /// There is a new run.
    Created(Box<RunSummary>),
    /// Status and end are now these.
    Updated {
        /// Of this run.
        run: RunId,
        /// The status.
        status: RunStatus,
        /// The end, in milliseconds since the Unix epoch.
        end_ms: Option<i64>,
        /// The name, if it changed.
        name: Option<String>,
    },
    /// The run is now deleted or restored.
    Lifecycle(RunId, Lifecycle),
    /// All runs of the experiment are now deleted or restored.
    ExperimentLifecycle(ExperimentId, Lifecycle),
    /// The run is gone for good.
    Purged(RunId),
    /// The experiment is gone for good, with all its runs.
    ExperimentPurged(ExperimentId),
    /// These values are now so.
    Logged {
        /// Of this run.
        run: RunId,
        /// Latest points of metrics.
        metrics: BTreeMap<String, Latest>,
        /// Parameters.
        params: BTreeMap<String, String>,
        /// Tags.
        tags: BTreeMap<String, String>,
    },
    /// The tag is gone.
    Untagged(RunId, String),
    /// These datasets went in.
    Inputs(RunId, Vec<DatasetRef>),
    /// Logged models came out.
    Attached(RunId),
}

#[derive(Deserialize)]
struct Created {
    experiment: ExperimentId,
    name: String,
    user: String,
    status: String,
    start_ms: i64,
    artifact_uri: String,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Imported {
    #[serde(flatten)]
    created: Created,
    end_ms: Option<i64>,
    lifecycle: String,
    params: BTreeMap<String, String>,
    metrics: BTreeMap<String, Latest>,
    datasets: Vec<DatasetRef>,
    models_in: Vec<LoggedModelId>,
    models_out: Vec<ModelOutput>,
}

#[derive(Deserialize)]
struct Updated {
    status: String,
    end_ms: Option<i64>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Logged {
    metrics: BTreeMap<String, Latest>,
    params: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Tagged {
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Untagged {
    key: String,
}

#[derive(Deserialize)]
struct Inputs {
    datasets: Vec<DatasetRef>,
}

/// What an event changes in the index; `None` for the events of others.
///
/// An event whose body was erased or cannot be read is [`StorageError::Corrupt`]: the index is then to
/// be built anew from the tables.
pub fn changes_of(event: &RecordedEvent) -> Result<Option<RunChange>, StorageError> {
    let change = match event.kind.as_str() {
        "run.created" => RunChange::Created(Box::new(created(event, body(event)?)?)),
        "run.imported" => RunChange::Created(Box::new(imported(event)?)),
        "run.updated" => {
            let Updated { status, end_ms, name } = body(event)?;
            RunChange::Updated { run: run(event)?, status: status_of(event, &status)?, end_ms, name }
        }
        "run.deleted" => RunChange::Lifecycle(run(event)?, Lifecycle::Deleted),
        "run.restored" => RunChange::Lifecycle(run(event)?, Lifecycle::Active),
        "run.purged" => RunChange::Purged(run(event)?),
        "experiment.purged" => RunChange::ExperimentPurged(experiment(event)?),
        "run.logged" => {
            let Logged { metrics, params, tags } = body(event)?;
            RunChange::Logged { run: run(event)?, metrics, params, tags }
        }
        "run.artifacts_purged" => {
            let (metrics, params) = (BTreeMap::new(), BTreeMap::new());
            RunChange::Logged { run: run(event)?, metrics, params, tags: body::<Tagged>(event)?.tags }
        }
        "run.untagged" => RunChange::Untagged(run(event)?, body::<Untagged>(event)?.key),
        "run.inputs_logged" => RunChange::Inputs(run(event)?, body::<Inputs>(event)?.datasets),
        "run.outputs_logged" => RunChange::Attached(run(event)?),
        "experiment.deleted" => RunChange::ExperimentLifecycle(experiment(event)?, Lifecycle::Deleted),
        "experiment.restored" => RunChange::ExperimentLifecycle(experiment(event)?, Lifecycle::Active),
        _ => return Ok(None),
    };
    Ok(Some(change))
}

fn created(event: &RecordedEvent, created: Created) -> Result<RunSummary, StorageError> {
    let run = Run {
        id: run(event)?,
        experiment: created.experiment,
        name: created.name,
        user: created.user,
        status: status_of(event, &created.status)?,
        start_ms: created.start_ms,
        end_ms: None,
        lifecycle: Lifecycle::Active,
        artifact_uri: created.artifact_uri,
    };
    Ok(RunSummary {
        run,
        workspace: event.workspace.clone(),
        metrics: BTreeMap::new(),
        params: BTreeMap::new(),
        tags: created.tags,
        datasets: Vec::new(),
        is_attached: false,
    })
}

/// A run of elsewhere comes whole.
fn imported(event: &RecordedEvent) -> Result<RunSummary, StorageError> {
    let Imported { created: first, end_ms, lifecycle, params, metrics, datasets, models_in, models_out } =
        body(event)?;
    let is_attached = !(datasets.is_empty() && models_in.is_empty() && models_out.is_empty());
    let mut summary = created(event, first)?;
    summary.run.end_ms = end_ms;
    summary.run.lifecycle = Lifecycle::stored(&lifecycle).ok_or_else(|| unreadable(event))?;
    Ok(RunSummary { metrics, params, datasets, is_attached, ..summary })
}

fn unreadable(event: &RecordedEvent) -> StorageError {
    StorageError::Corrupt(format!("event {} ({}) cannot be read", event.seq.0, event.kind))
}

fn body<T: DeserializeOwned>(event: &RecordedEvent) -> Result<T, StorageError> {
    let body = event.body.as_ref().ok_or_else(|| unreadable(event))?;
    T::deserialize(body).map_err(|_| unreadable(event))
}

fn run(event: &RecordedEvent) -> Result<RunId, StorageError> {
    event.subject.id.parse().map_err(|_| unreadable(event))
}

fn experiment(event: &RecordedEvent) -> Result<ExperimentId, StorageError> {
    ExperimentId::parse(&event.subject.id).map_err(|_| unreadable(event))
}

fn status_of(event: &RecordedEvent, text: &str) -> Result<RunStatus, StorageError> {
    RunStatus::parse(text).map_err(|_| unreadable(event))
}

impl RunSummary {
    /// Applies a change of this run, or of its experiment.
    pub fn apply(&mut self, change: RunChange) {
        match change {
            RunChange::Created(summary) => *self = *summary,
            RunChange::Updated { status, end_ms, name, .. } => {
                (self.run.status, self.run.end_ms) = (status, end_ms);
                if let Some(name) = name {
                    self.tags.insert(RUN_NAME_TAG.to_owned(), name.clone());
                    self.run.name = name;
                }
            }
            RunChange::Lifecycle(_, lifecycle) | RunChange::ExperimentLifecycle(_, lifecycle) => {
                self.run.lifecycle = lifecycle;
            }
            RunChange::Logged { metrics, params, tags, .. } => {
                if let Some(name) = tags.get(RUN_NAME_TAG) {
                    self.run.name.clone_from(name);
                }
                self.metrics.extend(metrics);
                self.params.extend(params);
                self.tags.extend(tags);
            }
            RunChange::Untagged(_, key) => {
                self.tags.remove(&key);
            }
            RunChange::Inputs(_, datasets) => {
                for dataset in datasets {
                    let known =
                        |other: &DatasetRef| other.name == dataset.name && other.digest == dataset.digest;
                    self.datasets.retain(|other| !known(other));
                    self.datasets.push(dataset);
                }
                self.is_attached = true;
            }
            RunChange::Attached(_) => self.is_attached = true,
            // Whoever keeps it forgets it.
            RunChange::Purged(_) | RunChange::ExperimentPurged(_) => {}
        }
    }
}
