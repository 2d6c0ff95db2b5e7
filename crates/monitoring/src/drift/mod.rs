//! Has a distribution changed? Effect sizes and tests on two sets of counts or two samples.
//!
//! The tests here take rows as independent. Rows of one day are not: over time use [`crate::alarm`],
//! which calibrates these statistics against the reference's own day-to-day variability.

mod chi_square;
mod distance;
mod kolmogorov;
mod ks;
mod multiplicity;
mod proportions;
mod psi;

use mainstay_core::error::{Coded, ErrorCode};

pub use chi_square::{ChiSquareTest, homogeneity};
pub(crate) use distance::half_l1;
pub use distance::total_variation;
pub use kolmogorov::kolmogorov_tail;
pub use ks::{KsMethod, KsTest, ks_two_sample};
pub use multiplicity::{benjamini_hochberg, e_benjamini_hochberg, holm};
pub use proportions::{ProportionTest, two_proportions};
pub(crate) use psi::index as psi_index;
pub use psi::{PSI_FLOOR, Psi, psi_cat, psi_q10_ref};

/// Why two sets of rows cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriftError {
    /// Counts over different bins.
    #[error("the two sets of counts have {0} and {1} bins; count both in the same bins")]
    Bins(usize, usize),
    /// Nothing to compare.
    #[error("one side has no values to compare")]
    Empty,
    /// A sample that holds NaN.
    #[error("a sample holds NaN; leave missing values out and compare their rates apart")]
    NotANumber,
    /// More successes than trials.
    #[error("there are more successes than trials")]
    Proportion,
    /// More values than the exact method can take.
    #[error("the exact method takes at most {0} values a side; use the asymptotic one")]
    TooManyForExact(usize),
}

impl Coded for DriftError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooManyForExact(_) => ErrorCode::TooLarge,
            _ => ErrorCode::InvalidArgument,
        }
    }
}

/// Totals of two sets of counts over the same bins.
fn totals(reference: &[u64], current: &[u64]) -> Result<(f64, f64), DriftError> {
    if reference.len() != current.len() {
        return Err(DriftError::Bins(reference.len(), current.len()));
    }
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    if n == 0 || m == 0 {
        return Err(DriftError::Empty);
    }
    Ok((n as f64, m as f64))
}

/// Upper tail of the chi-square distribution; 1 of no degree of freedom.
fn chi_square_tail(statistic: f64, degrees: usize) -> f64 {
    if degrees == 0 || statistic <= 0.0 {
        return 1.0;
    }
    statrs::function::gamma::checked_gamma_ur(degrees as f64 / 2.0, statistic / 2.0).unwrap_or(0.0)
}
