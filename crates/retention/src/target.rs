//! What can be purged, and what holds it back.

use std::fmt;
use std::str::FromStr;

use mainstay_core::experiment::ExperimentId;
use mainstay_core::id::RunId;
use mainstay_core::scope::{ResourceKind, Subject};
use serde::{Deserialize, Serialize};

use crate::error::RetentionError;

/// Longest id of a trace, in characters; the ids of other things are shorter.
const MAX_ID: usize = 50;

/// A kind of thing that can be purged. In the order in which things of one purge are taken: what lies in another one
/// comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A trace, with its spans and what is said of it.
    Trace,
    /// The artifacts of a run, which itself stays.
    RunArtifacts,
    /// A logged model.
    LoggedModel,
    /// A run, with the logged models that it made.
    Run,
    /// An experiment, with all that lives in it.
    Experiment,
}

impl TargetKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Trace, Self::RunArtifacts, Self::LoggedModel, Self::Run, Self::Experiment];

    /// The name on the wire and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::RunArtifacts => "run_artifacts",
            Self::LoggedModel => "logged_model",
            Self::Run => "run",
            Self::Experiment => "experiment",
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TargetKind {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(RetentionError::InvalidKind)
    }
}

/// One thing that can be purged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Target {
    /// What it is.
    pub kind: TargetKind,
    /// Its id: that of the run, where its artifacts alone are meant.
    pub id: String,
}

impl Target {
    /// Checks that the text can be an id of such a thing.
    pub fn new(kind: TargetKind, id: &str) -> Result<Self, RetentionError> {
        let is_one = match kind {
            TargetKind::Experiment => ExperimentId::parse(id).is_ok(),
            TargetKind::Run | TargetKind::RunArtifacts => id.parse::<RunId>().is_ok(),
            TargetKind::LoggedModel => id.strip_prefix("m-").is_some_and(|hex| hex.parse::<RunId>().is_ok()),
            TargetKind::Trace => {
                !id.is_empty() && id.chars().count() <= MAX_ID && !id.contains(char::is_control)
            }
        };
        if is_one { Ok(Self { kind, id: id.to_owned() }) } else { Err(RetentionError::InvalidTarget(kind)) }
    }

    /// How the record names it.
    pub fn subject(&self) -> Subject {
        let kind = match self.kind {
            TargetKind::Trace => ResourceKind::Trace,
            // A logged model stands in the record like a run, told apart by its `m-`.
            TargetKind::RunArtifacts | TargetKind::Run | TargetKind::LoggedModel => ResourceKind::Run,
            TargetKind::Experiment => ResourceKind::Experiment,
        };
        Subject::new(kind, &self.id)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TargetKind::Trace => write!(f, "trace {}", self.id),
            TargetKind::RunArtifacts => write!(f, "the artifacts of run {}", self.id),
            TargetKind::LoggedModel => write!(f, "logged model {}", self.id),
            TargetKind::Run => write!(f, "run {}", self.id),
            TargetKind::Experiment => write!(f, "experiment {}", self.id),
        }
    }
}

/// A target that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub target: Target,
    /// In which experiment it lies, or which one it is.
    pub experiment: ExperimentId,
    /// Under which URI its artifacts lie.
    pub place: String,
}

/// Something that still needs a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Hold {
    /// What kind of thing: `model_version`, `run`, `evaluation_dataset`, `gateway_endpoint`.
    pub kind: String,
    /// Its id or name.
    pub id: String,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.replace('_', " "), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_their_kind() {
        let run = "ab".repeat(16);
        assert!(Target::new(TargetKind::Run, &run).is_ok());
        assert!(Target::new(TargetKind::RunArtifacts, &run).is_ok());
        assert!(Target::new(TargetKind::LoggedModel, &format!("m-{run}")).is_ok());
        assert!(Target::new(TargetKind::Experiment, "7").is_ok());
        assert!(Target::new(TargetKind::Trace, "tr-1").is_ok());
        for (kind, id) in [
            (TargetKind::Run, "7"),
            (TargetKind::LoggedModel, run.as_str()),
            (TargetKind::Experiment, "x"),
            (TargetKind::Trace, ""),
            (TargetKind::Trace, "a\nb"),
        ] {
            assert!(Target::new(kind, id).is_err(), "{kind} {id:?}");
        }
        for kind in TargetKind::ALL {
            assert_eq!(kind.as_str().parse::<TargetKind>().unwrap(), kind);
        }
        assert!("runs".parse::<TargetKind>().is_err());
    }

    #[test]
    fn what_lies_in_another_thing_comes_before_it() {
        let mut kinds = TargetKind::ALL;
        kinds.reverse();
        kinds.sort_unstable();
        assert_eq!(kinds, TargetKind::ALL);
    }
}
