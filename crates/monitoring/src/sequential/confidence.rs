//! A confidence sequence for a mean, by inverting the betting test.

use serde::{Deserialize, Serialize};

use super::{Alternative, BettingTest, Bounds, SequentialError};

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// Bisections: the ends are found to the range over 2^50.
const STEPS: usize = 50;

/// The means that neither one-sided [`BettingTest`] has rejected at level `alpha` a side, at any look
/// so far. It covers the running average mean at all times at once with probability `1 − 2 alpha`, it
/// only ever shrinks, and it excludes a value exactly when the test of that value rejects.
///
/// # Errors
/// [`SequentialError::Plan`] for empty bounds or a level outside (0, 1), [`SequentialError::NotFinite`].
pub fn confidence_sequence(
    observations: &[f64],
    bounds: Bounds,
    alpha: f64,
) -> Result<Interval, SequentialError> {
    if !(bounds.lower < bounds.upper && alpha > 0.0 && alpha < 1.0) {
        return Err(SequentialError::Plan("bounds must not be empty, and a level lies between 0 and 1"));
    }
    let rejected = |null: f64, alternative| -> Result<bool, SequentialError> {
        let mut test = BettingTest::new(null, bounds, alternative)?;
        observations.iter().try_for_each(|x| test.fold(*x))?;
        Ok(test.rejects(alpha))
    };
    // Wealth against "at most m" falls in m, and against "at least m" rises: bisection finds the ends.
    let end = |alternative| -> Result<f64, SequentialError> {
        let (mut low, mut high) = (bounds.lower, bounds.upper);
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                break;
            }
            let is_out = rejected(middle, alternative)?;
            if is_out == (alternative == Alternative::Above) { low = middle } else { high = middle }
        }
        Ok(if alternative == Alternative::Above { low } else { high })
    };
    Ok(Interval { lower: end(Alternative::Above)?, upper: end(Alternative::Below)? })
}
