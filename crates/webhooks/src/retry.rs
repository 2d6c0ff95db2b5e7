//! When a delivery in MLflow's dialect is sent again: as its own server does by `urllib3.util.Retry`, at once
//! after the first failure, then after growing pauses or the one that the receiver asked for.

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use mainstay_core::time::MachineTime;

use crate::DeliveryOptions;
use crate::sender::NotDelivered;

/// At most so often is one delivery sent: once, and `MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES` times more.
const SENDS: u32 = 4;

/// How long to wait after the `sends`th failure before the next attempt; `None` if there is none. `drawn` is
/// random, from 0 to 255.
pub(crate) fn pause(
    failure: &NotDelivered,
    sends: u32,
    options: &DeliveryOptions,
    drawn: u8,
) -> Option<Duration> {
    let asked = match failure {
        NotDelivered::Late | NotDelivered::Unreachable(_) => None,
        NotDelivered::Status { status, retry_after } if is_passing(*status, retry_after.is_some()) => {
            *retry_after
        }
        _ => return None,
    };
    if sends >= SENDS {
        return None;
    }
    let own = || match sends {
        0 | 1 => Duration::ZERO,
        _ => options.first_pause.mul_f64(f64::from(1 << (sends - 1)) + f64::from(drawn) / 256.0),
    };
    Some(asked.unwrap_or_else(own).min(options.longest_pause))
}

/// Whether the same message may be taken later.
fn is_passing(status: StatusCode, asks_to_wait: bool) -> bool {
    match status.as_u16() {
        429 | 500 | 502 | 503 | 504 => true,
        413 => asks_to_wait,
        _ => false,
    }
}

/// The value of `Retry-After`: seconds or a date.
pub(crate) fn after(text: &str, now: MachineTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_micros(u64::try_from(now.micros()).ok()?);
    Some(date.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use mainstay_core::time::SECOND;

    use super::*;

    fn seconds(failure: &NotDelivered, sends: u32, drawn: u8) -> Option<f64> {
        pause(failure, sends, &DeliveryOptions::default(), drawn).map(|pause| pause.as_secs_f64())
    }

    fn status(status: u16, retry_after: Option<u64>) -> NotDelivered {
        let status = StatusCode::from_u16(status).unwrap();
        NotDelivered::Status { status, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn what_may_pass_is_tried_four_times() {
        for failure in [NotDelivered::Late, NotDelivered::Unreachable("refused".into()), status(500, None)] {
            let pauses: Vec<_> = (1..=4).map(|sends| seconds(&failure, sends, 0)).collect();
            assert_eq!(pauses, [Some(0.0), Some(2.0), Some(4.0), None], "{failure}");
            assert_eq!(seconds(&failure, 2, 128), Some(2.5), "{failure}");
        }
        for passing in [429, 502, 503, 504] {
            assert!(seconds(&status(passing, None), 1, 0).is_some(), "{passing}");
        }
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        for failure in [NotDelivered::Url, NotDelivered::Private, status(413, None), status(308, Some(1))] {
            assert_eq!(seconds(&failure, 1, 0), None, "{failure}");
        }
        for refusal in [400, 401, 403, 404, 410, 501] {
            assert_eq!(seconds(&status(refusal, Some(1)), 1, 0), None, "{refusal}");
        }
    }

    #[test]
    fn the_receiver_may_say_when() {
        for (code, asked, expected) in [(429, 7, 7.0), (503, 0, 0.0), (413, 3, 3.0), (500, 90_000, 600.0)] {
            assert_eq!(seconds(&status(code, Some(asked)), 2, 255), Some(expected), "{code}");
            assert_eq!(seconds(&status(code, Some(asked)), 4, 0), None, "{code}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 1994-11-06T08:49:30Z.
        let now = MachineTime::from_micros(784_111_770 * SECOND);
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(after(text, now), expected.map(Duration::from_secs), "{text:?}");
        }
    }
}
