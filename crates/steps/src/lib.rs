//! The built-in steps, one per file: what `uses:` in a pipeline can name.
//!
//! A step is *prepared* in the server (its arguments are read, what it works on is looked up), *performed*
//! (mostly in a child process, so that its memory and its faults are its own) and *concluded* in the
//! server: its effect on the record and its acceptance are one command.
//!
//! # Adding a step
//!
//! A file with a type that implements [`BuiltIn`], a line in [`all`], and a page in the reference.

pub mod endpoint;
pub mod features;
mod frame;
pub mod gate;
pub mod import;
pub mod materialise;
pub mod pipeline;
pub mod register;
pub mod rollout;
pub mod train;
pub mod validate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::error::{Coded, ErrorClass, ErrorCode, Failure, causes};
use mainstay_core::name::Name;
use mainstay_core::time::{DAY, DataTime, MachineTime};
use mainstay_pipelines::circumstances::{Circumstances, DataVersion};
use mainstay_pipelines::commands::Claim;
use mainstay_pipelines::definition::BuiltIns;
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_pipelines::reproduction::{NotReproducible, reproduces};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use mainstay_platform::Platform;
use mainstay_platform::loop_tx::Effect;

/// Why a step did not succeed.
#[derive(Debug, Clone, Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct StepError {
    code: String,
    message: String,
    /// Whether trying again may help: the store was busy, a process was killed.
    pub retryable: bool,
    /// Whether the store did not answer: the same may be asked again as it is.
    #[serde(skip)]
    pub is_store_away: bool,
}

impl StepError {
    /// A wrong argument, or a state in which the step cannot work.
    pub fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: code.as_str().to_owned(),
            message: message.into(),
            retryable: false,
            is_store_away: false,
        }
    }

    /// The command of a step ended badly; another attempt may do better.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::WrongState.as_str().to_owned(),
            message: message.into(),
            retryable: true,
            is_store_away: false,
        }
    }

    /// The process or the machine failed, not the work.
    pub fn lost(message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::Unavailable.as_str().to_owned(),
            message: message.into(),
            retryable: true,
            is_store_away: false,
        }
    }

    /// The work is right, but must be done again on a newer state.
    pub fn overtaken(message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::RevisionConflict.as_str().to_owned(),
            message: message.into(),
            retryable: true,
            is_store_away: false,
        }
    }

    /// Any coded error.
    pub fn of(error: impl Coded) -> Self {
        let failure = Failure::from(error);
        let cause = causes(failure.inner());
        if !cause.is_empty() {
            tracing::warn!(code = %failure.code(), cause, "{failure}");
        }
        let is_store_away = is_store_away(failure.code());
        let retryable = is_store_away || failure.code().class() == ErrorClass::Internal;
        let code = failure.code().as_str().to_owned();
        Self { code, message: failure.to_string(), retryable, is_store_away }
    }
}

/// Whether a code says that the store does not answer now, or has no room now.
pub fn is_store_away(code: ErrorCode) -> bool {
    matches!(code.class(), ErrorClass::Unavailable | ErrorClass::StorageFull)
}

impl Coded for StepError {
    fn code(&self) -> ErrorCode {
        ErrorCode::ALL.iter().copied().find(|code| code.as_str() == self.code).unwrap_or(ErrorCode::Internal)
    }
}

/// A claimed step with its arguments.
pub struct Held {
    /// Where it runs.
    pub workspace: Name,
    /// The claim.
    pub claim: Claim,
    /// The arguments under `with`, every reference answered.
    pub with: Map<String, Value>,
    /// The working directory of this attempt.
    pub directory: PathBuf,
    /// The pipeline's root: relative paths in arguments start here.
    pub root: PathBuf,
}

impl Held {
    /// Reads the arguments into a type that says what there may be.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, StepError> {
        serde_json::from_value(Value::Object(self.with.clone())).map_err(|error| {
            let step = &self.claim.step.name;
            StepError::refused(ErrorCode::InvalidDefinition, format!("the arguments of step {step}: {error}"))
        })
    }

    /// What the step found when it ran first, if its run does another again.
    async fn before(&self, platform: &Platform) -> Result<Option<Circumstances>, StepError> {
        let Some(first) = reproduces(&self.claim.run) else { return Ok(None) };
        let results =
            platform.database.reader.results(&self.workspace, first).await.map_err(StepError::of)?;
        let step = &self.claim.step.name;
        let found = results.into_iter().find(|result| result.step == *step);
        let known = found.and_then(|result| result.circumstances);
        known
            .map(|known| Some(*known))
            .ok_or_else(|| StepError::of(NotReproducible::NotRecorded(step.clone())))
    }

    /// The data time up to which the step may look: the argument, or else the run's own.
    fn until(&self, argument: Option<&str>) -> Result<DataTime, StepError> {
        match (argument, self.claim.run.data_time) {
            (Some(text), _) => data_time("until", text),
            (None, Some(at)) => Ok(at),
            (None, None) => {
                let message = "the step needs 'until', or the run a data time (--data-time)";
                Err(StepError::refused(ErrorCode::InvalidDefinition, message))
            }
        }
    }
}

/// A stretch of data time among a step's arguments: from one instant to another, or so many days that end
/// so many days before the run's data time.
#[derive(Debug, Default, Deserialize)]
struct Span {
    /// Its first instant.
    from: Option<String>,
    /// The first instant that is out; the run's data time if absent.
    until: Option<String>,
    /// Instead of `from`: its length in days.
    days: Option<u32>,
    /// Instead of `until`: how many days before the run's data time it ends.
    days_before: Option<u32>,
}

