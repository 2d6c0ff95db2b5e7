//! One metric on its way to a chart.

use std::ops::RangeInclusive;

use super::axis::{Coordinate, Grid};
use super::bucket::Bucket;
use super::summary::Summary;
use crate::metric::Point;

/// What a chart shows of one metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Drawn {
    /// So few points that they are shown as they are, in the order of the axis.
    Points(Vec<Point>),
    /// What the points of intervals come to: where each begins, ascending; those without points are left out.
    Buckets(Vec<(i64, Bucket)>),
}

/// Puts together what the points in the intervals of a grid come to.
#[derive(Debug)]
pub struct Drawing {
    coordinate: Coordinate,
    start_ms: i64,
    grid: Grid,
    range: RangeInclusive<i64>,
    /// Up to so many points are shown as they are.
    most: usize,
    buckets: Vec<Option<Bucket>>,
    /// The points, as long as they are few and all of them are known.
    points: Option<Vec<Point>>,
    takes_summaries: bool,
}

impl Drawing {
    /// Of a metric of a run that started then.
    pub fn new(coordinate: Coordinate, start_ms: i64, grid: Grid, most: usize) -> Self {
        let buckets = vec![None; grid.count()];
        let points = Some(Vec::new());
        Self { coordinate, start_ms, grid, range: grid.range(), most, buckets, points, takes_summaries: true }
    }

    /// The same anew, from points alone.
    #[must_use]
    pub fn of_points(&self) -> Self {
        let anew = Self::new(self.coordinate, self.start_ms, self.grid, self.most);
        Self { takes_summaries: false, ..anew }
    }

    /// By what points are sorted and cut.
    pub const fn coordinate(&self) -> Coordinate {
        self.coordinate
    }

    /// Between which steps, or timestamps in milliseconds, all that it shows lies.
    pub fn bounds(&self) -> RangeInclusive<i64> {
        let (low, high) = (*self.range.start(), *self.range.end());
        match self.coordinate {
            Coordinate::Step => low..=high,
            Coordinate::Elapsed => {
                // What is saturated stands for all beyond it.
                let time = |elapsed: i64| match elapsed {
                    i64::MIN | i64::MAX => elapsed,
                    _ => elapsed.saturating_add(self.start_ms),
                };
                time(low)..=time(high)
            }
        }
    }

    /// Whether it shows a point.
    pub fn shows(&self, point: &Point) -> bool {
        self.range.contains(&self.coordinate.of(point, self.start_ms))
    }

    /// Whether a summary of this level says enough.
    pub const fn takes(&self, level: u32) -> bool {
        self.takes_summaries && level <= self.grid.level
    }

    /// Adds points, none of which is here already.
    pub fn add_points(&mut self, points: &[Point]) {
        for point in points {
            let interval = self.coordinate.of(point, self.start_ms) >> self.grid.level;
            let Some(place) = self.grid.place(interval) else { continue };
            self.add(place, &Bucket::of(*point));
            if let Some(few) = &mut self.points {
                few.push(*point);
                if few.len() > self.most {
                    self.points = None;
                }
            }
        }
    }

    /// Adds a summary that it [takes](Self::takes), of other points.
    pub fn add_summary(&mut self, summary: &Summary) {
        let finer = self.grid.level.saturating_sub(summary.level());
        for (number, bucket) in summary.buckets() {
            if let Some(place) = self.grid.place(number >> finer) {
                self.add(place, bucket);
                self.points = None;
            }
        }
    }

    fn add(&mut self, place: usize, bucket: &Bucket) {
        let Some(sum) = self.buckets.get_mut(place) else { return };
        match sum {
            Some(sum) => sum.add(bucket, self.coordinate),
            None => *sum = Some(*bucket),
        }
    }

    /// How many points it shows.
    fn total(&self) -> u64 {
        self.buckets.iter().flatten().map(|bucket| bucket.count).sum()
    }

    /// Whether there are so few points that they are to be shown as they are, and some were in summaries: then it is
    /// to be made [of points](Self::of_points).
    pub fn lacks_points(&self) -> bool {
        self.points.is_none() && self.total() <= self.most as u64
    }

    /// What it shows.
    pub fn finish(self) -> Drawn {
        if let Some(mut points) = self.points {
            points.sort_by(|a, b| self.coordinate.order(a, b));
            return Drawn::Points(points);
        }
        let numbered = (self.grid.first..).zip(self.buckets);
        let shown = numbered.filter_map(|(number, bucket)| Some((self.grid.start_of(number), bucket?)));
        Drawn::Buckets(shown.collect())
    }
}
