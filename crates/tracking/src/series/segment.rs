//! Segments: merged blocks that are not touched again; and nodes, which sum them up.

use mainstay_core::error::StorageError;

use super::axis::{Coordinate, Extent};
use super::summary::Summary;
use crate::metric::Point;
use mainstay_columns::varint::{put_varint, take_varint};

/// A merged block that is not touched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Which segment of its metric it is, from 0.
    pub ordinal: u64,
    /// The number of its block.
    pub number: u64,
    /// Between which steps and times its points lie.
    pub extent: Extent,
    /// The positions, ascending, of those of its points that are earlier in it or in a segment before it.
    pub repeats: Vec<u32>,
}

/// The points of a segment that are there for the first time.
pub fn without_repeats(mut points: Vec<Point>, repeats: &[u32]) -> Vec<Point> {
    if !repeats.is_empty() {
        let (mut repeats, mut position) = (repeats.iter().peekable(), 0_u32);
        points.retain(|_| {
            let is_repeat = repeats.next_if_eq(&&position).is_some();
            position += 1;
            !is_repeat
        });
    }
    points
}

/// Writes positions: varints of the differences; nothing for none.
pub fn encode_repeats(repeats: &[u32]) -> Vec<u8> {
    let (mut bytes, mut last) = (Vec::new(), 0);
    for position in repeats {
        put_varint(&mut bytes, u64::from(position.wrapping_sub(last)));
        last = *position;
    }
    bytes
}

/// Reads positions.
pub fn decode_repeats(mut bytes: &[u8]) -> Result<Vec<u32>, StorageError> {
    let (mut repeats, mut last) = (Vec::new(), 0_u32);
    while !bytes.is_empty() {
        let between = take_varint(&mut bytes).and_then(|between| u32::try_from(between).ok());
        let position = between.and_then(|between| last.checked_add(between));
        let damaged = || StorageError::Corrupt("positions of repeated points are damaged".to_owned());
        last = position.ok_or_else(damaged)?;
        repeats.push(last);
    }
    Ok(repeats)
}

/// What [`FAN_OUT`](super::FAN_OUT) segments, or nodes of the tier below, come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// 1 above segments, 2 above nodes of tier 1, and so on.
    pub tier: u32,
    /// Which node of its tier it is, from 0.
    pub ordinal: u64,
    /// Between which steps and times its points lie.
    pub extent: Extent,
    /// Its points by step.
    pub steps: Summary,
    /// Its points by time, from the start of the run.
    pub elapsed: Summary,
}

impl Node {
    /// Of no point yet.
    pub const fn new(tier: u32, ordinal: u64, extent: Extent) -> Self {
        Self {
            tier,
            ordinal,
            extent,
            steps: Summary::new(Coordinate::Step),
            elapsed: Summary::new(Coordinate::Elapsed),
        }
    }

    /// Adds the points of a segment of a run that started then, those left out that were there before.
    pub fn add_points(&mut self, points: &[Point], extent: &Extent, start_ms: i64, most: usize) {
        self.extent = self.extent.with(extent);
        self.steps.add_points(points, start_ms, most);
        self.elapsed.add_points(points, start_ms, most);
    }

    /// Adds a node of the tier below.
    pub fn add(&mut self, below: Self, most: usize) {
        self.extent = self.extent.with(&below.extent);
        self.steps.add(below.steps, most);
        self.elapsed.add(below.elapsed, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_taken_out_and_survive() {
        let points: Vec<Point> = (0..6).map(|step| Point { step, timestamp_ms: 0, value: 0.0 }).collect();
        for repeats in [vec![], vec![0], vec![0, 1, 5], vec![2, 3], (0..6).collect()] {
            let own = without_repeats(points.clone(), &repeats);
            assert_eq!(own.len(), points.len() - repeats.len());
            assert!(own.iter().all(|point| !repeats.contains(&u32::try_from(point.step).unwrap())));
            assert_eq!(decode_repeats(&encode_repeats(&repeats)).unwrap(), repeats);
        }
        assert!(decode_repeats(&[0x80]).is_err());
        assert!(decode_repeats(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x01]).is_err());
    }
}
