//! Alarms that are earned: significance under a false-alarm budget, **and** a minimum effect, **and** a
//! minimum sample, in two windows one after the other.
//!
//! # Why not a p-value a day
//!
//! Three things break the textbook rule. Rows of one day are alike (one storm, one temperature), so a
//! test on rows calls every day different. A monitor looks every day, for a year, so a 5 % test alarms
//! for certain. And it looks at many features.
//!
//! # What is done instead
//!
//! The unit is the data day. The reference's own days say how much two spans differ when nothing
//! changed: [`Baseline::calibrate`] draws, many times over, a reference and a whole horizon of days
//! from the reference days (a circular block bootstrap, so that spells of weather stay together), looks at every window of that horizon as the monitor will, and
//! keeps the **greatest** statistic. The p-value of a look is the share of such horizons that went at
//! least as far at *any* of their looks. So P(a series that did not change ever gets p ≤ a within
//! the horizon) ≤ a: there is one test a horizon, not one a look.
//!
//! Over the series of a monitor the p-values of a look are corrected by Benjamini & Hochberg. Each is
//! at least the series' least p-value of the horizon, and the correction is monotone, so the false
//! discovery rate over the **whole horizon** stays below the level: with nothing changed, P(any alarm
//! in a year) ≤ `alpha`, for series that are independent or positively dependent.
//!
//! Two things keep few and heavy-tailed reference days from being believed too much: each draw is
//! measured in units of its own daily spread (the bootstrap-t), and windows must agree one after the
//! other. Give the three families of an endpoint their own monitors and shares of the budget; 0.01 for
//! its features, 0.005 for its predictions and 0.005 for its quality make a false alarm in fifty years.
//!
//! The familiar thresholds (PSI 0.2, −5 % accuracy, 15 % prediction shift) are effect floors beside
//! that, and age (30, 60, 90 days) is a rule of its own: [`AgeRule`].

mod age;
mod calibration;
mod monitor;
mod statistic;

use mainstay_core::error::{Coded, ErrorCode};

pub use age::{AgeAlarm, AgeRule};
pub use calibration::{Baseline, CalibrationPlan, DayTotals};
pub use monitor::{Alarm, Look, Monitor, MonitorState, Signal, Window};
pub use statistic::{Series, SeriesKind, Statistic};

/// Why a monitor cannot be calibrated or fed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlarmError {
    /// A plan that makes no sense.
    #[error("{0}")]
    Plan(&'static str),
    /// Too few reference days to know how much days differ.
    #[error("{got} reference days are too few for windows of {window} days; give at least {needed}")]
    FewDays {
        /// Days given.
        got: usize,
        /// Days of a window.
        window: usize,
        /// Days needed.
        needed: usize,
    },
    /// Too few replicates for a single series to reach significance among so many.
    #[error("{series} series need at least {needed} replicates at this level, or none could alarm alone")]
    FewReplicates {
        /// Series.
        series: usize,
        /// Replicates needed.
        needed: usize,
    },
    /// Totals that do not fit the series.
    #[error(
        "the totals of day {0} do not fit the series; give one list a series, finite and of equal length"
    )]
    Totals(i64),
    /// A day out of order.
    #[error("day {got} comes after day {folded} was folded; fold each data day once, in order")]
    OutOfOrder {
        /// The day that was offered.
        got: i64,
        /// The newest day that is folded.
        folded: i64,
    },
}

impl Coded for AlarmError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Plan(_) | Self::FewReplicates { .. } => ErrorCode::InvalidDefinition,
            Self::FewDays { .. } | Self::Totals(_) => ErrorCode::InvalidData,
            Self::OutOfOrder { .. } => ErrorCode::WrongState,
        }
    }
}
