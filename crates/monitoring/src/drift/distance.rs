//! Distances between two sets of counts.

use super::{DriftError, totals};

/// Total variation distance, `½ Σ |p − q|` over the bins: the share of predictions that would have
/// to move for the two distributions to be equal. 0 to 1.
///
/// # Errors
/// [`DriftError::Bins`] or [`DriftError::Empty`].
pub fn total_variation(reference: &[u64], current: &[u64]) -> Result<f64, DriftError> {
    let (n, m) = totals(reference, current)?;
    Ok(half_l1(reference.iter().zip(current).map(|(r, c)| (*r as f64 / n, *c as f64 / m))))
}

/// Half the summed difference of pairs of shares.
pub(crate) fn half_l1(shares: impl Iterator<Item = (f64, f64)>) -> f64 {
    shares.map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0
}
