//! Lengths of data time, written as people write them: `3h`, `30d`, `15m`.

use std::fmt;
use std::str::FromStr;

use mainstay_core::time::{DAY, HOUR, SECOND};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The units, largest first, with their length in microseconds.
const UNITS: [(&str, i64); 7] = [
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", HOUR),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", SECOND / 1_000),
    ("us", 1),
];

/// Longest span accepted: a hundred years of 365 days.
const MAX: i64 = 36_500 * DAY;

/// The text was not a positive whole number and a unit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a length of time is a positive whole number and one of w d h m s ms us, such as 3h; this is {0:?}")]
pub struct InvalidSpan(String);

/// A positive length of data time in whole microseconds, at most a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(i64);

impl Span {
    /// From microseconds; `None` unless positive and at most a hundred years.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros > 0 && micros <= MAX { Some(Self(micros)) } else { None }
    }

    /// The length in microseconds; always positive.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSpan(text.chars().take(40).collect());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let micros = number.parse::<i64>().ok().and_then(|n| n.checked_mul(*length)).ok_or_else(invalid)?;
        Self::from_micros(micros).ok_or_else(invalid)
    }
}

impl fmt::Display for Span {
    /// The shortest form: `90m` is shown as `90m`, `120m` as `2h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, length) = UNITS.iter().find(|(_, length)| self.0 % length == 0).unwrap_or(&("us", 1));
        write!(f, "{}{unit}", self.0 / length)
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows_the_shortest_form() {
        for (text, micros, shown) in [
            ("3h", 3 * HOUR, "3h"),
            ("90m", 5_400 * SECOND, "90m"),
            ("120m", 2 * HOUR, "2h"),
            ("14d", 14 * DAY, "2w"),
            ("1us", 1, "1us"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.micros(), span.to_string().as_str()), (micros, shown));
        }
    }

    #[test]
    fn refuses_what_is_no_length() {
        for bad in ["", "3", "h", "0h", "-3h", "3.5h", "3 h", "3H", "99999999999999999999d", "200000d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
