//! What a chart asks for, and what it gets.

use std::ops::RangeInclusive;

use mainstay_core::id::RunId;

use super::axis::{Axis, Extent, Grid};
use super::drawing::Drawn;

/// Fewest buckets that can be asked for: below zero and from it on there is one each at least.
pub const FEWEST_BUCKETS: usize = 2;
/// Most buckets that can be asked for.
pub const MOST_BUCKETS: usize = 2_000;

/// A metric of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose.
    pub run: RunId,
    /// Which.
    pub key: String,
    /// The version that the asker holds.
    pub known: Option<String>,
}

/// Metrics for a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesQuery {
    /// Which.
    pub wanted: Vec<Wanted>,
    /// By what they are drawn.
    pub axis: Axis,
    /// From where on the axis; from the first point of all, if it is not said.
    pub from: Option<i64>,
    /// To where, that included; to the last point of all, if it is not said.
    pub to: Option<i64>,
    /// Most buckets, or points, of each metric: [`FEWEST_BUCKETS`] to [`MOST_BUCKETS`].
    pub buckets: usize,
    /// Buckets are `2^least_level` long at least.
    pub least_level: u32,
}

/// What is known of a metric before it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// When its run started, in milliseconds since 1970.
    pub start_ms: i64,
    /// How many log calls it has had.
    pub calls: u64,
    /// Where its points lie.
    pub extent: Extent,
}

/// What part of the axis a chart shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The ends, in the axis' numbers; `None` if nobody said and there is no point.
    pub range: Option<RangeInclusive<i64>>,
    /// The length of buckets, as a power of two.
    pub level: u32,
}

impl SeriesQuery {
    /// The part of the axis that shows what was asked for of these metrics.
    pub fn frame(&self, found: &[Option<Found>]) -> Frame {
        let metrics = || found.iter().flatten();
        let own = |found: &Found| {
            let range = found.extent.range(self.axis.coordinate(), found.start_ms);
            let origin = self.axis.origin(found.start_ms);
            range.start().saturating_add(origin)..=range.end().saturating_add(origin)
        };
        let first = || metrics().map(|found| *own(found).start()).min();
        let last = || metrics().map(|found| *own(found).end()).max();
        let ends = match (self.from, self.to) {
            (Some(from), Some(to)) => Some((from, to.max(from))),
            (Some(from), None) => last().map(|to| (from, to.max(from))),
            (None, Some(to)) => first().map(|from| (from.min(to), to)),
            (None, None) => first().zip(last()),
        };
        let range = ends.map(|(from, to)| from..=to);
        let mut ranges: Vec<_> =
            range.iter().flat_map(|range| metrics().map(|found| self.coordinates(range, found))).collect();
        if ranges.is_empty() {
            ranges.extend(range.clone());
        }
        Frame { level: Grid::level_for(&ranges, self.buckets, self.least_level), range }
    }

    /// A part of the axis, in the coordinates of a metric.
    fn coordinates(&self, range: &RangeInclusive<i64>, found: &Found) -> RangeInclusive<i64> {
        let origin = self.axis.origin(found.start_ms);
        range.start().saturating_sub(origin)..=range.end().saturating_sub(origin)
    }

    /// The intervals in which a metric is drawn: those of the frame in which it can have points; and the version of
    /// what they show, which is another one as soon as they could show something else.
    pub fn grid(&self, frame: &Frame, found: &Found) -> (Option<Grid>, String) {
        let extent = found.extent.range(self.axis.coordinate(), found.start_ms);
        let grid = frame.range.as_ref().and_then(|range| {
            let whole = Grid::over(&self.coordinates(range, found), frame.level);
            whole.within(&extent)
        });
        let place = grid.map_or_else(|| "none".to_owned(), |grid| format!("{}.{}", grid.first, grid.last));
        let axis = match self.axis {
            Axis::Step => "s",
            Axis::Time => "t",
            Axis::RelativeTime => "r",
        };
        let version = format!("{}.{axis}{}.{}.{place}", found.calls, frame.level, self.buckets);
        (grid, version)
    }
}

/// One metric of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Series {
    /// No such run, or none of its points.
    Empty,
    /// What the asker holds is still right.
    Unchanged {
        /// Its version.
        version: String,
    },
    /// What it looks like.
    Drawn {
        /// The version of this.
        version: String,
        /// When the run started, in milliseconds since 1970.
        start_ms: i64,
        /// Itself, by its coordinate.
        drawn: Drawn,
    },
}

/// Metrics for a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesAnswer {
    /// The part of the axis.
    pub frame: Frame,
    /// Those asked for, in that order.
    pub series: Vec<Series>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(start_ms: i64, calls: u64, steps: RangeInclusive<i64>, times: RangeInclusive<i64>) -> Found {
        Found { start_ms, calls, extent: Extent { steps, times } }
    }

    fn query(axis: Axis, from: Option<i64>, to: Option<i64>) -> SeriesQuery {
        SeriesQuery { wanted: Vec::new(), axis, from, to, buckets: 10, least_level: 0 }
    }

    #[test]
    fn a_frame_holds_all_metrics_unless_it_is_said() {
        let metrics = [Some(found(100, 1, 0..=50, 150..=700)), None, Some(found(500, 1, -5..=9, 500..=900))];
        let frame = |axis, from, to| {
            let frame = query(axis, from, to).frame(&metrics);
            (frame.range.unwrap(), frame.level)
        };
        assert_eq!(frame(Axis::Step, None, None), (-5..=50, 3));
        assert_eq!(frame(Axis::RelativeTime, None, None), (0..=600, 6));
        assert_eq!(frame(Axis::Time, None, None), (150..=900, 7));
        assert_eq!(frame(Axis::Step, Some(3), Some(12)), (3..=12, 0));
        assert_eq!(frame(Axis::Step, Some(3), None), (3..=50, 3));
        assert_eq!(frame(Axis::Step, Some(60), None), (60..=60, 0));
        assert_eq!(frame(Axis::Step, None, Some(-9)), (-9..=-9, 0));
        assert_eq!(query(Axis::Step, None, Some(1)).frame(&[None]), Frame { range: None, level: 0 });
        assert_eq!(query(Axis::Step, Some(0), Some(99)).frame(&[]).level, 4);
    }

    #[test]
    fn a_version_is_of_what_is_shown() {
        let (query, metric) = (query(Axis::Step, None, None), found(0, 7, 0..=50, 0..=50));
        let version = |metrics: &[Option<Found>]| query.grid(&query.frame(metrics), &metric).1;
        let alone = version(&[Some(metric.clone())]);
        let beside = |steps| version(&[Some(metric.clone()), Some(found(0, 9, steps, 0..=0))]);
        assert_eq!(beside(10..=79), alone, "the frame is wider, and the buckets are the same");
        assert_ne!(beside(10..=80), alone, "the buckets are wider");
        let longer = Found { calls: 8, ..metric.clone() };
        assert_ne!(query.grid(&query.frame(&[Some(longer.clone())]), &longer).1, alone);
    }
}
