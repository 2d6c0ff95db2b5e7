//! Quality on matured labels: metrics, and their intervals over days.
//!
//! Rows of one data day are not independent, so the unit of every interval is the day: see
//! [`day_interval`]. A metric of a span is computed over all its rows, so a busy day weighs more than a
//! quiet one.

mod interval;
mod metric;
mod report;

use mainstay_core::error::{Coded, ErrorCode};

pub use interval::{DayInterval, IntervalMethod, Resampling, day_interval};
pub use metric::{Metric, Scored};
pub use report::{PerformanceReport, as_known_at, paired_difference, report};

/// Why a figure cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PerformanceError {
    /// A score or label that the metric cannot take.
    #[error("{0}")]
    Row(&'static str),
    /// The two sides of a pair differ in their rows.
    #[error("the two models must be scored on the same rows, in the same order")]
    Unpaired,
    /// A level or a number of replicates that makes no interval.
    #[error("a level lies between 0 and 1, and there is at least one replicate")]
    Resampling,
}

impl Coded for PerformanceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Row(_) | Self::Unpaired => ErrorCode::InvalidData,
            Self::Resampling => ErrorCode::InvalidArgument,
        }
    }
}
