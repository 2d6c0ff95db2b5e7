//! `Timestamp` and `Duration` as protobuf's JSON writes them: RFC 3339, and seconds with an `s`, each with no
//! fraction or three digits of one. What comes in may have other digits; what is less than a millisecond is left
//! out.

use mainstay_core::time::{DataTime, civil};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Milliseconds in a day.
const DAY: i64 = 86_400_000;
/// The last instant of the year 9999, beyond which RFC 3339 cannot write: milliseconds since the Unix epoch.
const LAST: i64 = 253_402_300_799_999;
/// The first instant of the year 1.
const FIRST: i64 = -62_135_596_800_000;

/// An instant, from milliseconds since the Unix epoch.
pub(super) fn timestamp(ms: i64) -> String {
    let ms = ms.clamp(FIRST, LAST);
    let ((year, month, day), rest) = (civil(ms.div_euclid(DAY)), ms.rem_euclid(DAY));
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    let fraction = fraction(rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// A length of time, from milliseconds.
pub(super) fn duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("{sign}{}{}s", ms / 1_000, fraction(i64::try_from(ms % 1_000).unwrap_or_default()))
}

fn fraction(ms: i64) -> String {
    if ms == 0 { String::new() } else { format!(".{ms:03}") }
}

/// Reads an instant as milliseconds since the Unix epoch.
pub(super) fn read_timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let read = DataTime::parse(&text).ok_or_else(|| D::Error::custom("expected an RFC 3339 timestamp"))?;
    Ok(Some(read.micros().div_euclid(1_000)))
}

/// Reads a length of time as milliseconds.
pub(super) fn read_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    parse_duration(&text).map(Some).ok_or_else(|| D::Error::custom("expected a duration, such as \"1.500s\""))
}

fn parse_duration(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |number| (-1, number));
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !are_digits(seconds) || !are_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(1_000)?.checked_add(millis)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_protobuf_does() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_000, "1970-01-01T00:00:01Z"),
            (1_500, "1970-01-01T00:00:01.500Z"),
            (1_709_210_096_007, "2024-02-29T12:34:56.007Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(ms), text);
        }
        for (ms, text) in [(0, "0s"), (2_000, "2s"), (1_500, "1.500s"), (7, "0.007s"), (-1_500, "-1.500s")] {
            assert_eq!((duration(ms).as_str(), parse_duration(text)), (text, Some(ms)));
        }
    }

    #[test]
    fn durations_come_with_any_digits() {
        for (text, ms) in [("1.5s", 1_500), ("1.500000s", 1_500), ("0.0019s", 1), ("3s", 3_000)] {
            assert_eq!(parse_duration(text), Some(ms), "{text}");
        }
        for bad in ["", "s", "1", "1.5", ".5s", "1.5.5s", "xs", "99999999999999999999s", "1.0000000000s"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
