//! Have two rates changed: missing values, unseen categories, errors.

use super::DriftError;

/// A two-sided test that two proportions are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProportionTest {
    /// Current rate less reference rate.
    pub difference: f64,
    /// The pooled z statistic; 0 where both rates are 0 or both are 1.
    pub z: f64,
    /// `P(|Z| ≥ |z|)` of a standard normal.
    pub p_value: f64,
}

/// The pooled two-proportion z test of `(successes, trials)` of each side; `z²` is Pearson's
/// chi-square of the 2 × 2 table without correction.
///
/// # Errors
/// [`DriftError::Empty`] without trials, [`DriftError::Proportion`] if successes exceed them.
pub fn two_proportions(reference: (u64, u64), current: (u64, u64)) -> Result<ProportionTest, DriftError> {
    if reference.1 == 0 || current.1 == 0 {
        return Err(DriftError::Empty);
    }
    if reference.0 > reference.1 || current.0 > current.1 {
        return Err(DriftError::Proportion);
    }
    let (n, m) = (reference.1 as f64, current.1 as f64);
    let difference = current.0 as f64 / m - reference.0 as f64 / n;
    let pooled = (reference.0 + current.0) as f64 / (n + m);
    let variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m);
    let z = if variance > 0.0 { difference / variance.sqrt() } else { 0.0 };
    Ok(ProportionTest { difference, z, p_value: statrs::function::erf::erfc(z.abs() / 2.0_f64.sqrt()) })
}
