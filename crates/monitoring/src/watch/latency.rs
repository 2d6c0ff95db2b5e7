//! Latencies in bounded memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Steps of a doubling: a bin's ends differ by 1/32 of its value.
const STEPS: u32 = 32;

/// Counts of latencies in bins of 3 % width.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Latencies {
    bins: BTreeMap<u32, u64>,
    count: u64,
}

impl Latencies {
    pub(super) fn add(&mut self, micros: u32) {
        *self.bins.entry(bin(micros)).or_default() += 1;
        self.count += 1;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The 95th percentile, as the lower end of the bin that holds the order statistic ⌈0.95 n⌉.
    pub(super) fn p95(&self) -> Option<u64> {
        let rank = (self.count * 19).div_ceil(20);
        let mut below = 0;
        let holds = self.bins.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        holds.map(|(bin, _)| lower_end(*bin))
    }
}

/// Values below 32 have a bin each; above, a doubling has 32.
const fn bin(micros: u32) -> u32 {
    match micros.checked_ilog2() {
        Some(log) if log >= 5 => (log - 4) * STEPS + ((micros >> (log - 5)) & (STEPS - 1)),
        _ => micros,
    }
}

const fn lower_end(bin: u32) -> u64 {
    match bin / STEPS {
        0 => bin as u64,
        doubling => ((STEPS + bin % STEPS) as u64) << (doubling - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_three_percent_wide_and_in_order() {
        for micros in (0..5_000).chain([65_535, 65_536, 1_000_003, u32::MAX]) {
            let (start, next) = (lower_end(bin(micros)), lower_end(bin(micros) + 1));
            let value = u64::from(micros);
            assert!(start <= value && value < next, "{micros}: {start}..{next}");
            assert!((next - start) * 32 <= start.max(32), "{micros}: {start}..{next}");
        }
    }

    #[test]
    fn the_percentile_is_the_order_statistic() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.p95(), None);
        for micros in 1..=20 {
            latencies.add(micros);
        }
        assert_eq!((latencies.p95(), latencies.count()), (Some(19), 20));
    }
}
