//! Groups of rows, and what is made of them.

use std::collections::{BTreeMap, HashSet};

use super::query::MetricsError;
use super::{Aggregation, Dimension, Measure, MetricQuery};

/// Most groups that are kept.
pub const MAX_GROUPS: usize = 100_000;

/// One number, or some, of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct DataPoint {
    /// When its interval begins, if there are any: milliseconds since the Unix epoch.
    pub interval_ms: Option<i64>,
    /// What its rows have in common.
    pub dimensions: Vec<(Dimension, String)>,
    /// What is made of them.
    pub values: Vec<(Aggregation, f64)>,
}

/// The interval in which rows lie, and what they have in common.
type Key = (Option<i64>, Vec<String>);

/// Rows by group.
#[derive(Debug, Clone, Default)]
pub struct Table(BTreeMap<Key, Group>);

/// What is known of the rows of a group.
#[derive(Debug, Clone, Default)]
struct Group {
    count: u64,
    sum: f64,
    /// What the sum has lost by rounding (Neumaier 1974).
    lost: f64,
    min: f64,
    max: f64,
    /// All measures, if percentiles are asked for.
    all: Vec<f64>,
    /// All that differ, if conversations are counted.
    different: HashSet<Box<str>>,
}

/// What is measured of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Measured<'a> {
    /// A number.
    Number(f64),
    /// A conversation.
    Session(&'a str),
}

impl Table {
    /// Adds a row that happened at `at_ms`. Rows that lack a dimension are left out by those who add them.
    pub(super) fn add(
        &mut self,
        query: &MetricQuery,
        at_ms: i64,
        dimensions: Vec<String>,
        measured: Measured<'_>,
    ) -> Result<(), MetricsError> {
        let interval = query.bounds.interval_ms.map(|length| at_ms.div_euclid(length).saturating_mul(length));
        let groups = self.0.len();
        let group = match self.0.entry((interval, dimensions)) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(_) if groups >= MAX_GROUPS => {
                return Err(MetricsError::Groups(MAX_GROUPS));
            }
            std::collections::btree_map::Entry::Vacant(free) => free.insert(Group::default()),
        };
        match measured {
            Measured::Number(number) => {
                let keeps = query.aggregations.iter().any(|one| matches!(one, Aggregation::Percentile(_)));
                group.add(number, keeps);
            }
            Measured::Session(session) => {
                if !group.different.contains(session) {
                    group.different.insert(session.into());
                }
            }
        }
        Ok(())
    }

    /// What is made of the groups, by interval and dimensions; the first ones if there are more than are told.
    pub fn points(mut self, query: &MetricQuery) -> Vec<DataPoint> {
        let is_whole = query.dimensions.is_empty() && query.bounds.interval_ms.is_none();
        let counts = matches!(query.measure, Measure::Row | Measure::Session);
        if is_whole && counts {
            // Of nothing there are none.
            self.0.entry((None, Vec::new())).or_default();
        }
        let point = |((interval_ms, dimensions), group): (Key, Group)| {
            let numbers = group.made(&query.aggregations);
            DataPoint {
                interval_ms,
                dimensions: query.dimensions.iter().copied().zip(dimensions).collect(),
                values: query.aggregations.iter().copied().zip(numbers).collect(),
            }
        };
        self.0.into_iter().take(query.limit).map(point).collect()
    }
}

impl Group {
    fn add(&mut self, number: f64, keeps: bool) {
        (self.min, self.max) = match self.count {
            0 => (number, number),
            _ => (self.min.min(number), self.max.max(number)),
        };
        self.count += 1;
        let sum = self.sum + number;
        self.lost += if self.sum.abs() >= number.abs() {
            (self.sum - sum) + number
        } else {
            (number - sum) + self.sum
        };
        self.sum = sum;
        if keeps {
            self.all.push(number);
        }
    }

    fn made(mut self, aggregations: &[Aggregation]) -> Vec<f64> {
        self.all.sort_unstable_by(f64::total_cmp);
        let sum = self.sum + self.lost;
        let one = |aggregation: &Aggregation| match *aggregation {
            Aggregation::Count => (self.count + self.different.len() as u64) as f64,
            Aggregation::Sum => sum,
            Aggregation::Avg => sum / self.count as f64,
            Aggregation::Min => self.min,
            Aggregation::Max => self.max,
            Aggregation::Percentile(percent) => percentile(&self.all, percent),
        };
        aggregations.iter().map(one).collect()
    }
}

/// The percentile of ascending numbers, of which there is at least one: with h = percent / 100 · (n − 1), the
/// number at ⌊h⌋ and so much of the way to the next as h goes beyond (Hyndman and Fan 1996, definition 7).
fn percentile(ascending: &[f64], percent: f64) -> f64 {
    let place = percent / 100.0 * ascending.len().saturating_sub(1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
    let at = place as usize;
    let number = |at: usize| ascending.get(at).copied();
    let low = number(at).unwrap_or(f64::NAN);
    let high = number(at + 1).unwrap_or(low);
    (high - low).mul_add(place.fract(), low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `tests/reference/percentiles.py` with exact fractions.
    #[test]
    fn numbers_are_those_of_an_independent_reference() {
        #[derive(serde::Deserialize)]
        struct Case {
            numbers: Vec<f64>,
            sum: f64,
            mean: f64,
            percentiles: Vec<(f64, f64)>,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/reference/percentiles.json")).unwrap();
        assert!(cases.len() > 4);
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1e-300);
        for case in cases {
            let mut group = Group::default();
            case.numbers.iter().for_each(|number| group.add(*number, true));
            let mut asked = vec![Aggregation::Count, Aggregation::Sum, Aggregation::Avg, Aggregation::Min];
            asked.push(Aggregation::Max);
            asked.extend(case.percentiles.iter().map(|(percent, _)| Aggregation::Percentile(*percent)));
            let made = group.made(&asked);
            let (min, max) =
                case.numbers.iter().fold((f64::MAX, f64::MIN), |(a, b), n| (a.min(*n), b.max(*n)));
            let mut expected = vec![case.numbers.len() as f64, case.sum, case.mean, min, max];
            expected.extend(case.percentiles.iter().map(|(_, number)| *number));
            for ((asked, made), expected) in asked.iter().zip(made).zip(expected) {
                assert!(close(made, expected), "{asked:?} of {:?}: {made}, not {expected}", case.numbers);
            }
        }
    }
}
