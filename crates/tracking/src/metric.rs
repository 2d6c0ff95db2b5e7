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

/// The history of a metric: by (timestamp, step, value), NaN last, exact duplicates once, since a
/// client that hears no answer sends its points again.
pub fn history(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| {
        let ordering = (a.timestamp_ms, a.step).cmp(&(b.timestamp_ms, b.step));
        ordering.then_with(|| a.value.total_cmp(&b.value))
    });
    points.dedup();
    points
}

/// At most `most` points of a metric, spread evenly over those whose steps lie in `steps`, both ends included;
/// by (step, timestamp, value), exact duplicates once.
///
/// The points are dealt in their order into `most` buckets, the first of which hold one more where they do not
/// come out even. The first point of each bucket is taken, and the very last point instead of the last one taken
/// (`get_metric_history_bulk_interval_from_steps` with `NTILE`).
pub fn sampled(mut points: Vec<Point>, steps: RangeInclusive<i64>, most: usize) -> Vec<Point> {
    points.retain(|point| steps.contains(&point.step));
    points.sort_by(|a, b| {
        let ordering = (a.step, a.timestamp_ms).cmp(&(b.step, b.timestamp_ms));
        // As it is stored there: NaN is 0 beside a flag.
        let ordering = ordering.then(a.comparable().total_cmp(&b.comparable()));
        ordering.then(a.value.is_nan().cmp(&b.value.is_nan())).then(a.value.total_cmp(&b.value))
    });
    points.dedup();
    if points.len() <= most {
        return points;
    }
    let (size, larger) = (points.len() / most.max(1), points.len() % most.max(1));
    let firsts = (0..most).map(|bucket| bucket * size + bucket.min(larger));
    let mut taken: Vec<Point> = firsts.filter_map(|first| points.get(first).copied()).collect();
    if let (Some(end), Some(last)) = (taken.last_mut(), points.last()) {
        *end = *last;
    }
    taken
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
    use proptest::prelude::*;

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

    /// The definition: buckets dealt one by one.
    fn sampled_slowly(points: &[Point], most: usize) -> Vec<Point> {
        if points.len() <= most {
            return points.to_vec();
        }
        let mut buckets = vec![Vec::new(); most];
        let sizes: Vec<usize> =
            (0..most).map(|n| points.len() / most + usize::from(n < points.len() % most)).collect();
        let mut rest = points;
        for (bucket, size) in buckets.iter_mut().zip(sizes) {
            let (dealt, left) = rest.split_at(size);
            bucket.extend_from_slice(dealt);
            rest = left;
        }
        let mut taken: Vec<Point> = buckets.iter().map(|bucket| bucket[0]).collect();
        if taken.last() != points.last() {
            taken.pop();
            taken.push(*points.last().unwrap());
        }
        taken
    }

    proptest! {
        #[test]
        fn samples_are_those_of_the_definition(
            steps in prop::collection::btree_set(-50_i64..50, 0..60),
            (low, high) in (-60_i64..60, -60_i64..60),
            most in 1_usize..40,
            seed in any::<u64>(),
        ) {
            let all: Vec<Point> = steps.into_iter().map(|step| point(step, 7, step as f64)).collect();
            let wanted: Vec<Point> =
                all.iter().copied().filter(|point| (low..=high).contains(&point.step)).collect();
            let mut shuffled = all;
            // The order in which points come does not matter, nor that some come twice.
            shuffled.sort_by_key(|point| point.step.wrapping_mul(seed.cast_signed() | 1));
            shuffled.extend_from_within(..shuffled.len() / 2);
            prop_assert_eq!(sampled(shuffled, low..=high, most), sampled_slowly(&wanted, most));
        }
    }

    #[test]
    fn samples_are_spread_and_end_with_the_last_point() {
        let of = |n: i64, most| {
            let points = (0..n).map(|step| point(step, 0, 0.0)).collect();
            sampled(points, i64::MIN..=i64::MAX, most).iter().map(|point| point.step).collect::<Vec<_>>()
        };
        assert_eq!(of(10, 5), [0, 2, 4, 6, 9]);
        assert_eq!(of(10, 1), [9]);
        assert_eq!(of(3, 3), [0, 1, 2]);
        assert!(of(0, 5).is_empty() && of(5, 0).is_empty());
        let tied = vec![point(1, 1, f64::NAN), point(1, 1, 0.0), point(1, 1, -1.0), point(1, 0, 5.0)];
        let ordered = [point(1, 0, 5.0), point(1, 1, -1.0), point(1, 1, 0.0), point(1, 1, f64::NAN)];
        assert_eq!(sampled(tied, 0..=1, 9), ordered);
    }

    #[test]
    fn points_round_trip_through_json() {
        for value in [0.1, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE] {
            let text = serde_json::to_string(&point(-3, 7, value)).unwrap();
            assert_eq!(serde_json::from_str::<Point>(&text).unwrap(), point(-3, 7, value), "{text}");
        }
    }
}
