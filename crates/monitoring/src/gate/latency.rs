//! Is it quick enough?

use statrs::function::beta::beta_reg;

use super::{Figure, Outcome, Verdict, below, figure};
use crate::sequential::Interval;

/// The quantile that is held to the ceiling.
const QUANTILE: f64 = 0.95;

/// Chance that either end of the interval is wrong.
const TAIL: f64 = 0.025;

/// Is the 95th percentile of the latencies (any one unit, finite) at most `ceiling`? Its 95 %
/// interval is that of order statistics and needs no distribution: `x₍ᵣ₎` is a lower end if
/// P(Binomial(n, 0.95) ≥ r) ≥ 0.975, and an upper end if that is at most 0.025 (Hahn & Meeker, "Statistical
/// Intervals", 1991, §5.2). It takes 72 measurements until the upper end exists; with fewer the gate is
/// inconclusive unless it fails.
pub fn latency_p95(latencies: &[f64], ceiling: f64) -> Verdict {
    let mut sorted: Vec<f64> = latencies.iter().copied().filter(|latency| latency.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let value = crate::quantile::of_sorted(&sorted, QUANTILE);
    let at_least = |rank: usize| beta_reg(rank as f64, (sorted.len() - rank + 1) as f64, QUANTILE);
    let ranked = || sorted.iter().enumerate().map(|(index, latency)| (index + 1, *latency));
    let lower = ranked().rev().find(|(rank, _)| at_least(*rank) >= 1.0 - TAIL).map(|(_, latency)| latency);
    let upper = ranked().find(|(rank, _)| at_least(*rank) <= TAIL).map(|(_, latency)| latency);
    let interval = lower.zip(upper).map(|(lower, upper)| Interval { lower, upper });
    let outcome = match (below(interval, ceiling), lower) {
        (Outcome::Inconclusive, Some(lower)) if lower > ceiling => Outcome::Failed,
        (outcome, _) => outcome,
    };
    let shown = match (value, interval) {
        (Some(value), Some(ends)) => format!("{value:.3} ({:.3} to {:.3})", ends.lower, ends.upper),
        (Some(value), None) => format!("{value:.3} of only {} measurements", sorted.len()),
        (None, _) => "not measured".to_owned(),
    };
    let p95 = Figure { name: "p95".to_owned(), value, interval, limit: Some(ceiling) };
    Verdict {
        name: "latency_p95".to_owned(),
        outcome,
        figures: vec![p95, figure("measurements", Some(sorted.len() as f64))],
        sentence: format!("the 95th percentile of latency is {shown}, ceiling {ceiling:.3}"),
    }
}
