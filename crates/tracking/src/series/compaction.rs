//! Which blocks are merged, and when.
//!
//! Blocks that are not in a segment yet are merged as soon as there are many: those at the end, from the first one
//! that is not larger than all behind it. So what is left is each larger than all behind it, few, and a point is
//! rewritten a few times at most. As soon as they have enough points together, the oldest of them are made a segment.

use std::ops::Range;

use super::segment::{Node, Segment};
use super::summary::MAX_BUCKETS;
use super::{FAN_OUT, FAN_OUT_BITS};
use crate::block::Calls;

/// Most calls between two looks, whatever their size; blocks that a look leaves alone wait besides.
const MOST_WAITING: u64 = 128;
/// Fewest calls between two looks.
const FEWEST_WAITING: u64 = 8;

/// Whether a metric's blocks are to be looked at, now that its call of this number had so many points.
pub const fn is_due(number: u64, points: usize) -> bool {
    let sealing = Shape::DEFAULT.seal as u64;
    let every = match sealing.checked_div(points as u64) {
        Some(calls) if calls < FEWEST_WAITING => FEWEST_WAITING,
        Some(calls) if calls <= MOST_WAITING => calls,
        _ => MOST_WAITING,
    };
    number.is_multiple_of(every)
}

/// How large things get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Points from which on merged blocks become a segment.
    pub seal: usize,
    /// Blocks from which on they are merged.
    pub merge: usize,
    /// Points for each bucket of a node, at least.
    pub density: usize,
}

impl Shape {
    /// A segment takes about 90 KiB, and all nodes a tenth of what the segments take.
    pub const DEFAULT: Self = Self { seal: 8_192, merge: 64, density: 128 };

    /// Most buckets of a node's summary.
    pub fn most_buckets(&self, tier: u32) -> usize {
        let segments = 1_usize.checked_shl(tier.saturating_mul(FAN_OUT_BITS)).unwrap_or(usize::MAX);
        (self.seal.saturating_mul(segments) / self.density.max(1)).clamp(2, MAX_BUCKETS)
    }

    /// What is to be done with the blocks that are in no segment, the oldest first.
    pub fn plan(&self, waiting: &[Waiting]) -> Option<Plan> {
        let mut behind: u64 = waiting.iter().map(|block| block.points).sum();
        if behind >= self.seal as u64 {
            let mut points = 0;
            let reaches = |block: &Waiting| {
                points += block.points;
                points >= self.seal as u64
            };
            return waiting.iter().position(reaches).map(|last| Plan::Seal(last + 1));
        }
        if waiting.len() < self.merge {
            return None;
        }
        let is_small = |block: &Waiting| {
            behind -= block.points;
            block.points <= behind
        };
        waiting.iter().position(is_small).map(|first| Plan::Merge(first..waiting.len()))
    }
}

/// A block that is in no segment yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Its number: that of its last call, counted over all calls of the metric from 1.
    pub number: u64,
    /// How many points it has.
    pub points: u64,
}

/// What is to be done with waiting blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Make a segment of so many of the oldest ones; what is left over of the last of them waits on.
    Seal(usize),
    /// Make one block of these.
    Merge(Range<usize>),
}

impl Plan {
    /// Which of the waiting blocks it is about.
    pub const fn range(&self) -> Range<usize> {
        match self {
            Self::Seal(count) => 0..*count,
            Self::Merge(range) => range.start..range.end,
        }
    }
}

/// A block that stands for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Its number.
    pub number: u64,
    /// How many points it has.
    pub points: u64,
    /// Itself.
    pub block: Vec<u8>,
}

impl Merged {
    /// Of calls whose last one has this number.
    pub fn of(calls: &Calls, number: u64) -> Self {
        Self { number, points: calls.points().len() as u64, block: calls.encode() }
    }
}

/// A change of how a metric's points lie. It changes none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Compaction {
    /// How many segments there were when it was prepared.
    pub segments: u64,
    /// The numbers of the first and the last block that it replaces.
    pub replaced: (u64, u64),
    /// How many blocks those are.
    pub count: u64,
    /// What stands in their place.
    pub merged: Vec<Merged>,
    /// The segment that the first of these has become, and the nodes that are whole with it.
    pub sealed: Option<(Segment, Vec<Node>)>,
    /// Whether there is nothing more to do afterwards.
    pub is_last: bool,
}

/// The nodes that are whole with the segment of this ordinal: their tiers and ordinals, the lowest first.
pub fn completed_by(segment: u64) -> impl Iterator<Item = (u32, u64)> {
    let mut count = segment + 1;
    (1..).map_while(move |tier| {
        let is_whole = count.is_multiple_of(FAN_OUT);
        count /= FAN_OUT;
        (is_whole && count > 0).then(|| (tier, count - 1))
    })
}

