//! Metric points, and which one counts as the latest.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One measurement of one metric. The value may be NaN or infinite, and is kept bit for bit.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// The training step.
    pub step: i64,
    /// When, by the client's clock: milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// What was measured.
    pub value: f64,
}

impl PartialEq for Point {
    /// Equal bits, so that a NaN equals itself and a retried point is recognised.
    fn eq(&self, other: &Self) -> bool {
        (self.step, self.timestamp_ms, self.value.to_bits())
            == (other.step, other.timestamp_ms, other.value.to_bits())
    }
}

impl Eq for Point {}

impl Point {
    /// The value by which points are compared: `MLflow` stores NaN as 0 beside a flag, and compares
    /// what it stored.
    fn comparable(&self) -> f64 {
        if self.value.is_nan() { 0.0 } else { self.value }
    }

    /// Whether this point is later than `other`: the greater of (step, timestamp, value)
    /// (`_update_latest_metrics_if_necessary`).
    pub fn is_later_than(&self, other: &Self) -> bool {
        let ordering = (self.step, self.timestamp_ms).cmp(&(other.step, other.timestamp_ms));
        ordering.then(self.comparable().total_cmp(&other.comparable())) == Ordering::Greater
    }
}

/// The latest point of a metric.
pub type Latest = Point;

/// The latest of an old latest point and new ones; `None` if there is no point at all.
pub fn fold_latest(old: Option<Latest>, points: &[Point]) -> Option<Latest> {
    points.iter().fold(old, |latest, point| match latest {
        Some(latest) if !point.is_later_than(&latest) => Some(latest),
        _ => Some(*point),
    })
}

/// The order of a history: by timestamp, step and value; NaN as 0, behind the number. Only points that are equal
/// are equal here.
pub fn history_order(a: &Point, b: &Point) -> Ordering {
    (a.timestamp_ms, a.step).cmp(&(b.timestamp_ms, b.step)).then_with(|| value_order(a, b))
}

/// The order of steps: by step, timestamp and value; NaN as 0, behind the number. Only points that are equal are
/// equal here.
pub fn step_order(a: &Point, b: &Point) -> Ordering {
    (a.step, a.timestamp_ms).cmp(&(b.step, b.timestamp_ms)).then_with(|| value_order(a, b))
}

fn value_order(a: &Point, b: &Point) -> Ordering {
    let stored = a.comparable().total_cmp(&b.comparable());
    stored.then(a.value.is_nan().cmp(&b.value.is_nan())).then(a.value.total_cmp(&b.value))
}

/// The history of a metric: in the order of [`history_order`], exact duplicates once, since a client that hears
/// no answer sends its points again.
pub fn history(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(history_order);
    points.dedup();
    points
}

/// At most `most` points of a metric, evenly spread over those whose steps lie in `steps` (both ends belong to
/// them), by step, timestamp and value; exact duplicates once.
///
/// What is spread over are the points, not the steps (`NTILE` in `get_metric_history_bulk_interval_from_steps`):
/// they fall into `most` buckets in their order, the first ones larger by one where they do not come out even.
/// Shown is the first point of each bucket, but the very last point in place of the last of those.
pub fn sampled(mut points: Vec<Point>, steps: RangeInclusive<i64>, most: usize) -> Vec<Point> {
    points.retain(|point| steps.contains(&point.step));
    points.sort_by(step_order);
    points.dedup();
    if points.len() <= most || most == 0 {
        points.truncate(most);
        return points;
    }
    let (size, larger) = (points.len() / most, points.len() % most);
    let first = |bucket: usize| bucket * size + bucket.min(larger);
    let mut shown: Vec<Point> = (0..most).filter_map(|bucket| points.get(first(bucket)).copied()).collect();
    if let (Some(end), Some(last)) = (shown.last_mut(), points.last()) {
        *end = *last;
    }
    shown
}

/// How a value stands in an event's JSON, which has no NaN: as a number or as one of the texts `NaN`,
/// `Infinity`, `-Infinity`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum JsonValue {
    Number(f64),
    Text(String),
}

