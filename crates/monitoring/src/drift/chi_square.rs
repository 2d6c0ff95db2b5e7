//! The chi-square test that two sets of counts come from one distribution.

use super::{DriftError, chi_square_tail, totals};

/// A chi-square statistic with its degrees of freedom and p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquareTest {
    /// Pearson's statistic of the 2 × B table.
    pub statistic: f64,
    /// Bins that hold a row of either side, less one.
    pub degrees: usize,
    /// Upper tail of the chi-square distribution.
    pub p_value: f64,
}

/// Pearson's chi-square test of homogeneity on a 2 × B table, without continuity correction. Both
/// sides are samples: neither is taken as known. Bins that are empty on both sides are left out.
///
/// Equal to `scipy.stats.chi2_contingency(table, correction=False)`.
///
/// # Errors
/// [`DriftError::Bins`] or [`DriftError::Empty`].
pub fn homogeneity(reference: &[u64], current: &[u64]) -> Result<ChiSquareTest, DriftError> {
    let (n, m) = totals(reference, current)?;
    let mut statistic = 0.0;
    let mut filled = 0_usize;
    for (r, c) in reference.iter().zip(current) {
        let both = (r + c) as f64;
        if both > 0.0 {
            filled += 1;
            let (er, ec) = (both * n / (n + m), both * m / (n + m));
            statistic += (*r as f64 - er).powi(2) / er + (*c as f64 - ec).powi(2) / ec;
        }
    }
    let degrees = filled.saturating_sub(1);
    Ok(ChiSquareTest { statistic, degrees, p_value: chi_square_tail(statistic, degrees) })
}
