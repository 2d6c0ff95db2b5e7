//! What many points come to, interval by interval, and how that lies at rest.
//!
//! # Format, version 1
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `MSUM` |
//! | 1 | the version, 1 |
//! | varint | the level: an interval is `2^level` long |
//! | varint | the number of buckets |
//! | varints | columns of the buckets: number of the interval, points, NaN, +∞, −∞, first step, first timestamp, last step, last timestamp; each as the first, then differences, wrapping, zigzag |
//! | 8 each | columns of floats: least, greatest, high and low part of the sum in units of 2^64, first value, last value; IEEE 754 bits, little-endian |
//! | 4 | CRC-32C of all before, little-endian |

use std::ops::RangeInclusive;

use mainstay_core::error::StorageError;

use super::axis::{COARSEST, Coordinate};
use super::bucket::{Bucket, Sum};
use crate::encoding::{
    Unreadable, begin, open, put_column, put_floats, seal, take_column, take_count, take_floats,
};
use crate::metric::Point;
use mainstay_columns::varint::{put_varint, take_varint};

/// Most buckets of a summary: more than a chart asks for, so that a chart of all points never has to look behind it.
pub const MAX_BUCKETS: usize = 2_048;

const MAGIC: [u8; 4] = *b"MSUM";
const VERSIONS: RangeInclusive<u8> = 1..=1;
/// A bucket has at least a byte in each of nine columns, and six floats.
const MIN_BUCKET: usize = 9 + 6 * 8;

/// What points come to at the finest level at which they fall into a bounded number of intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    coordinate: Coordinate,
    level: u32,
    /// With the numbers of their intervals, ascending.
    buckets: Vec<(i64, Bucket)>,
}

impl Summary {
    /// Of no point.
    pub const fn new(coordinate: Coordinate) -> Self {
        Self { coordinate, level: 0, buckets: Vec::new() }
    }

    /// The level.
    pub const fn level(&self) -> u32 {
        self.level
    }

    /// The buckets that have points, with the numbers of their intervals, ascending.
    pub fn buckets(&self) -> &[(i64, Bucket)] {
        &self.buckets
    }

    /// Adds points of a run that started then, none of which is here already, and leaves at most `most` buckets.
    pub fn add_points(&mut self, points: &[Point], start_ms: i64, most: usize) {
        let (coordinate, level) = (self.coordinate, self.level);
        let numbered = |point: &Point| (coordinate.of(point, start_ms) >> level, Bucket::of(*point));
        let mut buckets: Vec<(i64, Bucket)> = Vec::new();
        for (number, bucket) in points.iter().map(numbered) {
            match buckets.last_mut() {
                Some((last, sum)) if *last == number => sum.add(&bucket, coordinate),
                _ => buckets.push((number, bucket)),
            }
        }
        buckets.sort_by_key(|(number, _)| *number);
        self.take_in(buckets, most);
    }

    /// Adds a summary of other points, and leaves at most `most` buckets.
    pub fn add(&mut self, mut other: Self, most: usize) {
        while self.level < other.level {
            self.coarsen();
        }
        while other.level < self.level {
            other.coarsen();
        }
        self.take_in(other.buckets, most);
    }

