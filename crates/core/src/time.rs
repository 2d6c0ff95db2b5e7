//! The two times. They do not convert into each other.
//!
//! *Machine time* drives leases, heartbeats, time-outs, back-off and token expiry. *Data time* is a
//! public field of predictions, labels, rows and pipeline parameters; windows, freshness, ttl, label
//! horizons, bake times, age rules and data-clocked schedules read only it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds in one second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in one hour.
pub const HOUR: i64 = 3_600 * SECOND;
/// Microseconds in one day.
pub const DAY: i64 = 24 * HOUR;

macro_rules! instant {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The earliest instant.
            pub const MIN: Self = Self(i64::MIN);
            /// The latest instant.
            pub const MAX: Self = Self(i64::MAX);

            /// From microseconds since 1970-01-01T00:00:00Z.
            pub const fn from_micros(micros: i64) -> Self {
                Self(micros)
            }

            /// Microseconds since 1970-01-01T00:00:00Z.
            pub const fn micros(self) -> i64 {
                self.0
            }

            /// Milliseconds since 1970-01-01T00:00:00Z, rounded down.
            pub const fn millis(self) -> i64 {
                self.0.div_euclid(1_000)
            }

            /// Days since 1970-01-01, rounded down: the number of the UTC day.
            pub const fn day(self) -> i64 {
                self.0.div_euclid(DAY)
            }

            /// Later by `micros`, saturating at the ends of the range.
            #[must_use]
            pub const fn plus(self, micros: i64) -> Self {
                Self(self.0.saturating_add(micros))
            }

            /// Microseconds from `earlier` to `self`; negative if `earlier` is later.
            pub const fn since(self, earlier: Self) -> i64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            /// RFC 3339 in UTC, with microseconds only where there are any.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (year, month, day) = civil(self.day());
                let of_day = self.0.rem_euclid(DAY);
                let (second, micro) = (of_day / SECOND, of_day % SECOND);
                write!(f, "{year:04}-{month:02}-{day:02}T")?;
                write!(f, "{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)?;
                if micro != 0 {
                    write!(f, ".{micro:06}")?;
                }
                f.write_str("Z")
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

instant! {
    /// When the machine did something: microseconds since the Unix epoch, never going backwards
    /// within a process.
    MachineTime
}
instant! {
    /// When something happened in the data: microseconds since the Unix epoch, in UTC.
    DataTime
}

impl MachineTime {
    /// Later by a duration.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        self.plus(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }
}

impl MachineTime {
    /// Reads RFC 3339, as [`DataTime::parse`] does: the time of another machine, as it tells it.
    pub fn parse(text: &str) -> Option<Self> {
        parse_instant(text).map(Self)
    }
}

impl DataTime {
    /// Reads RFC 3339 (`2013-01-01T05:00:00Z`, with an optional fraction and offset), or a date and
    /// time separated by a space, or a bare date. Without an offset the text is taken as UTC. Of ISO 8601 and of
    /// what databases write, offsets such as `+0100`, `+01` and ` UTC` are read as well.
    pub fn parse(text: &str) -> Option<Self> {
        parse_instant(text).map(Self)
    }
}

/// Year, month and day of a day number (proleptic Gregorian).
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
pub fn civil(day_number: i64) -> (i64, u32, u32) {
    let z = day_number.saturating_add(719_468);
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

/// Day number of a civil date; `None` if there is no such date.
///
/// Source: Howard Hinnant, as [`civil`], `days_from_civil`.
pub fn day_number(year: i64, month: u32, day: u32) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(-9999..=9999).contains(&year) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    let number = era * 146_097 + doe - 719_468;
    (civil(number) == (year, month, day)).then_some(number)
}

fn parse_instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let date = text.get(..10)?;
    let mut fields = date.split('-');
    let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
    if year.len() != 4 || month.len() != 2 || fields.next().is_some() {
        return None;
    }
    let number =
        day_number(digits(year)?, u32::try_from(digits(month)?).ok()?, u32::try_from(digits(day)?).ok()?)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(number * DAY);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset) = split_offset(rest)?;
    Some(number * DAY + parse_clock(clock)? - offset)
}

/// Splits `05:00:00+01:00` into its clock text and its offset in microseconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']).or_else(|| text.strip_suffix(" UTC")) {
        return Some((clock, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, 0));
    };
    let (clock, offset) = text.split_at(at);
    let clock = clock.strip_suffix(' ').unwrap_or(clock);
    let given = offset.get(1..)?;
    let (hours, minutes) = match given.len() {
        2 => (given, "00"),
        4 => given.split_at_checked(2)?,
        _ => given.split_once(':')?,
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let micros = (hours * 60 + minutes) * 60 * SECOND;
    Some((clock, if offset.starts_with('-') { -micros } else { micros }))
}

fn parse_clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut fields = whole.split(':');
    let (hour, minute) = (digits(fields.next()?)?, digits(fields.next()?)?);
    let second = fields.next().map_or(Some(0), digits)?;
    let fraction_reads = fraction.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit());
    if hour > 23 || minute > 59 || second > 59 || fields.next().is_some() || !fraction_reads {
        return None;
    }
    let micros = if fraction.is_empty() { 0 } else { digits(&format!("{fraction:0<6}")[..6])? };
    Some(((hour * 60 + minute) * 60 + second) * SECOND + micros)
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The machine's clock, as a port.
pub trait Clock: Send + Sync {
    /// Now. Never earlier than an instant that this clock gave before.
    fn now(&self) -> MachineTime;
}

/// A clock that moves only when told to: for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at `at`.
    pub const fn starting_at(at: MachineTime) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> MachineTime {
        MachineTime(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_and_reads_rfc_3339() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2013-01-01T05:15:00Z", 1_357_017_300 * SECOND),
            ("2000-02-29T23:59:59.000001Z", 951_868_799 * SECOND + 1),
            ("1969-12-31T23:59:59Z", -SECOND),
        ];
        for (text, micros) in cases {
            assert_eq!(DataTime::from_micros(micros).to_string(), text);
            assert_eq!(DataTime::parse(text), Some(DataTime::from_micros(micros)));
        }
        assert_eq!(DataTime::parse("2013-01-01 00:15:00-05:00"), DataTime::parse("2013-01-01T05:15:00Z"));
        for offset in ["+01:00", "+0100", "+01", " +01:00"] {
            let text = format!("2013-01-01 06:15:00{offset}");
            assert_eq!(DataTime::parse(&text), DataTime::parse("2013-01-01T05:15:00 UTC"), "{text}");
        }
        assert_eq!(DataTime::parse("2013-01-01"), DataTime::parse("2013-01-01T00:00:00Z"));
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for bad in [
            "",
            "2013",
            "2013-02-30",
            "2013-13-01",
            "2013-01-01T25:00:00Z",
            "2013-01-01Tnoon",
            "2013-01-01T00:00:00+99:00",
            "2013-01-01T00:00:00+1",
            "2013-01-01T00:00:00+9900",
            "2013-01-01T00:00:00+é1",
            "20130101",
            "2013-01-01T00:00:00.1234567891Z",
            "é013-01-01",
            "2013-01-01T00:00:00.12345é",
        ] {
            assert_eq!(DataTime::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_before_the_epoch_round_down() {
        assert_eq!(DataTime::from_micros(-1).day(), -1);
        assert_eq!(DataTime::from_micros(DAY).day(), 1);
    }
}
