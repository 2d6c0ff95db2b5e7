//! How much more often two filters match the same traces than by chance: normalised pointwise mutual information
//! (Bouma 2009, "Normalized (pointwise) mutual information in collocation extraction"), with the conventions of
//! `mlflow/store/analytics/trace_correlation.py`. See `docs/reference/statistics.md`.

use crate::port::TraceScope;
use crate::search::TraceFilter;
use mainstay_core::search::SearchError;

/// What is added to each of the four counts so that small ones say less: Jeffreys' prior.
const SMOOTHING: f64 = 0.5;

/// Two filters, each upon a third, among some traces.
#[derive(Debug, Clone)]
pub struct Overlap {
    /// Among which.
    pub scope: TraceScope,
    /// What all that are counted match.
    pub base: TraceFilter,
    /// The first, with the base.
    pub first: TraceFilter,
    /// The second, with the base.
    pub second: TraceFilter,
}

impl Overlap {
    /// Parses the filters.
    pub fn new(scope: TraceScope, base: &str, first: &str, second: &str) -> Result<Self, SearchError> {
        Ok(Self {
            scope,
            base: TraceFilter::parse(base)?,
            first: TraceFilter::parse_both(base, first)?,
            second: TraceFilter::parse_both(base, second)?,
        })
    }
}

/// How many traces match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// The base.
    pub total: u64,
    /// The first filter.
    pub first: u64,
    /// The second one.
    pub second: u64,
    /// Both.
    pub joint: u64,
}

impl Counts {
    /// From -1, never together, through 0, as often as by chance, to 1, always together; nothing where a filter
    /// matches no trace.
    pub fn npmi(&self) -> Option<f64> {
        let cells = self.cells()?;
        match cells {
            [0.0, ..] => Some(-1.0),
            [_, 0.0, 0.0, 0.0] => Some(1.0),
            _ => normalised(cells),
        }
    }

    /// The same with each count of traces (both, one, the other, neither) raised by a half, so that it says less
    /// where there are few.
    pub fn npmi_smoothed(&self) -> Option<f64> {
        match self.cells()? {
            [_, 0.0, 0.0, 0.0] => Some(1.0),
            cells => normalised(cells.map(|cell| cell + SMOOTHING)),
        }
    }

    /// How many match both, only the first, only the second, neither.
    fn cells(&self) -> Option<[f64; 4]> {
        if self.total == 0 || self.first == 0 || self.second == 0 {
            return None;
        }
        let first = self.first.checked_sub(self.joint)?;
        let second = self.second.checked_sub(self.joint)?;
        let neither = self.total.checked_sub(self.first + second)?;
        Some([self.joint, first, second, neither].map(|cell| cell as f64))
    }
}

fn normalised([both, first, second, neither]: [f64; 4]) -> Option<f64> {
    let total = both + first + second + neither;
    let pmi = both.ln() + total.ln() - (both + first).ln() - (both + second).ln();
    let npmi = pmi / (total.ln() - both.ln());
    npmi.is_finite().then(|| npmi.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows, those of the first and of the second filter, those of both; the two values.
    type Case = (u64, u64, u64, u64, Option<f64>, Option<f64>);

    /// Made by `tests/reference/npmi.py` with Python's `fractions` and `decimal`, to 15 digits.
    #[test]
    fn values_are_those_of_an_independent_reference() {
        let reference: Vec<Case> =
            serde_json::from_str(include_str!("../tests/reference/npmi.json")).unwrap();
        assert!(reference.len() > 20);
        for (total, first, second, joint, npmi, smoothed) in reference {
            let counts = Counts { total, first, second, joint };
            let is_close = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-12,
                (a, b) => a == b,
            };
            assert!(is_close(counts.npmi(), npmi), "{counts:?}: {:?}", counts.npmi());
            assert!(is_close(counts.npmi_smoothed(), smoothed), "{counts:?}: {:?}", counts.npmi_smoothed());
        }
    }
}
