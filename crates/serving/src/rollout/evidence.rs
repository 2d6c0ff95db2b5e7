//! What the monitor found out about a rollout, as plain numbers and verdicts.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A check that needs no labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Scorings that err or time out.
    ErrorRate,
    /// The candidate's 95th percentile of latency over the champion's.
    LatencyRatio,
    /// Requests assigned to the candidate that another version answered.
    FallbackRate,
    /// Feature values outside their usual range.
    OutOfRangeRate,
    /// The candidate's scores against the champion's on the same requests.
    OutputShift,
}

/// What a guard says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardVerdict {
    /// Too little was seen to tell.
    TooFew,
    /// Within its limit.
    Holds,
    /// Beyond its limit, and not by chance.
    Breached,
}

/// One guard, judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GuardReading {
    /// Which.
    pub guard: Guard,
    /// What was seen.
    pub observed: f64,
    /// The plan's limit.
    pub limit: f64,
    /// The verdict.
    pub verdict: GuardVerdict,
}

/// What the paired losses say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityVerdict {
    /// Neither yet.
    Undecided,
    /// No worse than the champion by more than the plan's margin.
    NonInferior,
    /// Worse than the champion by more than the plan's harm margin.
    Harmful,
}

/// The state of the two e-processes over paired, mature, day-blocked losses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The verdict.
    pub verdict: QualityVerdict,
    /// Natural logarithm of the e-value for non-inferiority.
    pub log_e_non_inferior: f64,
    /// Natural logarithm of the e-value for harm.
    pub log_e_harm: f64,
    /// Mean loss of the candidate less that of the champion.
    pub mean_difference: f64,
    /// Mature pairs behind it.
    pub mature_pairs: u64,
    /// Share of the mature predictions that have a label, 0 to 1.
    pub coverage: f64,
}

/// A figure that is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("every figure of a rollout's evidence must be a finite number")]
pub struct InvalidEvidence;

impl Coded for InvalidEvidence {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// Everything that a decision is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How far the endpoint's data time has come.
    pub watermark: DataTime,
    /// Requests that both versions scored within the present phase.
    pub pairs: u64,
    /// Start of the first data hour with a request that both versions scored under the rollout; `None`
    /// before there was one.
    #[serde(default)]
    pub first_pair: Option<DataTime>,
    /// The guards.
    pub guards: Vec<GuardReading>,
    /// The paired losses; `None` where labels have not come yet.
    pub quality: Option<Quality>,
}

impl Evidence {
    /// Checks that every figure is finite, so that it can stand in the record as JSON.
    pub fn validate(&self) -> Result<(), InvalidEvidence> {
        let guards = self.guards.iter().flat_map(|g| [g.observed, g.limit]);
        let quality = self
            .quality
            .iter()
            .flat_map(|q| [q.log_e_non_inferior, q.log_e_harm, q.mean_difference, q.coverage]);
        if guards.chain(quality).all(f64::is_finite) { Ok(()) } else { Err(InvalidEvidence) }
    }

    /// Microseconds of data time from an instant to the watermark, as far as the candidate was seen in
    /// them: before the first pair no time has passed. So neither a gap in the traffic before the
    /// rollout's first request, nor an endpoint that had none yet, lets a candidate pass unseen.
    pub fn seen_since(&self, at: DataTime) -> Option<i64> {
        self.first_pair.map(|first| self.watermark.since(first.max(at)))
    }

    /// The first guard that is breached.
    pub fn breached(&self) -> Option<&GuardReading> {
        self.guards.iter().find(|reading| reading.verdict == GuardVerdict::Breached)
    }

    /// What the paired losses say; undecided where there are none.
    pub fn quality_verdict(&self) -> QualityVerdict {
        self.quality.map_or(QualityVerdict::Undecided, |quality| quality.verdict)
    }
}
