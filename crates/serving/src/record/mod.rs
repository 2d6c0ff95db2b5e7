//! The prediction record: what was asked, what was read, who answered what.
//!
//! Records and labels go to the predictor's local log in the binary form of [`PredictionRecord::encode`]
//! and [`crate::label::Label::encode`]; each starts with the number of its format, so that old logs
//! stay readable.

mod codec;
mod label_codec;
mod wire;

use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::{DataTime, MachineTime};
pub use wire::{CodecError, MAX_ENCODED};

use crate::schema::Violation;
use crate::value::FeatureValue;

/// The row of a feature view that a prediction read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRead {
    /// The feature view.
    pub view: String,
    /// The row; `None` where the view had none within its ttl.
    pub row: Option<RowStamp>,
    /// Whether the request's data time lies beyond what had been materialised: the row is the newest that was
    /// there, and newer ones may have been visible by then. Records of format 1 do not say; then it is false.
    pub beyond: bool,
}

/// Which row of a view it was: the newest (ts, created) wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowStamp {
    /// The row's event time.
    pub ts: DataTime,
    /// When the row became known.
    pub created: DataTime,
}

/// The part in which an arm scored a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArmRole {
    /// As champion.
    Champion,
    /// As shadow.
    Shadow,
    /// As canary.
    Canary,
    /// As the champion before, in place of one that failed.
    Previous,
}

/// Why an arm has no scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArmFailure {
    /// It took too long.
    TimedOut,
    /// The model refused the input, or failed on it.
    Failed,
    /// The model was not loaded.
    NotLoaded,
}

/// How one arm scored a request.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmScore {
    /// The version.
    pub version: u64,
    /// Its part.
    pub role: ArmRole,
    /// How long it took, in microseconds.
    pub latency_micros: u32,
    /// Its scores, or why there are none.
    pub outcome: Result<Vec<f64>, ArmFailure>,
}

/// One prediction, as it is logged. Analysis goes by its revision and arms, never by its time.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRecord {
    /// Its id, which labels name.
    pub id: PredictionId,
    /// The endpoint that was asked.
    pub endpoint: Name,
    /// The revision that was in force.
    pub revision: u64,
    /// The data time of the request.
    pub at: DataTime,
    /// When the machine got it.
    pub received: MachineTime,
    /// The key that it was routed by, if it had one.
    pub sticky_key: Option<String>,
    /// The entity keys that it carried: name and value.
    pub entity_keys: Vec<(String, FeatureValue)>,
    /// The features as the arms saw them, in the order of the endpoint's schema.
    pub features: Vec<FeatureValue>,
    /// Which rows of the online store they came from.
    pub reads: Vec<ViewRead>,
    /// Every arm that scored it.
    pub arms: Vec<ArmScore>,
    /// The arm, by its position in `arms`, that it was assigned to.
    pub assigned: u8,
    /// The arm, by its position in `arms`, that gave the answer; `None` if none could.
    pub answered: Option<u8>,
    /// Unusual values.
    pub violations: Vec<Violation>,
}

impl PredictionRecord {
    /// The arm that gave the answer.
    pub fn answer(&self) -> Option<&ArmScore> {
        self.arms.get(usize::from(self.answered?))
    }

    /// Whether another arm than the assigned one gave the answer, or none could.
    pub fn fell_back(&self) -> bool {
        self.answered != Some(self.assigned)
    }
}
