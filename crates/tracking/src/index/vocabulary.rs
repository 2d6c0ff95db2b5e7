//! Which columns the wanted runs have, and which values a column has: what a search box completes.

use std::collections::{BTreeMap, HashMap};

use super::group::{cells, text_of};
use super::select::Found;
use super::{RunIndex, Wanted};
use crate::search::{GroupColumn, RunColumn, SearchError};
use mainstay_columns::presence::Bits;

/// Of what kind a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnKind {
    /// A metric.
    Metric,
    /// A parameter.
    Param,
    /// A tag.
    Tag,
}

/// A column, and how many runs have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownColumn {
    /// Of what kind.
    pub kind: ColumnKind,
    /// Its name, without the kind.
    pub key: String,
    /// How many of the wanted runs have a value.
    pub runs: usize,
}

impl KnownColumn {
    /// As it is written in a filter.
    pub fn name(&self) -> String {
        let key = self.key.clone();
        let column = match self.kind {
            ColumnKind::Metric => RunColumn::Metric(key),
            ColumnKind::Param => RunColumn::Param(key),
            ColumnKind::Tag => RunColumn::Tag(key),
        };
        column.name().to_string()
    }
}

/// The columns that wanted runs have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// Those that most runs have first; then by kind and key.
    pub columns: Vec<KnownColumn>,
    /// How many there are.
    pub total: usize,
    /// How many runs were looked at.
    pub runs: usize,
}

/// A value, and how many runs have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownValue {
    /// The value.
    pub value: String,
    /// How many of the wanted runs have it.
    pub runs: usize,
}

/// The values of a column that wanted runs have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Those that most runs have first; then by value.
    pub values: Vec<KnownValue>,
    /// How many there are.
    pub total: usize,
    /// How many runs have any value.
    pub with_value: usize,
    /// How many have none.
    pub without_value: usize,
}

impl RunIndex {
    /// The columns of these kinds that wanted runs have, whose keys begin so, whatever the case; at most `limit`.
    pub fn vocabulary(
        &self,
        wanted: &Wanted<'_>,
        kinds: &[ColumnKind],
        prefix: &str,
        limit: usize,
    ) -> Result<Vocabulary, SearchError> {
        let found = self.select(wanted)?;
        let prefix = prefix.to_lowercase();
        let mut known: BTreeMap<(ColumnKind, &str), usize> = BTreeMap::new();
        for Found { part, rows } in &found {
            let among = Bits::set(rows);
            let metrics =
                part.metrics.iter().map(|(key, column)| (ColumnKind::Metric, key, column.count(&among)));
            let params =
                part.params.iter().map(|(key, column)| (ColumnKind::Param, key, column.count(&among)));
            let tags = part.tags.iter().map(|(key, column)| (ColumnKind::Tag, key, column.count(&among)));
            for (kind, key, runs) in metrics.chain(params).chain(tags) {
                if runs > 0 && kinds.contains(&kind) && begins(key, &prefix) {
                    *known.entry((kind, key.as_str())).or_default() += runs;
                }
            }
        }
        let total = known.len();
        let column = |((kind, key), runs): ((ColumnKind, &str), usize)| KnownColumn {
            kind,
            key: key.to_owned(),
            runs,
        };
        let mut columns: Vec<KnownColumn> = known.into_iter().map(column).collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column.runs));
        columns.truncate(limit);
        Ok(Vocabulary { columns, total, runs: found.iter().map(|found| found.rows.len()).sum() })
    }

    /// The values of a column that wanted runs have and that begin so, whatever the case; at most `limit`.
    pub fn values(
        &self,
        wanted: &Wanted<'_>,
        column: &GroupColumn,
        prefix: &str,
        limit: usize,
    ) -> Result<Values, SearchError> {
        let found = self.select(wanted)?;
        let cells = cells(&found, &column.0);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for text in cells.iter().filter_map(text_of) {
            *counts.entry(text).or_default() += 1;
        }
        let with_value: usize = counts.values().sum();
        let prefix = prefix.to_lowercase();
        let mut matching: Vec<(&str, usize)> =
            counts.into_iter().filter(|(value, _)| begins(value, &prefix)).collect();
        let total = matching.len();
        matching.sort_unstable_by(|(a, a_runs), (b, b_runs)| b_runs.cmp(a_runs).then_with(|| a.cmp(b)));
        matching.truncate(limit);
        let value = |(value, runs): (&str, usize)| KnownValue { value: value.to_owned(), runs };
        Ok(Values {
            values: matching.into_iter().map(value).collect(),
            total,
            with_value,
            without_value: cells.len().saturating_sub(with_value),
        })
    }
}

/// Whether a text begins so; `prefix` is in lower case.
fn begins(text: &str, prefix: &str) -> bool {
    let mut text = text.chars().flat_map(char::to_lowercase);
    prefix.chars().all(|c| text.next() == Some(c))
}
