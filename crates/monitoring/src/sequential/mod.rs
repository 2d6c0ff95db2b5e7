//! Evidence that may be looked at after every block: e-processes and confidence sequences.
//!
//! A fixed-sample test that is looked at every day is wrong far more often than its level says. The
//! tests here hold theirs at **every** look at once, so that a rollout may stop as soon as the
//! evidence is there ([`PairedQuality`]), and a guard may act within the day ([`Guards`]).

mod betting;
mod confidence;
mod guard;
mod quality;

use mainstay_core::error::{Coded, ErrorCode};

pub use betting::{Alternative, BettingTest, Bounds};
pub use confidence::{Interval, confidence_sequence};
pub use guard::{Guard, GuardReading, Guarded, Guards};
pub use quality::{PairedPlan, PairedQuality, QualityReading, Standing};

/// Why a sequential test cannot be set up or fed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SequentialError {
    /// Bounds, margins or levels that make no test.
    #[error("{0}")]
    Plan(&'static str),
    /// A value that is no finite number.
    #[error("an observation is not a finite number")]
    NotFinite,
    /// A block out of order.
    #[error("day {got} comes after day {folded} was folded; fold each data day once, in order")]
    OutOfOrder {
        /// The day that was offered.
        got: i64,
        /// The newest day that is folded.
        folded: i64,
    },
    /// The number of readings is not the number of guards.
    #[error("{got} readings for {expected} guards; give one for each")]
    Width {
        /// Readings given.
        got: usize,
        /// Guards.
        expected: usize,
    },
}

impl Coded for SequentialError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Plan(_) => ErrorCode::InvalidDefinition,
            Self::NotFinite | Self::Width { .. } => ErrorCode::InvalidData,
            Self::OutOfOrder { .. } => ErrorCode::WrongState,
        }
    }
}
