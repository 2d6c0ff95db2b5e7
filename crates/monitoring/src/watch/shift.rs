//! The candidate's scores against the champion's, on the same requests.

use serde::{Deserialize, Serialize};

use crate::drift::psi_q10_ref;
use crate::profile::Edges;

/// Standard errors by which a shift must exceed its limit: a chance of 3 in 100,000 a look.
const STANDARD_ERRORS: f64 = 4.0;

/// Counts of both versions' scores in the same bins, of the present data day and the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Shift {
    edges: Edges,
    today: Counts,
    yesterday: Option<Counts>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counts {
    day: i64,
    champion: Vec<u64>,
    candidate: Vec<u64>,
}

/// How far the scores lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Apart {
    /// The PSI.
    pub(super) psi: f64,
    /// Requests behind it.
    pub(super) requests: u64,
    /// Whether they are enough for a PSI to mean anything.
    pub(super) is_conclusive: bool,
    /// Whether it lies beyond the limit, and not by chance.
    pub(super) is_beyond: bool,
}

impl Counts {
    fn new(day: i64, bins: usize) -> Self {
        Self { day, champion: vec![0; bins], candidate: vec![0; bins] }
    }
}

impl Shift {
    pub(super) fn new(edges: Edges, day: i64) -> Self {
        let today = Counts::new(day, edges.bins());
        Self { edges, today, yesterday: None }
    }

    pub(super) fn add(&mut self, day: i64, champion: f64, candidate: f64) {
        if day != self.today.day {
            let before = std::mem::replace(&mut self.today, Counts::new(day, self.edges.bins()));
            self.yesterday = Some(before).filter(|before| before.day == day.saturating_sub(1));
        }
        let bins = [self.edges.bin(champion), self.edges.bin(candidate)];
        for (counts, bin) in [&mut self.today.champion, &mut self.today.candidate].into_iter().zip(bins) {
            if let Some(count) = counts.get_mut(bin) {
                *count += 1;
            }
        }
    }

    /// Judges against a limit. With both sides of `n` requests in `B` bins, `PSI · n / 2` is about a
    /// noncentral chi-square with `B − 1` degrees and noncentrality `n / 2` times the true PSI; beyond
    /// the limit is what lies more than four of its standard deviations above its mean **at** the
    /// limit. The two sides score the same requests, which makes their difference vary less than that.
    ///
    /// Source: Yurdakul, "Statistical Properties of Population Stability Index" (2018), ch. 3, for the
    /// scaling; mean `k + λ` and variance `2 (k + 2 λ)` of the noncentral chi-square.
    pub(super) fn apart(&self, limit: f64) -> Option<Apart> {
        let sum = |own: fn(&Counts) -> &Vec<u64>| {
            let mut sum = own(&self.today).clone();
            if let Some(before) = &self.yesterday {
                sum.iter_mut().zip(own(before)).for_each(|(sum, count)| *sum += count);
            }
            sum
        };
        let (champion, candidate) = (sum(|counts| &counts.champion), sum(|counts| &counts.candidate));
        let requests: u64 = champion.iter().sum();
        let psi = psi_q10_ref(&champion, &candidate).ok()?;
        let half = requests as f64 / 2.0;
        let (degrees, noncentral) = (psi.bins.saturating_sub(1) as f64, limit * half);
        let sd = (2.0 * (degrees + 2.0 * noncentral)).sqrt();
        let is_beyond = psi.value * half > degrees + noncentral + STANDARD_ERRORS * sd;
        let is_conclusive = psi.is_conclusive();
        Some(Apart { psi: psi.value, requests, is_conclusive, is_beyond: is_beyond && is_conclusive })
    }
}
