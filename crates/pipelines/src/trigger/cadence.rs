//! Rhythms on the data's clock.

use std::fmt;

use mainstay_core::time::{DataTime, SECOND};
use serde::{Deserialize, Serialize};

use super::Cron;
use crate::definition::Span;

/// Most instants of a schedule that fire because one watermark passed them together; of more, the
/// newest do. A single row from the far future must not start runs without end.
pub const CATCH_UP: usize = 1_000;

/// A rhythm on the data's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// At the times of a cron pattern, in UTC.
    Cron(Cron),
    /// At whole multiples of a length of time since 1970-01-01T00:00:00Z.
    Every(Span),
}

impl Cadence {
    /// The newest `limit` instants after `since` and not after `watermark`, oldest first.
    pub fn due(&self, since: DataTime, watermark: DataTime, limit: usize) -> Vec<DataTime> {
        let instants = match self {
            Self::Cron(cron) => cron.newest(since.micros(), watermark.micros(), limit),
            Self::Every(span) => multiples(step(*span), since.micros(), watermark.micros(), limit),
        };
        instants.into_iter().map(DataTime::from_micros).collect()
    }

    /// The first instant after `since`; `None` if there is none any more.
    pub fn next(&self, since: DataTime) -> Option<DataTime> {
        let next = match self {
            Self::Cron(cron) => cron.first_after(since.micros()),
            Self::Every(span) => {
                let step = step(*span);
                since.micros().div_euclid(step).checked_add(1).and_then(|count| count.checked_mul(step))
            }
        };
        next.map(DataTime::from_micros)
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => f.write_str(cron.as_str()),
            Self::Every(span) => write!(f, "every {span}"),
        }
    }
}

fn step(span: Span) -> i64 {
    span.micros().max(SECOND)
}

fn multiples(step: i64, since: i64, until: i64, limit: usize) -> Vec<i64> {
    let last = until.div_euclid(step);
    let before = since.div_euclid(step).max(last.saturating_sub(i64::try_from(limit).unwrap_or(i64::MAX)));
    (before.saturating_add(1)..=last).filter_map(|count| count.checked_mul(step)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(text: &str) -> DataTime {
        DataTime::parse(text).unwrap()
    }

    #[test]
    fn schedules_follow_the_watermark() {
        let weekly = Cadence::Every(Span::parse("7d").unwrap());
        let due = weekly.due(data("2013-01-01"), data("2013-01-20"), 10);
        assert_eq!(due, [data("2013-01-03"), data("2013-01-10"), data("2013-01-17")]);
        assert_eq!(weekly.due(data("2013-01-01"), data("2013-01-20"), 2), due[1..]);
        assert_eq!(weekly.due(data("2013-01-03"), data("2013-01-09T23:59:59Z"), 10), []);
        assert_eq!(weekly.due(data("2013-01-20"), data("2013-01-01"), 10), []);
        assert_eq!(weekly.next(data("2013-01-03")), Some(data("2013-01-10")));
        assert_eq!(weekly.due(DataTime::MIN, DataTime::MAX, 3).len(), 3);
        assert_eq!(weekly.next(DataTime::MAX), None);
        let monthly = Cadence::Cron(Cron::parse("0 0 1 * *").unwrap());
        assert_eq!(
            monthly.due(data("2013-01-01"), data("2013-03-01"), 10),
            [data("2013-02-01"), data("2013-03-01")]
        );
        assert_eq!(monthly.next(data("2013-01-01")), Some(data("2013-02-01")));
    }

    proptest! {
        /// However the way of the watermark is cut into looks, the same instants fire in the same order.
        #[test]
        fn looks_do_not_matter(
            step in 1_u32..5_000, start in -50_000_i64..50_000, steps in prop::collection::vec(0_i64..9_000, 1..20),
        ) {
            let cadence = Cadence::Every(Span::seconds(step));
            let start = DataTime::from_micros(start * SECOND);
            let end = start.plus(steps.iter().sum::<i64>() * SECOND);
            let (mut watermark, mut since, mut fired) = (start, start, Vec::new());
            for step in steps {
                watermark = watermark.plus(step * SECOND);
                let due = cadence.due(since, watermark, usize::MAX);
                since = due.last().copied().unwrap_or(since);
                fired.extend(due);
            }
            let whole: Vec<DataTime> = std::iter::successors(cadence.next(start), |at| cadence.next(*at))
                .take_while(|at| *at <= end)
                .collect();
            prop_assert_eq!(fired, whole);
        }
    }
}
