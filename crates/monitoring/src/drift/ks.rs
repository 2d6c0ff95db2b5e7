//! The two-sample Kolmogorov–Smirnov test.

use super::DriftError;
use super::kolmogorov::kolmogorov_tail;

/// The largest sample that the exact method takes; as in scipy.
const MAX_EXACT: usize = 10_000;

/// How the p-value is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KsMethod {
    /// By counting lattice paths (Hodges 1957); right for samples without ties, conservative with
    /// them. `n · m` steps, so at most 10,000 values a side. `scipy.stats.ks_2samp(method="exact")`.
    Exact,
    /// By the distribution of the one-sample statistic at the rounded effective size
    /// `n m / (n + m)`. `scipy.stats.ks_2samp(method="asymp")`.
    Asymptotic,
}

/// A Kolmogorov–Smirnov statistic and its two-sided p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KsTest {
    /// The greatest distance between the two empirical distribution functions.
    pub statistic: f64,
    /// P(a distance at least this large) if both samples come from one distribution.
    pub p_value: f64,
}

/// Compares two samples of numbers; infinities are allowed.
///
/// # Errors
/// [`DriftError::Empty`], [`DriftError::NotANumber`] or [`DriftError::TooManyForExact`].
pub fn ks_two_sample(reference: &[f64], current: &[f64], method: KsMethod) -> Result<KsTest, DriftError> {
    if reference.is_empty() || current.is_empty() {
        return Err(DriftError::Empty);
    }
    if reference.iter().chain(current).any(|value| value.is_nan()) {
        return Err(DriftError::NotANumber);
    }
    let (n, m) = (reference.len(), current.len());
    if method == KsMethod::Exact && n.max(m) > MAX_EXACT {
        return Err(DriftError::TooManyForExact(MAX_EXACT));
    }
    let scaled = greatest_distance(reference, current);
    let statistic = scaled as f64 / (n as f64 * m as f64);
    let p_value = match method {
        KsMethod::Exact => paths_reaching(n as u64, m as u64, scaled),
        KsMethod::Asymptotic => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most min(n, m)")]
            let effective = (n as f64 * m as f64 / (n + m) as f64).round_ties_even() as u64;
            kolmogorov_tail(effective, statistic)
        }
    };
    Ok(KsTest { statistic, p_value: p_value.clamp(0.0, 1.0) })
}

/// `n m · max |F − G|`, in integers so that ties of the statistic are exact.
fn greatest_distance(reference: &[f64], current: &[f64]) -> u64 {
    let sorted = |sample: &[f64]| {
        // Adding zero turns -0 into 0, which `total_cmp` would tell apart.
        let mut sample: Vec<f64> = sample.iter().map(|value| value + 0.0).collect();
        sample.sort_unstable_by(f64::total_cmp);
        sample
    };
    let (a, b) = (sorted(reference), sorted(current));
    let (n, m) = (a.len() as u64, b.len() as u64);
    let (mut below_a, mut below_b, mut greatest) = (0_u64, 0_u64, 0_u64);
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    while let Some(at) = [left.peek(), right.peek()].into_iter().flatten().copied().copied().reduce(f64::min)
    {
        while left.next_if(|value| **value <= at).is_some() {
            below_a += 1;
        }
        while right.next_if(|value| **value <= at).is_some() {
            below_b += 1;
        }
        greatest = greatest.max((below_a * m).abs_diff(below_b * n));
    }
    greatest
}

/// The share of monotone lattice paths from (0, 0) to (n, m) that reach a point with
/// `|i m − j n| ≥ scaled`.
///
/// `inside[j]` is the share of paths to (i, j) that never did: a path to (i, j) came from
/// (i − 1, j) in `i / (i + j)` of all paths, and from (i, j − 1) in the rest.
fn paths_reaching(n: u64, m: u64, scaled: u64) -> f64 {
    if scaled == 0 {
        return 1.0;
    }
    let mut inside = vec![0.0_f64; usize::try_from(m).unwrap_or(0) + 1];
    for i in 0..=n {
        let mut before = 0.0;
        for (j, share) in (0_u64..).zip(inside.iter_mut()) {
            let here = if (i * m).abs_diff(j * n) >= scaled {
                0.0
            } else if i == 0 && j == 0 {
                1.0
            } else {
                (*share * i as f64 + before * j as f64) / (i + j) as f64
            };
            *share = here;
            before = here;
        }
    }
    1.0 - inside.last().copied().unwrap_or(0.0)
}
