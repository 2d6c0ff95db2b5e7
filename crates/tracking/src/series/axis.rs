//! Axes of charts, and how they are cut into intervals.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use crate::metric::{Point, history_order, step_order};

/// By what points are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// The training step.
    Step,
    /// The time of a point, in milliseconds since 1970.
    Time,
    /// The time of a point since the start of its run, in milliseconds.
    RelativeTime,
}

impl Axis {
    /// By what buckets are cut. A run's time is cut from its start, so that runs share their buckets.
    pub const fn coordinate(self) -> Coordinate {
        match self {
            Self::Step => Coordinate::Step,
            Self::Time | Self::RelativeTime => Coordinate::Elapsed,
        }
    }

    /// What is added to a coordinate to get the axis' own number, for a run that started then.
    pub const fn origin(self, start_ms: i64) -> i64 {
        match self {
            Self::Step | Self::RelativeTime => 0,
            Self::Time => start_ms,
        }
    }
}

/// What points are sorted and cut by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinate {
    /// The training step.
    Step,
    /// Milliseconds since the start of the run; negative before it.
    Elapsed,
}

impl Coordinate {
    /// A point's coordinate, in a run that started then. Saturates.
    pub const fn of(self, point: &Point, start_ms: i64) -> i64 {
        match self {
            Self::Step => point.step,
            Self::Elapsed => point.timestamp_ms.saturating_sub(start_ms),
        }
    }

    /// The order of points: by the coordinate first. Only points that are equal are equal here.
    pub fn order(self, a: &Point, b: &Point) -> Ordering {
        match self {
            Self::Step => step_order(a, b),
            Self::Elapsed => history_order(a, b),
        }
    }
}

/// Between which steps and times points lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The least and the greatest step.
    pub steps: RangeInclusive<i64>,
    /// The least and the greatest timestamp, in milliseconds.
    pub times: RangeInclusive<i64>,
}

impl Extent {
    /// Of these points; `None` if there is none.
    pub fn of(points: &[Point]) -> Option<Self> {
        let (first, rest) = points.split_first()?;
        let alone = |x: i64| x..=x;
        let one = Self { steps: alone(first.step), times: alone(first.timestamp_ms) };
        Some(rest.iter().fold(one, |extent, point| Self {
            steps: widened(&extent.steps, point.step, point.step),
            times: widened(&extent.times, point.timestamp_ms, point.timestamp_ms),
        }))
    }

    /// Of both.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self {
            steps: widened(&self.steps, *other.steps.start(), *other.steps.end()),
            times: widened(&self.times, *other.times.start(), *other.times.end()),
        }
    }

    /// The range of a coordinate, in a run that started then.
    pub const fn range(&self, coordinate: Coordinate, start_ms: i64) -> RangeInclusive<i64> {
        match coordinate {
            Coordinate::Step => *self.steps.start()..=*self.steps.end(),
            Coordinate::Elapsed => {
                self.times.start().saturating_sub(start_ms)..=self.times.end().saturating_sub(start_ms)
            }
        }
    }
}

fn widened(range: &RangeInclusive<i64>, low: i64, high: i64) -> RangeInclusive<i64> {
    *range.start().min(&low)..=*range.end().max(&high)
}

/// The coarsest level: two intervals, below zero and from it on.
pub const COARSEST: u32 = 63;

/// Intervals of one length, `2^level`, that follow one another: interval n is `[n · 2^level, (n + 1) · 2^level)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// The length of an interval, as a power of two.
    pub level: u32,
    /// The number of the first interval.
    pub first: i64,
    /// The number of the last interval; not before the first.
    pub last: i64,
}

impl Grid {
    /// The intervals of a level that touch a range.
    pub const fn over(range: &RangeInclusive<i64>, level: u32) -> Self {
        Self { level, first: *range.start() >> level, last: *range.end() >> level }
    }

    /// The finest level, and not below `least`, at which none of the ranges touches more than `most` intervals;
    /// `most` is at least 2.
    pub fn level_for(ranges: &[RangeInclusive<i64>], most: usize, least: u32) -> u32 {
        let fits = |level: &u32| {
            ranges.iter().all(|range| {
                let grid = Self::over(range, *level);
                // The difference of two integers fits an unsigned one.
                grid.last.wrapping_sub(grid.first).cast_unsigned() < most as u64
            })
        };
        (least..COARSEST).find(fits).unwrap_or(COARSEST)
    }

    /// How many intervals there are.
    pub fn count(&self) -> usize {
        usize::try_from(self.last.wrapping_sub(self.first).cast_unsigned())
            .map_or(usize::MAX, |between| between.saturating_add(1))
    }

    /// The place among these intervals of the one with this number.
    pub fn place(&self, interval: i64) -> Option<usize> {
        let is_here = self.first <= interval && interval <= self.last;
        if is_here { usize::try_from(interval.wrapping_sub(self.first)).ok() } else { None }
    }

    /// Where an interval begins.
    pub const fn start_of(&self, interval: i64) -> i64 {
        interval << self.level
    }

    /// All coordinates of these intervals.
    pub const fn range(&self) -> RangeInclusive<i64> {
        let behind = (1_i64 << self.level).wrapping_sub(1);
        self.start_of(self.first)..=self.start_of(self.last) | behind
    }

    /// Those of these intervals that touch a range; `None` if none does.
    pub fn within(&self, range: &RangeInclusive<i64>) -> Option<Self> {
        let other = Self::over(range, self.level);
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { level: self.level, first, last })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_level_is_the_finest_that_fits() {
        let level = |range, most| Grid::level_for(&[range], most, 0);
        assert_eq!(level(0..=9_999_999, 1_000), 14);
        assert_eq!(level(0..=999, 1_000), 0);
        assert_eq!(level(0..=1_000, 1_000), 1);
        assert_eq!(level(-1..=0, 2), 0);
        assert_eq!(level(-5..=5, 2), 3);
        assert_eq!(level(i64::MIN..=i64::MAX, 2), COARSEST);
        assert_eq!(Grid::level_for(&[0..=0, 0..=4_095], 2, 4), 11);
        assert_eq!(Grid::level_for(&[0..=0], 2, 4), 4);
    }

    #[test]
    fn extents_grow() {
        let point = |step, timestamp_ms| Point { step, timestamp_ms, value: 0.0 };
        assert_eq!(Extent::of(&[]), None);
        let extent = Extent::of(&[point(3, 50), point(-1, 70)]).unwrap();
        assert_eq!(extent, Extent { steps: -1..=3, times: 50..=70 });
        assert_eq!(extent.range(Coordinate::Elapsed, 60), -10..=10);
        let wider = extent.with(&Extent { steps: 0..=9, times: 60..=61 });
        assert_eq!(wider, Extent { steps: -1..=9, times: 50..=70 });
    }

    proptest! {
        #[test]
        fn intervals_hold_their_coordinates(a in any::<i64>(), b in any::<i64>(), most in 2_usize..3_000) {
            let range = a.min(b)..=a.max(b);
            let grid = Grid::over(&range, Grid::level_for(std::slice::from_ref(&range), most, 0));
            prop_assert!(grid.count() <= most);
            let all = grid.range();
            prop_assert!(all.contains(&a) && all.contains(&b));
            prop_assert_eq!(grid.within(&range), Some(grid));
            prop_assert_eq!(grid.place(*range.start() >> grid.level), Some(0));
            prop_assert_eq!(grid.place(*range.end() >> grid.level), Some(grid.count() - 1));
            if grid.level > 0 {
                prop_assert!(Grid::over(&range, grid.level - 1).count() > most);
            }
        }
    }
}