impl Span {
    fn of(&self, held: &Held) -> Result<(DataTime, DataTime), StepError> {
        let refused = |message: &str| StepError::refused(ErrorCode::InvalidDefinition, message);
        let until = match (&self.until, self.days_before) {
            (Some(_), Some(_)) => return Err(refused("give 'until' or 'days_before', not both")),
            (None, Some(days)) => held.until(None)?.plus(-i64::from(days) * DAY),
            (until, None) => held.until(until.as_deref())?,
        };
        let from = match (&self.from, self.days) {
            (Some(from), None) => data_time("from", from)?,
            (None, Some(days)) => until.plus(-i64::from(days) * DAY),
            _ => return Err(refused("give 'from', or 'days' for so many days before the end")),
        };
        if from < until { Ok((from, until)) } else { Err(refused("the stretch of data time is empty")) }
    }
}

/// Reads an argument that is an instant of data time.
fn data_time(name: &str, text: &str) -> Result<DataTime, StepError> {
    DataTime::parse(text).ok_or_else(|| {
        let message = format!("write {name} as 2013-03-01T00:00:00Z; {text:?} is no instant");
        StepError::refused(ErrorCode::InvalidDefinition, message)
    })
}

/// What a step read, so that it can be done again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reads {
    /// The table versions, by dataset.
    pub data: BTreeMap<String, DataVersion>,
    /// The feature definitions, by project.
    pub features: BTreeMap<String, DataVersion>,
    /// What its randomness was drawn from.
    pub seed: Option<Value>,
}

/// How a prepared step goes on.
pub enum Prepared {
    /// A child process performs it, with this order.
    Child(Value),
    /// It is performed already; this is the result.
    Done(Value),
    /// It looks again at this instant, or earlier if something wakes it; the memo is kept.
    Wait {
        /// When.
        until: MachineTime,
        /// What it wants to remember.
        memo: Value,
    },
}

/// A built-in step.
#[async_trait]
pub trait BuiltIn: Send + Sync {
    /// The name under `uses`.
    fn name(&self) -> &'static str;

    /// Whether these can be its arguments; if not, a sentence. Texts with references in them stand for values
    /// that are not known yet.
    fn check(&self, with: &Map<String, Value>) -> Result<(), String>;

    /// In the server: reads the arguments and looks up what the step works on. By default nothing: the step
    /// is small enough to be done when it is concluded.
    async fn prepare(&self, _platform: &Platform, _held: &Held) -> Result<Prepared, StepError> {
        Ok(Prepared::Done(Value::Null))
    }

    /// In a child process whose working directory is `directory`, if it was prepared for one.
    fn perform(&self, _order: Value, _directory: &Path) -> Result<Value, StepError> {
        Ok(Value::Null)
    }

    /// What a result that it performed was computed from; nothing, if it looks at what is there when it is concluded.
    fn reads(&self, _result: &Value) -> Result<Reads, StepError> {
        Ok(Reads::default())
    }

    /// In the server: what the result does to the record.
    async fn conclude(
        &self,
        platform: &Platform,
        held: &Held,
        result: Value,
    ) -> Result<Box<dyn Effect>, StepError>;
}

/// Every built-in step by name.
#[derive(Clone)]
pub struct Steps(Arc<BTreeMap<&'static str, Box<dyn BuiltIn>>>);

impl FromIterator<Box<dyn BuiltIn>> for Steps {
    fn from_iter<I: IntoIterator<Item = Box<dyn BuiltIn>>>(steps: I) -> Self {
        Self(Arc::new(steps.into_iter().map(|step| (step.name(), step)).collect()))
    }
}

impl Steps {
    /// The step of that name.
    pub fn get(&self, name: &str) -> Option<&dyn BuiltIn> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }
}

impl BuiltIns for Steps {
    fn names(&self) -> Vec<&'static str> {
        Self::names(self)
    }

    fn check(&self, uses: &str, with: &Map<String, Value>) -> Result<(), String> {
        self.get(uses).map_or(Ok(()), |step| step.check(with))
    }
}

/// The steps that there are.
pub fn all() -> Steps {
    let steps: Vec<Box<dyn BuiltIn>> = vec![
        Box::new(endpoint::DefineEndpoint),
        Box::new(features::Features),
        Box::new(gate::Gate),
        Box::new(import::Import),
        Box::new(materialise::Materialise),
        Box::new(pipeline::KeepPipeline),
        Box::new(register::Register),
        Box::new(rollout::RollOut),
        Box::new(train::Train),
        Box::new(validate::Validate),
    ];
    steps.into_iter().collect()
}

/// Reads what an order or result holds; they are written by this program itself.
fn read<T: DeserializeOwned>(value: Value) -> Result<T, StepError> {
    serde_json::from_value(value).map_err(|error| {
        StepError::refused(ErrorCode::Internal, format!("a step's order or result does not read: {error}"))
    })
}

/// Writes an order or result.
fn write<T: Serialize>(value: &T) -> Result<Value, StepError> {
    serde_json::to_value(value).map_err(|error| {
        StepError::refused(ErrorCode::Internal, format!("a step's order or result does not write: {error}"))
    })
}
