//! Points that are there once each: a client that hears no answer sends its points again.

use super::axis::Extent;
use crate::metric::{Point, step_order};

/// Different points, in the order of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct(Vec<Point>);

impl Distinct {
    /// Of points in any order, each any number of times.
    pub fn new(mut points: Vec<Point>) -> Self {
        points.sort_by(step_order);
        points.dedup();
        Self(points)
    }

    /// The points.
    pub fn points(&self) -> &[Point] {
        &self.0
    }

    /// Where they lie; `None` if there is none.
    pub fn extent(&self) -> Option<Extent> {
        Extent::of(&self.0)
    }

    /// Takes out whatever is among these.
    pub fn remove(&mut self, others: &[Point]) {
        let mut gone = vec![false; self.0.len()];
        for other in others {
            if let Some(gone) = self.place(other).and_then(|place| gone.get_mut(place)) {
                *gone = true;
            }
        }
        let mut gone = gone.into_iter();
        self.0.retain(|_| gone.next() != Some(true));
    }

    /// The positions among `logged` of what is not among these points, or was at an earlier position.
    pub fn repeats_in(&self, logged: &[Point]) -> Vec<u32> {
        let mut seen = vec![false; self.0.len()];
        let mut is_first = |point: &Point| {
            let seen = self.place(point).and_then(|place| seen.get_mut(place));
            seen.is_some_and(|seen| !std::mem::replace(seen, true))
        };
        (0..).zip(logged).filter(|(_, point)| !is_first(point)).map(|(position, _)| position).collect()
    }

    fn place(&self, point: &Point) -> Option<usize> {
        self.0.binary_search_by(|own| step_order(own, point)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: i64, value: f64) -> Point {
        Point { step, timestamp_ms: 0, value }
    }

    #[test]
    fn what_is_there_again_is_left_out() {
        let logged = [point(2, f64::NAN), point(1, 0.0), point(2, f64::NAN), point(1, -0.0), point(3, 1.0)];
        let mut distinct = Distinct::new(logged.to_vec());
        assert_eq!(distinct.points(), [point(1, -0.0), point(1, 0.0), point(2, f64::NAN), point(3, 1.0)]);
        assert_eq!(distinct.repeats_in(&logged), [2]);
        distinct.remove(&[point(1, 0.0), point(9, 0.0), point(3, 1.0)]);
        assert_eq!(distinct.points(), [point(1, -0.0), point(2, f64::NAN)]);
        assert_eq!(distinct.repeats_in(&logged), [1, 2, 4]);
        assert_eq!(Distinct::new(Vec::new()).extent(), None);
    }
}
