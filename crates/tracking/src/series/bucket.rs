//! What the points of an interval come to.

use crate::metric::Point;
use crate::series::axis::Coordinate;

/// Values are added up in units of 2^64, so that the sum of any number of them stays finite.
const UNIT: f64 = 18_446_744_073_709_551_616.0;

/// What points come to: exact, in whatever order they came and were put together, but for the mean, which is
/// rounded as if it had been added up in about twice the precision of a double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// How many points.
    pub count: u64,
    /// How many of them are NaN.
    pub nan: u64,
    /// How many are +∞.
    pub pos_inf: u64,
    /// How many are −∞.
    pub neg_inf: u64,
    /// The first in the order of the coordinate.
    pub first: Point,
    /// The last.
    pub last: Point,
    /// The least finite value; +∞ if there is none.
    pub(super) least: f64,
    /// The greatest finite value; −∞ if there is none.
    pub(super) greatest: f64,
    pub(super) sum: Sum,
}

impl Bucket {
    /// Of one point.
    pub fn of(point: Point) -> Self {
        let value = point.value;
        let is_finite = value.is_finite();
        Self {
            count: 1,
            nan: value.is_nan().into(),
            pos_inf: (value == f64::INFINITY).into(),
            neg_inf: (value == f64::NEG_INFINITY).into(),
            first: point,
            last: point,
            least: if is_finite { value } else { f64::INFINITY },
            greatest: if is_finite { value } else { f64::NEG_INFINITY },
            sum: Sum { high: if is_finite { value / UNIT } else { 0.0 }, low: 0.0 },
        }
    }

    /// Adds other points; none of them is in both.
    pub fn add(&mut self, other: &Self, coordinate: Coordinate) {
        self.count += other.count;
        self.nan += other.nan;
        self.pos_inf += other.pos_inf;
        self.neg_inf += other.neg_inf;
        if coordinate.order(&other.first, &self.first).is_lt() {
            self.first = other.first;
        }
        if coordinate.order(&other.last, &self.last).is_gt() {
            self.last = other.last;
        }
        if other.least.total_cmp(&self.least).is_lt() {
            self.least = other.least;
        }
        if other.greatest.total_cmp(&self.greatest).is_gt() {
            self.greatest = other.greatest;
        }
        self.sum.add(other.sum);
    }

    /// How many values are finite.
    pub const fn finite(&self) -> u64 {
        self.count.saturating_sub(self.nan).saturating_sub(self.pos_inf).saturating_sub(self.neg_inf)
    }

    /// The least finite value.
    pub const fn min(&self) -> Option<f64> {
        if self.finite() > 0 { Some(self.least) } else { None }
    }

    /// The greatest finite value.
    pub const fn max(&self) -> Option<f64> {
        if self.finite() > 0 { Some(self.greatest) } else { None }
    }

    /// The mean of the finite values.
    pub fn mean(&self) -> Option<f64> {
        let finite = self.finite();
        (finite > 0).then(|| {
            let mean = (self.sum.high + self.sum.low) / finite as f64 * UNIT;
            // Rounded, it could lie outside.
            mean.max(self.least).min(self.greatest)
        })
    }
}

/// A sum, and what rounding took from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sum {
    pub(super) high: f64,
    pub(super) low: f64,
}

impl Sum {
    /// Knuth's two-sum (The Art of Computer Programming, vol. 2, 4.2.2, theorem B): `total + rest` is the exact sum.
    fn add(&mut self, other: Self) {
        let total = self.high + other.high;
        let shadow = total - self.high;
        let rest = (self.high - (total - shadow)) + (other.high - shadow);
        self.high = total;
        self.low += rest + other.low;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(values: &[f64]) -> Bucket {
        let point = |(step, value): (i64, &f64)| Bucket::of(Point { step, timestamp_ms: 0, value: *value });
        let mut all = (0..).zip(values).map(point);
        let mut sum = all.next().unwrap();
        all.for_each(|other| sum.add(&other, Coordinate::Step));
        sum
    }

    #[test]
    fn what_is_not_finite_is_counted_and_left_out() {
        let mixed = bucket(&[f64::NAN, 2.0, f64::INFINITY, -1.0, f64::NEG_INFINITY, f64::NEG_INFINITY]);
        assert_eq!((mixed.count, mixed.nan, mixed.pos_inf, mixed.neg_inf), (6, 1, 1, 2));
        assert_eq!((mixed.min(), mixed.max(), mixed.mean()), (Some(-1.0), Some(2.0), Some(0.5)));
        assert!(mixed.first.value.is_nan() && mixed.last.value == f64::NEG_INFINITY);
        let none = bucket(&[f64::NAN, f64::INFINITY]);
        assert_eq!((none.min(), none.max(), none.mean()), (None, None, None));
    }

    #[test]
    fn means_do_not_lose_what_is_small_nor_overflow() {
        assert_eq!(bucket(&[1e16, 1.0, -1e16, 1.0]).mean(), Some(0.5));
        assert_eq!(bucket(&[f64::MAX; 5]).mean(), Some(f64::MAX));
        assert_eq!(bucket(&[f64::MAX, f64::MAX, f64::MIN, f64::MIN]).mean(), Some(0.0));
        assert_eq!(bucket(&[0.1; 10]).mean(), Some(0.1));
    }

    #[test]
    fn zeros_keep_their_signs() {
        let zeros = bucket(&[0.0, -0.0]);
        assert_eq!(zeros.min().map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert_eq!(zeros.max().map(f64::to_bits), Some(0.0_f64.to_bits()));
    }
}
