//! Instants and lengths of time as people read them.

use mainstay_core::time::MachineTime;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Milliseconds since 1970 as an instant in UTC, to the second: `2026-11-22T11:52:15Z`.
pub(crate) fn instant(millis: i64) -> String {
    let seconds = millis.div_euclid(1_000);
    match seconds.checked_mul(1_000_000) {
        Some(micros) => MachineTime::from_micros(micros).to_string(),
        None => millis.to_string(),
    }
}

/// A length in milliseconds: `350 ms`, `12.3 s`, `4m 05s`, `2h 03m`, `3d 04h`.
pub(crate) fn span(millis: f64) -> String {
    if millis < 10.0 {
        return format!("{} ms", trimmed(millis, 2));
    }
    if millis < 1_000.0 {
        return format!("{millis:.0} ms");
    }
    if millis < 60_000.0 {
        return format!("{} s", trimmed(millis / 1_000.0, 1));
    }
    let seconds = whole(millis / 1_000.0);
    match seconds {
        0..HOUR => format!("{}m {:02}s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{}h {:02}m", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{}d {:02}h", seconds / DAY, seconds % DAY / HOUR),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a length that is not negative, and the cast saturates"
)]
const fn whole(seconds: f64) -> u64 {
    seconds.round() as u64
}

fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_long_as_they_need_to_be() {
        let cases = [
            (0.0, "0 ms"),
            (0.254, "0.25 ms"),
            (350.4, "350 ms"),
            (12_340.0, "12.3 s"),
            (245_000.0, "4m 05s"),
            (7_380_000.0, "2h 03m"),
            (273_600_000.0, "3d 04h"),
        ];
        for (millis, text) in cases {
            assert_eq!(span(millis), text);
        }
    }

    #[test]
    fn instants_are_told_to_the_second() {
        assert_eq!(instant(1_384_513_200_999), "2013-11-15T11:00:00Z");
        assert_eq!(instant(i64::MAX), i64::MAX.to_string());
    }
}
