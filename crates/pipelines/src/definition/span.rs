//! Lengths of time as people write them: `30s`, `5m`, `2h`, `7d`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest span accepted: ten years, in microseconds.
const LONGEST: i64 = 3_653 * 86_400 * 1_000_000;

/// A non-negative length of time in microseconds. Which clock it is measured on, machine or data, is
/// said where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// From whole seconds, at most ten years.
    pub fn seconds(seconds: u32) -> Self {
        Self((i64::from(seconds) * 1_000_000).min(LONGEST))
    }

    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }

    /// Reads digits followed by `ms`, `s`, `m`, `h`, `d` or `w`; digits alone are seconds. `None` if
    /// the text is something else or longer than ten years.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let micros = match unit.trim() {
            "ms" => 1_000,
            "" | "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            "w" => 604_800_000_000,
            _ => return None,
        };
        let total = digits.parse::<i64>().ok()?.checked_mul(micros)?;
        (total <= LONGEST).then_some(Self(total))
    }
}

impl fmt::Display for Span {
    /// In the largest unit that it is a whole number of, as [`Span::parse`] reads it; microseconds below the
    /// smallest are dropped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 4] =
            [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s")];
        match UNITS.iter().find(|(unit, _)| self.0 != 0 && self.0 % unit == 0) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}ms", self.0 / 1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units_and_refuses_the_rest() {
        assert_eq!(Span::parse("90"), Some(Span::seconds(90)));
        assert_eq!(Span::parse("2h"), Some(Span::seconds(7200)));
        assert_eq!(Span::parse("250ms").map(Span::micros), Some(250_000));
        for text in ["90s", "2h", "250ms", "7d", "36h", "0ms"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "h", "-1s", "1y", "1.5h", "99999999999d", "9223372036854775807w"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }
}
