//! Metric points at rest: blocks, one for each run, metric and log call, so that a point costs no row and a
//! history is read in a few large values. What is in a block never changes; blocks that lie one behind the other
//! are [merged](crate::series), in the order in which they were logged and with where each call ended, so that the
//! blocks that were logged, whose digest the event of the call holds, can be made again bit for bit.
//!
//! # Format, versions 1 and 2
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `MPTS` |
//! | 1 | the version: 1 for one log call, 2 for several |
//! | varint | the number of points, at least 1 |
//! | varints | version 2 alone: the number of pairs, then the pairs: how many points a call had, and how many such calls followed one another |
//! | varints | the steps: the first, then differences, wrapping, zigzag |
//! | varints | the timestamps in milliseconds, likewise |
//! | 8 each | the values: IEEE 754 bits, little-endian, so that NaN and infinities survive |
//! | 4 | CRC-32C of all before, little-endian |
//!
//! A varint is LEB128 of at most 64 bits, as in Protocol Buffers; zigzag likewise.

use std::ops::RangeInclusive;

use mainstay_core::error::StorageError;
use thiserror::Error;

use crate::encoding::{
    Unreadable, begin, open, put_column, put_floats, seal, take_column, take_count, take_floats,
};
use crate::metric::Point;
use mainstay_columns::varint::put_varint;

/// Most points in one block.
pub const MAX_POINTS: usize = 65_536;

const MAGIC: [u8; 4] = *b"MPTS";
/// Of one log call.
const SINGLE: u8 = 1;
/// Of several.
const MERGED: u8 = 2;
const VERSIONS: RangeInclusive<u8> = SINGLE..=MERGED;
/// A point has at least a byte of step, a byte of timestamp and its value.
const MIN_POINT: usize = 10;

/// Bytes that are not a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BlockError {
    /// Made by a later version of Mainstay.
    #[error("a block of metric points has version {0}, which this version of Mainstay does not know")]
    Version(u8),
    /// Cut, changed, or something else.
    #[error("a block of metric points is damaged")]
    Damaged,
}

impl From<Unreadable> for BlockError {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Version(version) => Self::Version(version),
            Unreadable::Damaged => Self::Damaged,
        }
    }
}

impl From<BlockError> for StorageError {
    fn from(error: BlockError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// Writes the points of one log call, in the order given, as blocks of at most [`MAX_POINTS`] each.
pub fn encode(points: &[Point]) -> Vec<Vec<u8>> {
    points.chunks(MAX_POINTS).map(|points| encode_one(points, &[])).collect()
}

fn encode_one(points: &[Point], lengths: &[(usize, usize)]) -> Vec<u8> {
    let is_single = matches!(lengths, [] | [(_, 1)]);
    let version = if is_single { SINGLE } else { MERGED };
    let mut bytes = begin(MAGIC, version, 16 + lengths.len() * 4 + points.len() * 14);
    put_varint(&mut bytes, points.len() as u64);
    if !is_single {
        put_varint(&mut bytes, lengths.len() as u64);
        for (length, times) in lengths {
            put_varint(&mut bytes, *length as u64);
            put_varint(&mut bytes, *times as u64);
        }
    }
    put_column(&mut bytes, points.iter().map(|point| point.step));
    put_column(&mut bytes, points.iter().map(|point| point.timestamp_ms));
    put_floats(&mut bytes, points.iter().map(|point| point.value));
    seal(bytes)
}

/// Reads one block, adding its points to `points`. Memory is bounded by the size of the bytes.
pub fn decode(bytes: &[u8], points: &mut Vec<Point>) -> Result<(), BlockError> {
    decode_one(bytes, points).map(drop)
}

/// Reads one block; gives the lengths of its calls, and how many such calls followed one another.
fn decode_one(bytes: &[u8], points: &mut Vec<Point>) -> Result<Vec<(usize, usize)>, BlockError> {
    let (version, mut rest) = open(bytes, MAGIC, &VERSIONS)?;
    let count = take_count(&mut rest)?;
    if count == 0 || count > MAX_POINTS || count > rest.len() / MIN_POINT {
        return Err(BlockError::Damaged);
    }
    let lengths = if version == SINGLE { vec![(count, 1)] } else { take_lengths(&mut rest, count)? };
    let steps = take_column(&mut rest, count)?;
    let timestamps = take_column(&mut rest, count)?;
    let values = take_floats(&mut rest, count)?;
    if !rest.is_empty() {
        return Err(BlockError::Damaged);
    }
    let columns = steps.into_iter().zip(timestamps).zip(values);
    points.extend(columns.map(|((step, timestamp_ms), value)| Point { step, timestamp_ms, value }));
    Ok(lengths)
}

fn take_lengths(rest: &mut &[u8], count: usize) -> Result<Vec<(usize, usize)>, BlockError> {
    let pairs = take_count(rest)?;
    if pairs > rest.len() / 2 {
        return Err(BlockError::Damaged);
    }
    let (mut lengths, mut left) = (Vec::with_capacity(pairs), count);
    for _ in 0..pairs {
        let (length, times) = (take_count(rest)?, take_count(rest)?);
        let points = length.checked_mul(times).filter(|points| *points > 0);
        left = points.and_then(|points| left.checked_sub(points)).ok_or(BlockError::Damaged)?;
        lengths.push((length, times));
    }
    if left == 0 { Ok(lengths) } else { Err(BlockError::Damaged) }
}

/// The points of log calls, one call behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    points: Vec<Point>,
    /// The points of a call, and how many such calls follow one another.
    lengths: Vec<(usize, usize)>,
}

impl Calls {
    /// Adds the calls of a block.
    pub fn append(&mut self, block: &[u8]) -> Result<(), BlockError> {
        for (length, times) in decode_one(block, &mut self.points)? {
            self.add_lengths(length, times);
        }
        Ok(())
    }

