//! Cron patterns in UTC.

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use mainstay_core::time::{DAY, MachineTime, SECOND, civil, day_number};
use serde::{Deserialize, Serialize};

use crate::definition::Problem;

/// A cron pattern of five fields (minute, hour, day of month, month, day of week), in UTC. The syntax
/// is croner's (Vixie cron with `L`, `#` and `W`); a day must fit both day fields only if one of them
/// is `*`, as in POSIX.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    text: String,
    pattern: Box<croner::Cron>,
}

impl Cron {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let refused = || Problem::Cron(text.chars().take(100).collect());
        if text.len() > 200 {
            return Err(refused());
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let pattern = parser.parse(text).map_err(|_| refused())?;
        Ok(Self { text: text.to_owned(), pattern: Box::new(pattern) })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first instant after `since`; `None` if the pattern never matches again.
    pub fn next(&self, since: MachineTime) -> Option<MachineTime> {
        self.first_after(since.micros()).map(MachineTime::from_micros)
    }

    /// The newest instant after `since` and not after `now`. Of all that passed meanwhile, because nobody
    /// looked, this one stands for the rest.
    pub fn latest(&self, since: MachineTime, now: MachineTime) -> Option<MachineTime> {
        self.newest(since.micros(), now.micros(), 1).first().copied().map(MachineTime::from_micros)
    }

    /// The newest `limit` instants after `since` and not after `until`, in microseconds, oldest first.
    pub(super) fn newest(&self, since: i64, until: i64, limit: usize) -> Vec<i64> {
        // A pattern that never matches is found out going forward; going back it would be searched for.
        if self.first_after(since).is_none_or(|first| first > until) {
            return Vec::new();
        }
        let mut at = UtcSecond::of(until);
        let mut found = Vec::new();
        while found.len() < limit {
            let Ok(before) = self.pattern.find_previous_occurrence(&at, found.is_empty()) else { break };
            if before.micros() <= since {
                break;
            }
            found.push(before.micros());
            at = before;
        }
        found.reverse();
        found
    }

    /// The first instant after `since`, in microseconds.
    pub(super) fn first_after(&self, since: i64) -> Option<i64> {
        self.pattern.find_next_occurrence(&UtcSecond::of(since), false).ok().map(UtcSecond::micros)
    }
}

impl TryFrom<String> for Cron {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

/// Seconds since the Unix epoch in UTC, as croner's search wants to see time.
#[derive(Debug, Clone, Copy)]
struct UtcSecond(i64);

const DAY_SECONDS: i64 = DAY / SECOND;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: the years that a pattern is searched in.
const YEAR_1: i64 = -62_135_596_800;
const YEAR_9999: i64 = 253_402_300_799;

impl UtcSecond {
    /// The second that an instant lies in.
    fn of(micros: i64) -> Self {
        Self(micros.div_euclid(SECOND).clamp(YEAR_1, YEAR_9999))
    }

    fn micros(self) -> i64 {
        self.0.saturating_mul(SECOND)
    }
}

impl CronDateTime for UtcSecond {
    fn to_civil(&self) -> CivilDateTime {
        let (year, month, day) = civil(self.0.div_euclid(DAY_SECONDS));
        let second = u32::try_from(self.0.rem_euclid(DAY_SECONDS)).unwrap_or_default();
        let year = i32::try_from(year).unwrap_or(i32::MAX);
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(year, month, day),
            CivilTime::from_parts_unchecked(second / 3600, second / 60 % 60, second % 60),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        // 1970-01-01 was a Thursday.
        let days = self.0.div_euclid(DAY_SECONDS).rem_euclid(7);
        Weekday::Thursday.shift(i32::try_from(days).unwrap_or_default())
    }

    fn resolve_civil(&self, at: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let days = day_number(i64::from(at.year()), at.month(), at.day()).ok_or(CronError::InvalidDate)?;
        let second = i64::from(at.hour() * 3600 + at.minute() * 60 + at.second());
        Ok(Resolution::Single(Self(days * DAY_SECONDS + second)))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(seconds).map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::time::DataTime;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> MachineTime {
        MachineTime::from_micros(DataTime::parse(text).unwrap().micros())
    }

    #[test]
    fn cron_counts_in_utc_after_since_and_up_to_now() {
        let cron = Cron::parse("30 5 * * MON").unwrap();
        // 2013-01-07 was a Monday.
        let newest =
            |limit| cron.newest(at("2013-01-01").micros(), at("2013-01-21T05:30:00Z").micros(), limit);
        let mondays = ["2013-01-07T05:30:00Z", "2013-01-14T05:30:00Z", "2013-01-21T05:30:00Z"];
        assert_eq!(newest(10), mondays.map(|monday| at(monday).micros()));
        assert_eq!(newest(2), newest(10)[1..]);
        assert_eq!(cron.latest(at("2013-01-01"), at("2013-01-21T05:30:00Z")), Some(at(mondays[2])));
        assert_eq!(cron.latest(at(mondays[0]), at("2013-01-14T05:29:59.9Z")), None);
        assert_eq!(cron.next(at("2013-01-07T05:29:59.5Z")), Some(at("2013-01-07T05:30:00Z")));
        let leap = Cron::parse("0 0 29 2 *").unwrap();
        assert_eq!(leap.next(at("2013-03-01")), Some(at("2016-02-29")));
        assert_eq!(leap.latest(at("2001-01-01"), at("2015-12-31")), Some(at("2012-02-29")));
        assert_eq!(Cron::parse("0 0 1 1 *").unwrap().next(at("1969-06-01")), Some(at("1970-01-01")));
    }

    #[test]
    fn cron_is_bounded_and_refuses_nonsense() {
        let minutely = Cron::parse("* * * * *").unwrap();
        assert_eq!(minutely.newest(0, i64::MAX, 3).len(), 3);
        assert_eq!(minutely.newest(i64::MIN, i64::MAX, 2).len(), 2);
        let never = Cron::parse("0 0 30 2 *").unwrap();
        assert_eq!(never.next(MachineTime::from_micros(0)), None);
        assert_eq!(never.latest(MachineTime::from_micros(0), at("2026-01-01")), None);
        for bad in ["", "x", "* * * *", "* * * * * *", "60 * * * *", "0 0 0 * *"] {
            assert_eq!(Cron::parse(bad), Err(Problem::Cron(bad.to_owned())), "{bad}");
        }
    }

    proptest! {
        /// Going back from the end finds what going forward from the beginning finds, by the pattern's own
        /// fields: minute and hour as numbers, every day.
        #[test]
        fn instants_are_those_of_a_daily_time(
            minute in 0_i64..60, hour in 0_i64..24, since in -5_000_i64..5_000, length in 0_i64..20_000,
            limit in 0_usize..6,
        ) {
            const MINUTE: i64 = 60 * SECOND;
            let (since, until) = (since * MINUTE, (since + length) * MINUTE);
            let cron = Cron::parse(&format!("{minute} {hour} * * *")).unwrap();
            let all: Vec<i64> = (since.div_euclid(DAY)..=until.div_euclid(DAY))
                .map(|day| day * DAY + (hour * 60 + minute) * MINUTE)
                .filter(|at| *at > since && *at <= until)
                .collect();
            let newest = &all[all.len().saturating_sub(limit)..];
            prop_assert_eq!(cron.newest(since, until, limit), newest);
            prop_assert_eq!(cron.first_after(since).filter(|at| *at <= until), all.first().copied());
        }
    }
}
