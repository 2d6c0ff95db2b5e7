//! Metric points at rest: append-only blocks, one for each run, metric and log call, so that a point
//! costs no row and a history is read in a few large values.
//!
//! # Format, version 1
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `MPTS` |
//! | 1 | the version, 1 |
//! | varint | the number of points, at least 1 |
//! | varints | the steps: the first, then differences, wrapping, zigzag |
//! | varints | the timestamps in milliseconds, likewise |
//! | 8 each | the values: IEEE 754 bits, little-endian, so that NaN and infinities survive |
//! | 4 | CRC-32C of all before, little-endian |
//!
//! A varint is LEB128 of at most 64 bits, as in Protocol Buffers; zigzag likewise.

use mainstay_core::error::StorageError;
use thiserror::Error;

use crate::metric::Point;
use crate::varint::{put_varint, take_varint, unzigzag, zigzag};

/// Most points in one block.
pub const MAX_POINTS: usize = 65_536;

const MAGIC: &[u8; 4] = b"MPTS";
const VERSION: u8 = 1;
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

impl From<BlockError> for StorageError {
    fn from(error: BlockError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// Writes points, in the order given, as blocks of at most [`MAX_POINTS`] each.
pub fn encode(points: &[Point]) -> Vec<Vec<u8>> {
    points.chunks(MAX_POINTS).map(encode_one).collect()
}

fn encode_one(points: &[Point]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + points.len() * 14);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    put_varint(&mut bytes, points.len() as u64);
    for column in [|p: &Point| p.step, |p: &Point| p.timestamp_ms] {
        let mut last = 0_i64;
        for point in points {
            put_varint(&mut bytes, zigzag(column(point).wrapping_sub(last)));
            last = column(point);
        }
    }
    for point in points {
        bytes.extend_from_slice(&point.value.to_bits().to_le_bytes());
    }
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Reads one block, adding its points to `points`. Memory is bounded by the size of the bytes.
pub fn decode(bytes: &[u8], points: &mut Vec<Point>) -> Result<(), BlockError> {
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(BlockError::Damaged)?;
    let (magic, rest) = body.split_first_chunk::<4>().ok_or(BlockError::Damaged)?;
    let (version, mut rest) = rest.split_first().ok_or(BlockError::Damaged)?;
    if magic != MAGIC || crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(BlockError::Damaged);
    }
    if *version != VERSION {
        return Err(BlockError::Version(*version));
    }
    let count = usize::try_from(take_varint(&mut rest).ok_or(BlockError::Damaged)?)
        .map_err(|_| BlockError::Damaged)?;
    if count == 0 || count > MAX_POINTS || count > rest.len() / MIN_POINT {
        return Err(BlockError::Damaged);
    }
    let steps = take_column(&mut rest, count)?;
    let timestamps = take_column(&mut rest, count)?;
    let (values, tail) = rest.as_chunks::<8>();
    if values.len() != count || !tail.is_empty() {
        return Err(BlockError::Damaged);
    }
    points.extend(steps.into_iter().zip(timestamps).zip(values).map(|((step, timestamp_ms), value)| Point {
        step,
        timestamp_ms,
        value: f64::from_bits(u64::from_le_bytes(*value)),
    }));
    Ok(())
}

fn take_column(rest: &mut &[u8], count: usize) -> Result<Vec<i64>, BlockError> {
    let mut column = Vec::with_capacity(count);
    let mut last = 0_i64;
    for _ in 0..count {
        last = last.wrapping_add(unzigzag(take_varint(rest).ok_or(BlockError::Damaged)?));
        column.push(last);
    }
    Ok(column)
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
        assert_eq!(decoded(&sealed(b"MPTS\x02\x01")), Err(BlockError::Version(2)));
        for body in [
            &b"MPTS\x01\x00"[..],
            b"MPTS\x01\xff\xff\xff\xff\x0f",
            b"MPTS\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"MPTS\x01\x01\x00\x00\x00",
            b"MPTS\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"NOPE\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        ] {
            assert_eq!(decoded(&sealed(body)), Err(BlockError::Damaged), "{body:?}");
        }
        assert!(decoded(&sealed(b"MPTS\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")).is_ok());
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