    fn add_lengths(&mut self, length: usize, times: usize) {
        match self.lengths.last_mut() {
            Some((last, count)) if *last == length => *count += times,
            _ => self.lengths.push((length, times)),
        }
    }

    /// The points of all calls, in the order in which they were logged.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The points alone.
    pub fn into_points(self) -> Vec<Point> {
        self.points
    }

    /// How many calls there are.
    pub fn count(&self) -> u64 {
        self.lengths.iter().map(|(_, times)| *times as u64).sum()
    }

    /// Takes whole calls from the front until they have `least` points, or all there are; as many as one block
    /// holds.
    #[must_use]
    pub fn take_front(&mut self, least: usize) -> Self {
        let (mut front, mut taken) = (Self::default(), 0);
        let mut behind = std::mem::take(&mut self.lengths).into_iter();
        for (length, times) in behind.by_ref() {
            let wanted = least.saturating_sub(taken).div_ceil(length);
            let fitting = (MAX_POINTS - taken) / length;
            let taking = times.min(wanted).min(fitting);
            if taking > 0 {
                front.add_lengths(length, taking);
                taken += length * taking;
            }
            if taking < times {
                self.lengths.push((length, times - taking));
                break;
            }
        }
        self.lengths.extend(behind);
        let rest = self.points.split_off(taken);
        front.points = std::mem::replace(&mut self.points, rest);
        front
    }

