//! Runs: one training each.

use std::collections::BTreeMap;

use mainstay_core::id::RunId;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::text::clip;

use crate::error::TrackingError;
use crate::experiment::ExperimentId;
use crate::input::{DatasetInput, ModelOutput};
use crate::logged_model::LoggedModelId;
use crate::metric::Latest;

pub use mainstay_core::lifecycle::Lifecycle;

/// The tag that always equals the run's name.
pub const RUN_NAME_TAG: &str = "mlflow.runName";

/// How far a run is, as its client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunStatus {
    /// Under way.
    Running,
    /// To be run.
    Scheduled,
    /// Ended well.
    Finished,
    /// Ended badly.
    Failed,
    /// Stopped.
    Killed,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Running, Self::Scheduled, Self::Finished, Self::Failed, Self::Killed];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Result<Self, TrackingError> {
        let status = Self::ALL.into_iter().find(|status| status.as_str() == text);
        status.ok_or_else(|| TrackingError::InvalidStatus(clip(text)))
    }
}

/// One training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The id.
    pub id: RunId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name; not unique.
    pub name: String,
    /// Who runs it, as the client says. Who *logged* it stands in the record.
    pub user: String,
    /// How far it is.
    pub status: RunStatus,
    /// When it began, by the client's clock: milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// When it ended, likewise.
    pub end_ms: Option<i64>,
    /// Whether it is deleted.
    pub lifecycle: Lifecycle,
    /// Under which URI its artifacts lie.
    pub artifact_uri: String,
}

/// A run with everything that hangs on it: what readers hand out.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetail {
    /// The run.
    pub run: Run,
    /// The latest point of each metric.
    pub metrics: BTreeMap<String, Latest>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What went in and came out.
    pub attached: Attachments,
}

impl RunDetail {
    /// A run on which nothing hangs.
    pub fn bare(run: Run) -> Self {
        Self {
            run,
            metrics: BTreeMap::new(),
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            attached: Attachments::default(),
        }
    }
}

/// What went into a run, and what came out of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attachments {
    /// The datasets that went in.
    pub datasets: Vec<DatasetInput>,
    /// The logged models that went in.
    pub model_inputs: Vec<LoggedModelId>,
    /// The logged models that came out.
    pub model_outputs: Vec<ModelOutput>,
}

/// How the record names a run.
pub fn run_subject(id: RunId) -> Subject {
    Subject::new(ResourceKind::Run, id)
}
