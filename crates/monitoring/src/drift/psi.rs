//! The population stability index.

use std::collections::BTreeMap;

use super::{DriftError, chi_square_tail, totals};

/// The least share that a bin is given, on either side.
pub const PSI_FLOOR: f64 = 1e-4;

/// A population stability index with what it would be if nothing had changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Psi {
    /// `Σ (q − p) ln(q / p)` over the bins, natural logarithm, `p` and `q` the shares of the
    /// reference and of the current rows, each at least [`PSI_FLOOR`].
    pub value: f64,
    /// Number of bins `B`.
    pub bins: usize,
    /// Its expectation under no change, `(B − 1)(1/n + 1/m)` for `n` and `m` independent rows.
    /// Above 0.05 the customary threshold 0.2 means little: see [`Self::is_conclusive`].
    pub expected: f64,
    /// P(a PSI at least this large) under no change: `PSI / (1/n + 1/m)` is asymptotically
    /// chi-square with `B − 1` degrees of freedom.
    ///
    /// Source: Yurdakul, "Statistical Properties of Population Stability Index" (2018), ch. 3.
    pub p_value: f64,
}

impl Psi {
    /// Whether there are enough rows for the 0.2 rule: `(B − 1)(1/n + 1/m) ≤ 0.05`.
    pub fn is_conclusive(&self) -> bool {
        self.expected <= 0.05
    }
}

/// PSI of counts in the same bins, for a number the deciles of the reference
/// ([`crate::profile::Edges::deciles`]): outer edges infinite, missing values left out.
///
/// # Errors
/// [`DriftError::Bins`] or [`DriftError::Empty`].
pub fn psi_q10_ref(reference: &[u64], current: &[u64]) -> Result<Psi, DriftError> {
    let (n, m) = totals(reference, current)?;
    let value = index(reference.iter().zip(current).map(|(r, c)| (*r as f64 / n, *c as f64 / m)));
    let degrees = reference.len().saturating_sub(1);
    let noise = 1.0 / n + 1.0 / m;
    Ok(Psi {
        value,
        bins: reference.len(),
        expected: degrees as f64 * noise,
        p_value: chi_square_tail(value / noise, degrees),
    })
}

/// PSI of category counts, over the union of the categories of both sides.
///
/// # Errors
/// [`DriftError::Empty`].
pub fn psi_cat(
    reference: &BTreeMap<String, u64>,
    current: &BTreeMap<String, u64>,
) -> Result<Psi, DriftError> {
    let mut union: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (category, count) in reference {
        union.entry(category).or_default().0 = *count;
    }
    for (category, count) in current {
        union.entry(category).or_default().1 = *count;
    }
    let (reference, current): (Vec<u64>, Vec<u64>) = union.into_values().unzip();
    psi_q10_ref(&reference, &current)
}

/// The index of pairs of shares.
pub(crate) fn index(shares: impl Iterator<Item = (f64, f64)>) -> f64 {
    shares
        .map(|(p, q)| {
            let (p, q) = (p.max(PSI_FLOOR), q.max(PSI_FLOOR));
            (q - p) * (q / p).ln()
        })
        .sum()
}