    /// Adds buckets of the same level, ascending; a number may stand several times.
    fn take_in(&mut self, other: Vec<(i64, Bucket)>, most: usize) {
        self.buckets.extend(other);
        // Two ascending stretches: a stable sort merges them.
        self.buckets.sort_by_key(|(number, _)| *number);
        self.unite();
        while self.buckets.len() > most && self.level < COARSEST {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.level += 1;
        for (number, _) in &mut self.buckets {
            *number >>= 1;
        }
        self.unite();
    }

    fn unite(&mut self) {
        let coordinate = self.coordinate;
        self.buckets.dedup_by(|(number, bucket), (kept, sum)| {
            let is_same = number == kept;
            if is_same {
                sum.add(bucket, coordinate);
            }
            is_same
        });
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = begin(MAGIC, *VERSIONS.start(), 16 + self.buckets.len() * 72);
        put_varint(&mut bytes, self.level.into());
        put_varint(&mut bytes, self.buckets.len() as u64);
        put_column(&mut bytes, self.buckets.iter().map(|(number, _)| *number));
        for column in [
            |bucket: &Bucket| bucket.count.cast_signed(),
            |bucket: &Bucket| bucket.nan.cast_signed(),
            |bucket: &Bucket| bucket.pos_inf.cast_signed(),
            |bucket: &Bucket| bucket.neg_inf.cast_signed(),
            |bucket: &Bucket| bucket.first.step,
            |bucket: &Bucket| bucket.first.timestamp_ms,
            |bucket: &Bucket| bucket.last.step,
            |bucket: &Bucket| bucket.last.timestamp_ms,
        ] {
            put_column(&mut bytes, self.buckets.iter().map(|(_, bucket)| column(bucket)));
        }
        for column in [
            |bucket: &Bucket| bucket.least,
            |bucket: &Bucket| bucket.greatest,
            |bucket: &Bucket| bucket.sum.high,
            |bucket: &Bucket| bucket.sum.low,
            |bucket: &Bucket| bucket.first.value,
            |bucket: &Bucket| bucket.last.value,
        ] {
            put_floats(&mut bytes, self.buckets.iter().map(|(_, bucket)| column(bucket)));
        }
        seal(bytes)
    }

    /// Reads one. Memory is bounded by the size of the bytes.
    pub fn decode(coordinate: Coordinate, bytes: &[u8]) -> Result<Self, StorageError> {
        decoded(coordinate, bytes).map_err(|unreadable| {
            StorageError::Corrupt(match unreadable {
                Unreadable::Version(version) => format!(
                    "a summary of metric points has version {version}, which this version of Mainstay does not know"
                ),
                Unreadable::Damaged => "a summary of metric points is damaged".to_owned(),
            })
        })
    }
}

fn decoded(coordinate: Coordinate, bytes: &[u8]) -> Result<Summary, Unreadable> {
    let (_, mut rest) = open(bytes, MAGIC, &VERSIONS)?;
    let level = take_varint(&mut rest).and_then(|level| u32::try_from(level).ok());
    let level = level.filter(|level| *level <= COARSEST);
    let level = level.ok_or(Unreadable::Damaged)?;
    let count = take_count(&mut rest)?;
    if count > rest.len() / MIN_BUCKET {
        return Err(Unreadable::Damaged);
    }
    let mut integers = || take_column(&mut rest, count).map(IntoIterator::into_iter);
    let numbers = integers()?;
    let (mut counts, mut nans, mut pos_infs, mut neg_infs) =
        (integers()?, integers()?, integers()?, integers()?);
    let (mut first_steps, mut first_times) = (integers()?, integers()?);
    let (mut last_steps, mut last_times) = (integers()?, integers()?);
    let mut floats = || take_floats(&mut rest, count);
    let (mut leasts, mut greatests) = (floats()?, floats()?);
    let (mut highs, mut lows) = (floats()?, floats()?);
    let (mut first_values, mut last_values) = (floats()?, floats()?);
    if !rest.is_empty() {
        return Err(Unreadable::Damaged);
    }
    let mut next = || {
        Some(Bucket {
            count: counts.next()?.cast_unsigned(),
            nan: nans.next()?.cast_unsigned(),
            pos_inf: pos_infs.next()?.cast_unsigned(),
            neg_inf: neg_infs.next()?.cast_unsigned(),
            first: point(&mut first_steps, &mut first_times, &mut first_values)?,
            last: point(&mut last_steps, &mut last_times, &mut last_values)?,
            least: leasts.next()?,
            greatest: greatests.next()?,
            sum: Sum { high: highs.next()?, low: lows.next()? },
        })
    };
    let mut buckets = Vec::with_capacity(count);
    for number in numbers {
        buckets.push((number, next().ok_or(Unreadable::Damaged)?));
    }
    Ok(Summary { coordinate, level, buckets })
}

fn point(
    steps: &mut impl Iterator<Item = i64>,
    times: &mut impl Iterator<Item = i64>,
    values: &mut impl Iterator<Item = f64>,
) -> Option<Point> {
    Some(Point { step: steps.next()?, timestamp_ms: times.next()?, value: values.next()? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const START: i64 = 1_000;

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let step = prop_oneof![-50_i64..50, Just(i64::MIN), Just(i64::MAX), any::<i64>()];
        let value = prop_oneof![-9.0..9.0, Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(-0.0)];
        let point = (step, 0_i64..3_000, value);
        let point = point.prop_map(|(step, timestamp_ms, value)| Point { step, timestamp_ms, value });
        proptest::collection::vec(point, 1..120).prop_map(crate::metric::history)
    }

    fn coordinate() -> impl Strategy<Value = Coordinate> {
        prop_oneof![Just(Coordinate::Step), Just(Coordinate::Elapsed)]
    }

    /// The intervals that have points at a level, and those.
    fn intervals(points: &[Point], coordinate: Coordinate, level: u32) -> BTreeMap<i64, Vec<Point>> {
        let mut intervals: BTreeMap<i64, Vec<Point>> = BTreeMap::new();
        for point in points {
            intervals.entry(coordinate.of(point, START) >> level).or_default().push(*point);
        }
        intervals
    }

    fn assert_sums_up(summary: &Summary, points: &[Point], most: usize) {
        let expected = intervals(points, summary.coordinate, summary.level);
        assert!(expected.len() <= most);
        assert_eq!(expected.len(), summary.buckets.len());
        for ((number, mut inside), (found, bucket)) in expected.into_iter().zip(&summary.buckets) {
            inside.sort_by(|a, b| summary.coordinate.order(a, b));
            let finite: Vec<f64> = inside.iter().map(|point| point.value).filter(|v| v.is_finite()).collect();
            assert_eq!((number, inside.len() as u64), (*found, bucket.count));
            assert_eq!((bucket.first, bucket.last), (inside[0], inside[inside.len() - 1]));
            assert_eq!(bucket.finite(), finite.len() as u64);
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            assert_eq!(bits(bucket.min()), bits(finite.iter().copied().min_by(f64::total_cmp)));
            assert_eq!(bits(bucket.max()), bits(finite.iter().copied().max_by(f64::total_cmp)));
            let count = finite.len() as f64;
            let mean: f64 = finite.iter().map(|value| value / count).sum();
            let scale: f64 = finite.iter().map(|value| (value / count).abs()).sum();
            assert!((bucket.mean().unwrap_or_default() - mean).abs() <= 1e-13 * scale);
        }
    }

    proptest! {
        /// In whatever portions points come, a summary is what the definition says, at the finest level there is.
        #[test]
        fn summaries_are_those_of_the_definition(
            points in points(),
            coordinate in coordinate(),
            most in 2_usize..40,
            portion in 1_usize..50,
            seed in any::<usize>(),
        ) {
            let mut shuffled = points.clone();
            for at in 0..shuffled.len() {
                shuffled.swap(at, (seed ^ (at * 31)) % points.len());
            }
            let (mut by_points, mut by_sums) = (Summary::new(coordinate), Summary::new(coordinate));
            for portion in shuffled.chunks(portion) {
                by_points.add_points(portion, START, most);
                let mut one = Summary::new(coordinate);
                one.add_points(portion, START, most);
                by_sums.add(one, most);
            }
            for summary in [&by_points, &by_sums] {
                assert_sums_up(summary, &points, most);
                if summary.level > 0 {
                    prop_assert!(intervals(&points, coordinate, summary.level - 1).len() > most);
                }
                let again = Summary::decode(coordinate, &summary.encode()).unwrap();
                prop_assert_eq!(again.encode(), summary.encode());
                assert_sums_up(&again, &points, most);
            }
        }

        #[test]
        fn any_change_is_noticed(at in any::<usize>(), flip in 1_u8..) {
            let mut bytes = fixture().encode();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(Summary::decode(Coordinate::Step, &bytes).is_err());
        }

        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Summary::decode(Coordinate::Step, &bytes).is_err());
        }
    }

