//! Mean, variance and range in one pass, mergeable.

use serde::{Deserialize, Serialize};

use super::edges::single;

/// Running moments of finite values.
///
/// Source: Welford (1962) for one value, Chan, Golub & `LeVeque` (1983) for a merge.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// How many values.
    pub count: u64,
    /// Their mean; 0 of none.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub m2: f64,
    /// The least value; 0 of none.
    pub min: f64,
    /// The greatest value; 0 of none.
    pub max: f64,
}

impl Moments {
    /// Adds one finite value.
    pub fn observe(&mut self, value: f64) {
        if self.count == 0 {
            (self.min, self.max) = (value, value);
        }
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.m2 += delta * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds the values that another summary stands for.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let delta = other.mean - self.mean;
        self.mean += delta * m / (n + m);
        self.m2 += other.m2 + delta * delta * n * m / (n + m);
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Unbiased variance (divisor `count - 1`); `None` of fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.m2 / (self.count - 1) as f64)
    }

    /// Whether a finite value lies outside `[min, max]`, compared in single precision as bins are.
    pub(super) fn excludes(&self, value: f64) -> bool {
        let value = single(value);
        self.count == 0 || value < single(self.min) || value > single(self.max)
    }
}