    /// Writes them as one block; at most [`MAX_POINTS`] points, as [`take_front`](Self::take_front) gives.
    pub fn encode(&self) -> Vec<u8> {
        encode_one(&self.points, &self.lengths)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<Point>, BlockError> {
        let mut points = Vec::new();
        decode(bytes, &mut points).map(|()| points)
    }

    fn fixture_points() -> Vec<Point> {
        let point = |step, timestamp_ms, value| Point { step, timestamp_ms, value };
        vec![
            point(0, 1_357_017_300_000, 0.5),
            point(1, 1_357_017_300_250, f64::NAN),
            point(-7, 0, f64::NEG_INFINITY),
            point(i64::MAX, i64::MIN, f64::MAX),
            point(i64::MIN, i64::MAX, -0.0),
        ]
    }

    /// Blocks written by version 1 must be read for ever. Made once, checked by
    /// `tests/reference/block.py`, which decodes it from the table above.
    #[test]
    fn blocks_of_version_1_are_read() {
        let bytes = hex(include_str!("../tests/reference/block-v1.hex"));
        assert_eq!(decoded(&bytes).unwrap(), fixture_points());
        assert_eq!(encode(&fixture_points()), [bytes]);
    }

    /// Likewise of version 2: calls of 1, 1 and 3 points.
    #[test]
    fn blocks_of_version_2_are_read() {
        let bytes = hex(include_str!("../tests/reference/block-v2.hex"));
        let mut calls = Calls::default();
        calls.append(&bytes).unwrap();
        assert_eq!((calls.points(), calls.count()), (&fixture_points()[..], 3));
        assert_eq!(calls.lengths, [(1, 2), (3, 1)]);
        assert_eq!(calls.encode(), bytes);
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.trim().bytes().map(|b| (b as char).to_digit(16).unwrap().try_into().unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    proptest! {
        #[test]
        fn every_point_survives(raw in proptest::collection::vec(any::<(i64, i64, u64)>(), 1..200)) {
            let points: Vec<Point> = raw
                .into_iter()
                .map(|(step, timestamp_ms, bits)| Point { step, timestamp_ms, value: f64::from_bits(bits) })
                .collect();
            let blocks = encode(&points);
            prop_assert_eq!(blocks.len(), 1);
            prop_assert_eq!(decoded(&blocks[0]).unwrap(), points);
        }

        /// Blocks that are merged and cut, however often, still have every block that was logged.
        #[test]
        fn what_was_logged_can_be_made_again(
            logged in proptest::collection::vec(1_usize..9, 1..60),
            cuts in proptest::collection::vec(1_usize..30, 0..8),
        ) {
            let mut step = 0;
            let mut next = || {
                step += 1;
                Point { step, timestamp_ms: step * 7 % 13, value: 1.0 }
            };
            let calls: Vec<Vec<Point>> =
                logged.iter().map(|length| (0..*length).map(|_| next()).collect()).collect();
            let mut merged = Calls::default();
            for call in &calls {
                merged.append(&encode(call)[0]).unwrap();
            }
            let mut parts = Vec::new();
            for least in cuts {
                let part = merged.take_front(least);
                prop_assert!(part.points.len() >= least || merged.points.is_empty());
                prop_assert!(part.points.len() < least + 9);
                parts.push(part);
            }
            parts.push(merged);
            let mut again = Calls::default();
            for part in parts.iter().filter(|part| !part.points.is_empty()) {
                again.append(&part.encode()).unwrap();
            }
            prop_assert_eq!(again.count(), calls.len() as u64);
            for call in &calls {
                let one = again.take_front(1);
                prop_assert_eq!(one.encode(), encode(call).remove(0));
            }
            prop_assert!(again.points.is_empty());
        }

        #[test]
        fn any_change_is_noticed(at in 0_usize..200, flip in 1_u8..) {
            let mut bytes = encode(&fixture_points()).remove(0);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(decoded(&bytes).is_err());
        }

        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decoded(&bytes).is_err());
        }
    }

    #[test]
    fn lying_counts_and_later_versions_are_refused() {
        let sealed = |body: &[u8]| [body, &crc32c::crc32c(body).to_le_bytes()].concat();
        assert_eq!(decoded(&sealed(b"MPTS\x03\x01")), Err(BlockError::Version(3)));
        for body in [
            &b"MPTS\x01\x00"[..],
            b"MPTS\x01\xff\xff\xff\xff\x0f",
            b"MPTS\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"MPTS\x01\x01\x00\x00\x00",
            b"MPTS\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"NOPE\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"MPTS\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"MPTS\x02\x01\x01\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"MPTS\x02\x01\x02\x01\x01\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        ] {
            assert_eq!(decoded(&sealed(body)), Err(BlockError::Damaged), "{body:?}");
        }
        assert!(decoded(&sealed(b"MPTS\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")).is_ok());
    }

    #[test]
    fn calls_that_do_not_fit_into_a_block_are_left() {
        let mut calls = Calls::default();
        for length in [40_000, 40_000] {
            let points = vec![Point { step: 0, timestamp_ms: 0, value: 1.0 }; length];
            calls.append(&encode(&points)[0]).unwrap();
        }
        assert_eq!(calls.take_front(50_000).points().len(), 40_000);
        assert_eq!((calls.points().len(), calls.count()), (40_000, 1));
    }

    #[test]
    fn long_histories_are_split() {
        let points = vec![Point { step: 0, timestamp_ms: 0, value: 1.0 }; MAX_POINTS + 1];
        let blocks = encode(&points);
        assert_eq!(blocks.len(), 2);
        assert_eq!(decoded(&blocks[1]).unwrap().len(), 1);
        assert_eq!(encode(&[]), Vec::<Vec<u8>>::new());
    }
}