    fn fixture() -> Summary {
        let point = |step, timestamp_ms, value| Point { step, timestamp_ms, value };
        let points = [
            point(0, 1_357_017_300_000, 0.5),
            point(1, 1_357_017_300_250, f64::NAN),
            point(7, 1_357_017_300_500, -0.25),
            point(8, 0, f64::NEG_INFINITY),
            point(-1, 0, f64::INFINITY),
            point(15, 3, -0.0),
        ];
        let mut summary = Summary::new(Coordinate::Step);
        summary.add_points(&points, START, 3);
        summary
    }

    /// Summaries written by version 1 must be read for ever. Made once, checked by `tests/reference/summary.py`,
    /// which makes it from the table above.
    #[test]
    fn summaries_of_version_1_are_read() {
        let bytes: Vec<u8> = include_str!("../../tests/reference/summary-v1.hex")
            .trim()
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(fixture().level(), 3);
        assert_eq!(fixture().encode(), bytes);
        assert_eq!(Summary::decode(Coordinate::Step, &bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn lying_counts_are_refused() {
        let head = begin(MAGIC, 1, 0);
        for (level, count) in [(0, 0), (0, 5), (64, 1), (0, u64::MAX)] {
            let mut bytes = head.clone();
            put_varint(&mut bytes, level);
            put_varint(&mut bytes, count);
            bytes.extend([0; 60]);
            assert!(Summary::decode(Coordinate::Step, &seal(bytes)).is_err(), "{level} {count}");
        }
    }
}
