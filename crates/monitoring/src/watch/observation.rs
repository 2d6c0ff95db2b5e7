//! What the watch is fed.

use mainstay_core::id::{PredictionId, RolloutId};
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};

use crate::profile::Value;

/// The value of one feature, as the arms saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FeatureValue {
    /// Not known.
    Missing,
    /// A number; NaN means not known.
    Number(f64),
    /// A category.
    Category(Box<str>),
}

impl FeatureValue {
    /// The value, borrowed.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Number(number) => Value::number(*number),
            Self::Category(category) => Value::Category(category),
        }
    }
}

/// How one arm scored a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmScore {
    /// The model version.
    pub version: u64,
    /// The probability of class 1 that it gave; `None` if it gave none.
    pub score: Option<f64>,
    /// How long it took, in microseconds.
    pub latency_micros: u32,
    /// Whether it erred or took too long.
    pub failed: bool,
}

/// One prediction, as it was logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Its id.
    pub id: PredictionId,
    /// The data time of the request.
    pub at: DataTime,
    /// The features, in the order of the endpoint's schema.
    pub features: Vec<FeatureValue>,
    /// Every arm that scored it.
    pub arms: Vec<ArmScore>,
    /// The version that it was assigned to.
    pub assigned: u64,
    /// The version that gave the answer; `None` if none could. Another one than the assigned is a
    /// fallback.
    pub answered: Option<u64>,
    /// How many of its features lay outside their usual range.
    pub out_of_range: u32,
    /// The rollout whose revision it was made under.
    pub under: Option<RolloutId>,
}

impl Observation {
    /// The arm of a version.
    pub(super) fn arm(&self, version: u64) -> Option<&ArmScore> {
        self.arms.iter().find(|arm| arm.version == version)
    }
}

impl ArmScore {
    /// Its score, if it is a number.
    pub(super) fn finite(&self) -> Option<f64> {
        self.score.filter(|score| score.is_finite() && !self.failed)
    }
}

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It will be folded with its hour.
    New,
    /// It was known already: the first of an id within a data day counts.
    Known,
    /// Its hour is closed; it is only counted.
    Late,
}
