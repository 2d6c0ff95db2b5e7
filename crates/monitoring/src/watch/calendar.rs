//! Data hours and data days, cut with one offset.

use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::time::{DAY, DataTime, HOUR};
use serde::{Deserialize, Serialize};

/// Hours of a day.
const HOURS: i64 = DAY / HOUR;

/// Cuts data time into hours and, of 24 hours each, into days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Calendar {
    /// Microseconds added before cutting.
    pub(super) day_offset: i64,
}

impl Calendar {
    pub(super) fn hour(self, at: DataTime) -> i64 {
        at.plus(self.day_offset).micros().div_euclid(HOUR)
    }

    pub(super) fn day(self, at: DataTime) -> i64 {
        at.plus(self.day_offset).day()
    }

    /// The first instant after an hour.
    pub(super) fn hour_end(self, hour: i64) -> DataTime {
        self.instant(hour.saturating_add(1).saturating_mul(HOUR))
    }

    /// The first instant of a day.
    pub(super) fn day_start(self, day: i64) -> DataTime {
        self.instant(day.saturating_mul(DAY))
    }

    pub(super) const fn last_hour(day: i64) -> i64 {
        day.saturating_mul(HOURS).saturating_add(HOURS - 1)
    }

    pub(super) const fn day_of(hour: i64) -> i64 {
        hour.div_euclid(HOURS)
    }

    /// The hour at whose end all predictions of a day are older than `horizon`.
    pub(super) fn maturity(day: i64, horizon: i64) -> i64 {
        let ripe = day.saturating_add(1).saturating_mul(DAY).saturating_add(waited(horizon));
        ripe.saturating_add(HOUR - 1).div_euclid(HOUR) - 1
    }

    /// The first day that is not mature at the end of an hour.
    pub(super) fn first_immature(self, hour: i64, horizon: i64) -> i64 {
        self.day(self.hour_end(hour).plus(waited(horizon).saturating_neg()))
    }

    fn instant(self, local: i64) -> DataTime {
        DataTime::from_micros(local).plus(self.day_offset.saturating_neg())
    }
}

/// How much of a horizon is waited for: all of it.
fn waited(horizon: i64) -> i64 {
    if is_planted(Fault::ImmatureLabels) { 0 } else { horizon }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_24_hours_and_ripens_at_the_end_of_one() {
        for day_offset in [0, -5 * HOUR, HOUR / 2] {
            let calendar = Calendar { day_offset };
            let start = calendar.day_start(7);
            assert_eq!((calendar.day(start), calendar.day(start.plus(-1))), (7, 6));
            assert_eq!(calendar.hour(start), 7 * HOURS);
            assert_eq!(calendar.hour_end(Calendar::last_hour(7)), calendar.day_start(8));
            for horizon in [0, 1, HOUR, 26 * HOUR, 26 * HOUR + 1] {
                let ripe = Calendar::maturity(7, horizon);
                assert_eq!(calendar.first_immature(ripe, horizon), 8);
                assert_eq!(calendar.first_immature(ripe - 1, horizon), 7);
            }
        }
    }
}