#[derive(Serialize, Deserialize)]
struct JsonPoint {
    step: i64,
    timestamp: i64,
    value: JsonValue,
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let special = match self.value {
            value if value.is_nan() => Some("NaN"),
            f64::INFINITY => Some("Infinity"),
            f64::NEG_INFINITY => Some("-Infinity"),
            _ => None,
        };
        let value = special.map_or(JsonValue::Number(self.value), |text| JsonValue::Text(text.to_owned()));
        JsonPoint { step: self.step, timestamp: self.timestamp_ms, value }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let JsonPoint { step, timestamp, value } = JsonPoint::deserialize(deserializer)?;
        let value = match value {
            JsonValue::Number(number) => number,
            JsonValue::Text(text) => match text.as_str() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => return Err(serde::de::Error::custom("not a metric value")),
            },
        };
        Ok(Self { step, timestamp_ms: timestamp, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: i64, timestamp_ms: i64, value: f64) -> Point {
        Point { step, timestamp_ms, value }
    }

    #[test]
    fn the_latest_is_the_greatest_of_step_time_value() {
        let points =
            [point(1, 50, 9.0), point(2, 10, 1.0), point(2, 10, 3.0), point(2, 10, 2.0), point(2, 9, 99.0)];
        assert_eq!(fold_latest(None, &points), Some(point(2, 10, 3.0)));
        assert_eq!(fold_latest(Some(point(3, 0, 0.0)), &points), Some(point(3, 0, 0.0)));
        assert_eq!(fold_latest(None, &[]), None);
    }

    #[test]
    fn nan_counts_as_zero() {
        let nan = point(1, 1, f64::NAN);
        assert!(nan.is_later_than(&point(1, 1, -1.0)));
        assert!(point(1, 1, 1.0).is_later_than(&nan));
        assert!(!nan.is_later_than(&point(1, 1, 0.0)) && !point(1, 1, 0.0).is_later_than(&nan));
    }

    #[test]
    fn history_is_ordered_and_has_no_duplicates() {
        let (a, b, c) = (point(5, 1, 1.0), point(0, 2, 1.0), point(1, 2, f64::NAN));
        assert_eq!(history(vec![c, b, a, c, b]), [a, b, c]);
    }

    #[test]
    fn nan_stands_where_zero_does() {
        let at = |value| point(0, 0, value);
        let all = [at(f64::NAN), at(1.0), at(0.0), at(-f64::NAN), at(-1.0)];
        let values: Vec<f64> = history(all.to_vec()).iter().map(|point| point.value).collect();
        assert_eq!(values[..2], [-1.0, 0.0]);
        assert!(values[2].is_nan() && values[3].is_nan(), "{values:?}");
        assert_eq!(values[4..], [1.0]);
    }

    #[test]
    fn a_sample_has_the_first_of_each_bucket_and_the_last() {
        let points: Vec<Point> = (0..10).rev().map(|step| point(step, 0, 0.0)).collect();
        let steps = |most| -> Vec<i64> {
            sampled(points.clone(), 0..=9, most).iter().map(|point| point.step).collect()
        };
        assert_eq!(steps(5), [0, 2, 4, 6, 9]);
        assert_eq!(steps(4), [0, 3, 6, 9]);
        assert_eq!((steps(1), steps(0)), (vec![9], vec![]));
        assert_eq!(steps(10).len(), 10);
        let inner = sampled(points.clone(), 3..=5, 100);
        assert_eq!(inner.iter().map(|point| point.step).collect::<Vec<_>>(), [3, 4, 5]);
    }

    /// The rule as it is written: every point gets the number of its bucket.
    fn sampled_slowly(points: &[Point], most: usize) -> Vec<Point> {
        let (n, mut buckets) = (points.len(), Vec::new());
        for bucket in 0..most {
            let size = n / most + usize::from(bucket < n % most);
            buckets.extend(std::iter::repeat_n(bucket, size));
        }
        let mut shown: Vec<Point> = Vec::new();
        for (at, point) in points.iter().enumerate() {
            if at == 0 || buckets[at] != buckets[at - 1] {
                shown.push(*point);
            }
        }
        if n > most && shown.last() != points.last() {
            shown.pop();
            shown.extend(points.last());
        }
        shown
    }

    proptest::proptest! {
        #[test]
        fn samples_are_those_of_the_definition(n in 0_i32..200, most in 1_usize..60, times in 1_i64..4) {
            let points: Vec<Point> = (0..n).map(|i| point(i64::from(i) / times, i.into(), i.into())).collect();
            let shown = sampled(points.iter().rev().copied().collect(), i64::MIN..=i64::MAX, most);
            proptest::prop_assert_eq!(&shown, &sampled_slowly(&points, most));
            proptest::prop_assert!(shown.len() <= most && shown.last() == points.last());
        }
    }

    #[test]
    fn points_round_trip_through_json() {
        for value in [0.1, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE] {
            let text = serde_json::to_string(&point(-3, 7, value)).unwrap();
            assert_eq!(serde_json::from_str::<Point>(&text).unwrap(), point(-3, 7, value), "{text}");
        }
    }
}
