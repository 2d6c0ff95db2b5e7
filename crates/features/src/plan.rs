//! Which rows a materialisation carries to the online store, and how fresh the store then is.
//!
//! A materialisation may run ahead of the requests' data time (a replay loads a day before it serves
//! it). The store therefore keeps a short history: for each key the row that answers at the *horizon*,
//! and every row that becomes visible after it. Any request at or after the horizon is answered exactly,
//! whatever later rows the store already holds.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::time::DataTime;
use thiserror::Error;

/// Why a materialisation cannot be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The end lies before what is there already, or before the horizon.
    #[error("a materialisation goes forward; {until} lies before {before}")]
    Backwards {
        /// The wanted end.
        until: DataTime,
        /// What it must not precede.
        before: DataTime,
    },
}

impl Coded for PlanError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// The data times for which an online store answers exactly: from `horizon` to `until`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// No request before this is answered.
    pub horizon: DataTime,
    /// Every row that became visible up to here is there.
    pub until: DataTime,
}

/// The rows to carry: those visible in (`after`, `until`], of which only the newest per key among those
/// visible at or before `horizon`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaterialisationPlan {
    /// What the store holds already; `None` for an empty store.
    pub after: Option<DataTime>,
    /// The earliest data time that will still be asked for.
    pub horizon: DataTime,
    /// The data time up to which the store shall answer.
    pub until: DataTime,
}

impl MaterialisationPlan {
    /// Goes on from `present`, or fills an empty store so that it answers from `horizon` to `until`.
    pub fn next(present: Option<Coverage>, horizon: DataTime, until: DataTime) -> Result<Self, PlanError> {
        let horizon = present.map_or(horizon, |coverage| coverage.horizon.max(horizon));
        let before = present.map_or(horizon, |coverage| coverage.until.max(horizon));
        if until < before {
            return Err(PlanError::Backwards { until, before });
        }
        Ok(Self { after: present.map(|coverage| coverage.until), horizon, until })
    }

    /// What the store covers once the rows are there.
    pub const fn coverage(self) -> Coverage {
        Coverage { horizon: self.horizon, until: self.until }
    }
}

/// How far a view lags behind a watermark, in microseconds of data time: 0 if it is ahead.
pub fn staleness(coverage: Coverage, watermark: DataTime) -> i64 {
    watermark.since(coverage.until).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(micros: i64) -> DataTime {
        DataTime::from_micros(micros)
    }

    #[test]
    fn a_plan_goes_on_where_the_store_ends() {
        let first = MaterialisationPlan::next(None, time(10), time(20)).unwrap();
        assert_eq!(first, MaterialisationPlan { after: None, horizon: time(10), until: time(20) });
        let second = MaterialisationPlan::next(Some(first.coverage()), time(5), time(30)).unwrap();
        assert_eq!(
            second,
            MaterialisationPlan { after: Some(time(20)), horizon: time(10), until: time(30) },
            "a horizon never goes back"
        );
        assert_eq!(staleness(second.coverage(), time(31)), 1);
        assert_eq!(staleness(second.coverage(), time(29)), 0);
    }

    #[test]
    fn it_never_goes_back() {
        let coverage = Coverage { horizon: time(10), until: time(20) };
        for (horizon, until) in [(10, 19), (40, 30)] {
            assert!(MaterialisationPlan::next(Some(coverage), time(horizon), time(until)).is_err());
        }
        assert!(MaterialisationPlan::next(None, time(2), time(1)).is_err());
    }
}
