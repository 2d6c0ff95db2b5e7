//! Which columns the wanted runs have, and which values a column has: what a search box completes.

use std::collections::{BTreeMap, HashMap};

use super::group::{cells, text_of};
use super::select::Found;
use super::{RunIndex, Wanted};
use crate::search::{GroupColumn, SearchError};
use mainstay_columns::presence::Bits;
use mainstay_columns::vocabulary::{self, Vocabulary, begins};

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

impl ColumnKind {
    const fn entity(self) -> &'static str {
        match self {
            Self::Metric => "metrics",
            Self::Param => "params",
            Self::Tag => "tags",
        }
    }
}

/// The values of a column that wanted runs have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Which, and how many runs have each.
    pub known: vocabulary::Values,
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
        let looked_at = found.iter().map(|found| found.rows.len()).sum();
        Ok(Vocabulary::new(known, ColumnKind::entity, limit, looked_at))
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
        Ok(Values {
            known: vocabulary::Values::new(counts, prefix, limit),
            with_value,
            without_value: cells.len().saturating_sub(with_value),
        })
    }
}
