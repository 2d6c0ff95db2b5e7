//! What must have happened in the end.

use mainstay_core::time::DAY;
use serde::Deserialize;

use super::ledger::{Candidate, Fate, Ledger, Origin};

/// Which life it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Occasion {
    /// All of it, in order.
    Whole,
    /// With the days dealt anew.
    Shuffled,
    /// The beginning only: nothing is expected of it.
    Part,
}

const fn whole() -> Occasion {
    Occasion::Whole
}

/// A count of things that must lie between two numbers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    /// In words.
    pub(super) say: String,
    /// Of which life.
    #[serde(default = "whole")]
    when: Occasion,
    /// Counts versions.
    candidates: Option<CandidateFilter>,
    /// Counts alarms.
    alarms: Option<AlarmFilter>,
    at_least: Option<usize>,
    at_most: Option<usize>,
}

/// All that are given must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CandidateFilter {
    #[serde(default)]
    origin: Vec<Origin>,
    scene: Option<String>,
    fate: Option<Fate>,
    /// The rollout was over within so many days.
    within_days: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlarmFilter {
    #[serde(default)]
    family: Vec<String>,
    /// It names at least so many series.
    #[serde(default)]
    series: usize,
}

impl CandidateFilter {
    fn takes(&self, candidate: &Candidate) -> bool {
        let in_time = |days: i64| {
            candidate
                .rollout
                .zip(candidate.ended)
                .is_some_and(|(from, until)| until.since(from) <= days * DAY)
        };
        (self.origin.is_empty() || self.origin.contains(&candidate.origin))
            && self.scene.as_ref().is_none_or(|scene| candidate.scene.as_ref() == Some(scene))
            && self.fate.as_ref().is_none_or(|fate| candidate.fate == *fate)
            && self.within_days.is_none_or(in_time)
    }
}

impl Expectation {
    /// Whether it speaks of this life.
    pub(super) fn applies(&self, occasion: Occasion) -> bool {
        self.when == occasion
    }

    /// How many were counted, and whether that is as it should be.
    pub(super) fn judge(&self, ledger: &Ledger) -> (usize, bool) {
        let versions = self.candidates.as_ref().map_or(0, |filter| {
            ledger.candidates.values().filter(|candidate| filter.takes(candidate)).count()
        });
        let alarms = self.alarms.as_ref().map_or(0, |filter| {
            let takes = |alarm: &&super::ledger::Alarm| {
                (filter.family.is_empty() || filter.family.contains(&alarm.family))
                    && alarm.series.len() >= filter.series
            };
            ledger.alarms.iter().filter(takes).count()
        });
        let count = versions + alarms;
        let enough = self.at_least.is_none_or(|least| count >= least);
        (count, enough && self.at_most.is_none_or(|most| count <= most))
    }
}
