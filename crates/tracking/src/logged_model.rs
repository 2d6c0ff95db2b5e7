//! Logged models: what a run made, before anybody registers it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use mainstay_core::entropy::Entropy;
use mainstay_core::id::{RunId, parse_bytes, write_hex};
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::text::clip;
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::error::TrackingError;
use crate::experiment::ExperimentId;
use crate::metric::Point;
use crate::run::Lifecycle;

/// The id of a logged model: `m-` and 32 hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoggedModelId([u8; 16]);

impl LoggedModelId {
    /// Wraps 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Draws a new id.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(entropy.bytes16())
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LoggedModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m-")?;
        write_hex(self.0, f)
    }
}

impl fmt::Debug for LoggedModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoggedModelId({self})")
    }
}

impl FromStr for LoggedModelId {
    type Err = TrackingError;

    fn from_str(text: &str) -> Result<Self, TrackingError> {
        let bytes = text.strip_prefix("m-").and_then(|digits| parse_bytes(digits).ok());
        bytes.map(Self).ok_or_else(|| TrackingError::InvalidLoggedModelId(clip(text)))
    }
}

impl TryFrom<String> for LoggedModelId {
    type Error = TrackingError;

    fn try_from(text: String) -> Result<Self, TrackingError> {
        text.parse()
    }
}

impl From<LoggedModelId> for String {
    fn from(id: LoggedModelId) -> Self {
        id.to_string()
    }
}

/// How far a logged model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoggedModelStatus {
    /// Its artifacts are being uploaded.
    Pending,
    /// Its artifacts are there.
    Ready,
    /// Its upload failed.
    Failed,
}

impl LoggedModelStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Ready, Self::Failed];

    /// The name in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Failed => "FAILED",
        }
    }

    /// The status of that name.
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A model that a run made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedModel {
    /// The id.
    pub id: LoggedModelId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// Its name; not unique.
    pub name: String,
    /// What kind of model, as the client says.
    pub model_type: String,
    /// The run that made it, as the client says.
    pub source_run: Option<RunRef>,
    /// Under which URI its artifacts lie.
    pub artifact_uri: String,
    /// How far it is.
    pub status: LoggedModelStatus,
    /// Whether it is deleted.
    pub lifecycle: Lifecycle,
    /// When it was created.
    pub created: MachineTime,
    /// When it last changed.
    pub updated: MachineTime,
}

/// A point of a metric of a logged model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMetric {
    /// The model.
    pub model: LoggedModelId,
    /// The run that measured it.
    pub run: RunId,
    /// The metric.
    pub key: String,
    /// Name and digest of the dataset that it was measured on.
    pub dataset: Option<(String, String)>,
    /// The point.
    pub point: Point,
}

/// A logged model with everything that hangs on it: what readers hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedModelDetail {
    /// The model.
    pub model: LoggedModel,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// All points of its metrics.
    pub metrics: Vec<ModelMetric>,
}

/// How the record names a logged model: like a run, told apart by its `m-`.
pub fn logged_model_subject(id: LoggedModelId) -> Subject {
    Subject::new(ResourceKind::Run, id)
}