/// What is below a node: the ordinals of segments, or of nodes of the tier below.
pub const fn below(ordinal: u64) -> Range<u64> {
    ordinal << FAN_OUT_BITS..(ordinal + 1) << FAN_OUT_BITS
}

/// Of so many segments, those that no node sums up (tier 0), or the nodes of a tier that none above sums up.
pub fn topmost(segments: u64, tier: u32) -> Range<u64> {
    let count = |tier: u32| segments.checked_shr(tier.saturating_mul(FAN_OUT_BITS)).unwrap_or(0);
    count(tier + 1) << FAN_OUT_BITS..count(tier)
}

/// The highest tier that has a node, 0 if there is none.
pub fn highest_tier(segments: u64) -> u32 {
    segments.checked_ilog2().unwrap_or(0) / FAN_OUT_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(points: &[u64]) -> Vec<Waiting> {
        (1..).zip(points).map(|(number, points)| Waiting { number, points: *points }).collect()
    }

    #[test]
    fn small_blocks_at_the_end_are_merged_and_enough_points_sealed() {
        let shape = Shape { seal: 100, merge: 4, density: 4 };
        let plan = |points: &[u64]| shape.plan(&waiting(points));
        assert_eq!(plan(&[1, 1, 1]), None);
        assert_eq!(plan(&[1, 1, 1, 1]), Some(Plan::Merge(0..4)));
        assert_eq!(plan(&[40, 9, 2, 2, 2]), Some(Plan::Merge(2..5)));
        assert_eq!(plan(&[40, 9, 5, 5, 5]), Some(Plan::Merge(1..5)));
        assert_eq!(plan(&[60, 20, 10]), None);
        assert_eq!(plan(&[60, 20, 10, 9]), None);
        assert_eq!(plan(&[60, 39, 2, 1]), Some(Plan::Seal(3)));
        assert_eq!(plan(&[300]), Some(Plan::Seal(1)));
    }

    /// However points come, few blocks wait and none is rewritten often.
    #[test]
    fn waiting_blocks_stay_few() {
        let shape = Shape::DEFAULT;
        for size in [1, 7, 100, 1_000] {
            let (mut waiting, mut rewritten, mut most): (Vec<Waiting>, u64, usize) = (Vec::new(), 0, 0);
            let calls = 200_000 / size;
            for number in 1..=calls {
                waiting.push(Waiting { number, points: size });
                most = most.max(waiting.len());
                let points = usize::try_from(size).unwrap();
                while let Some(plan) = is_due(number, points).then(|| shape.plan(&waiting)).flatten() {
                    let range = plan.range();
                    let points: u64 = waiting[range.clone()].iter().map(|block| block.points).sum();
                    rewritten += points;
                    let left = points.saturating_sub(shape.seal as u64) / size * size;
                    let points = if matches!(plan, Plan::Seal(_)) { left } else { points };
                    let rest = (points > 0).then_some(Waiting { number, points });
                    waiting.splice(range, rest);
                }
            }
            let limit = usize::try_from(MOST_WAITING).unwrap() + shape.merge;
            assert!(most <= limit, "{size}: {most}");
            assert!(rewritten <= 10 * calls * size, "{size}: {rewritten}");
        }
    }

    #[test]
    fn nodes_are_whole_when_all_below_is_there() {
        let whole = |segment| completed_by(segment).collect::<Vec<_>>();
        assert_eq!(whole(0), []);
        assert_eq!(whole(7), [(1, 0)]);
        assert_eq!(whole(8), []);
        assert_eq!(whole(15), [(1, 1)]);
        assert_eq!(whole(63), [(1, 7), (2, 0)]);
        assert_eq!(whole(511), [(1, 63), (2, 7), (3, 0)]);
        assert_eq!(below(7), 56..64);
    }

    #[test]
    fn the_topmost_ones_cover_every_segment_once() {
        for segments in [0, 1, 7, 8, 9, 63, 64, 65, 511, 600, 5_000] {
            let highest = highest_tier(segments);
            assert!((highest..5).all(|tier| tier == highest || topmost(segments, tier).is_empty()));
            let mut covered: Vec<u64> = Vec::new();
            for tier in 0..=highest {
                let mut ranges = vec![topmost(segments, tier)];
                for _ in 0..tier {
                    ranges = ranges.into_iter().flatten().map(below).collect();
                }
                covered.extend(ranges.into_iter().flatten());
            }
            covered.sort_unstable();
            assert_eq!(covered, (0..segments).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nodes_have_room_for_a_chart_of_all_points() {
        let most: Vec<usize> = (1..6).map(|tier| Shape::DEFAULT.most_buckets(tier)).collect();
        assert_eq!(most, [512, 2_048, 2_048, 2_048, 2_048]);
    }
}
