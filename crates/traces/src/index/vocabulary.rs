//! Which columns the wanted traces have, and which values a column has: what a search box completes.

use std::collections::{BTreeMap, HashMap};

use mainstay_columns::presence::Bits;
use mainstay_columns::vocabulary::{Values, Vocabulary, begins};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;

use super::{Told, TraceIndex};
use crate::assessment::{AssessmentValue, Kind};
use crate::id::TraceId;
use crate::info::TraceState;
use crate::port::TraceScope;
use crate::search::{TextAttribute, TraceFilter, ValueColumn, Valued};

/// Of what kind a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnKind {
    /// A tag.
    Tag,
    /// A key of the metadata.
    Metadata,
    /// Feedback of a name.
    Feedback,
    /// An expectation of a name.
    Expectation,
}

impl ColumnKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Tag, Self::Metadata, Self::Feedback, Self::Expectation];

    /// The entity of the search language.
    const fn entity(self) -> &'static str {
        match self {
            Self::Tag => "tags",
            Self::Metadata => "metadata",
            Self::Feedback => "feedback",
            Self::Expectation => "expectation",
        }
    }

    const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Feedback => Some(Self::Feedback),
            Kind::Expectation => Some(Self::Expectation),
            Kind::Issue => None,
        }
    }
}

impl TraceIndex {
    /// The experiments of a workspace that have traces, ascending.
    pub fn experiments_of(&self, workspace: &Name) -> Vec<ExperimentId> {
        let own = self.by_experiment.iter().filter(|(_, of)| of.workspace == *workspace);
        let mut ids: Vec<ExperimentId> = own.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// How many traces are wanted, but for what is asked of spans.
    pub fn count(&self, scope: &TraceScope, filter: &TraceFilter) -> usize {
        self.select(&scope.workspace, &scope.experiments, filter).len()
    }

    /// The columns of these kinds that wanted traces have, whose keys begin so, whatever the case; at most `limit`.
    pub fn vocabulary(
        &self,
        scope: &TraceScope,
        filter: &TraceFilter,
        kinds: &[ColumnKind],
        prefix: &str,
        limit: usize,
    ) -> Vocabulary {
        let rows = self.select(&scope.workspace, &scope.experiments, filter);
        let (among, prefix) = (Bits::set(&rows), prefix.to_lowercase());
        let is_wanted = |kind: ColumnKind, key: &str| kinds.contains(&kind) && begins(key, &prefix);
        let mut known: BTreeMap<(ColumnKind, &str), usize> = BTreeMap::new();
        for (kind, columns) in [(ColumnKind::Tag, &self.tags), (ColumnKind::Metadata, &self.metadata)] {
            for (key, column) in columns.iter().filter(|(key, _)| is_wanted(kind, key)) {
                let traces = column.count(&among);
                if traces > 0 {
                    known.insert((kind, key.as_str()), traces);
                }
            }
        }
        for told in self.assessments.map(&rows, |told| told).into_iter().flatten() {
            let valid = told.iter().filter(|told| told.is_valid);
            let mut names: Vec<(ColumnKind, &str)> =
                valid.filter_map(|told| Some((ColumnKind::of(told.kind)?, &*told.name))).collect();
            names.sort_unstable();
            names.dedup();
            for (kind, name) in names.into_iter().filter(|(kind, name)| is_wanted(*kind, name)) {
                *known.entry((kind, name)).or_default() += 1;
            }
        }
        Vocabulary::new(known, ColumnKind::entity, limit, rows.len())
    }

    /// The values of a column that wanted traces have and that begin so, whatever the case; at most `limit`.
    pub fn values(
        &self,
        scope: &TraceScope,
        filter: &TraceFilter,
        column: &ValueColumn,
        prefix: &str,
        limit: usize,
    ) -> Values {
        let rows = self.select(&scope.workspace, &scope.experiments, filter);
        Values::new(self.counted(&rows, column), prefix, limit)
    }

    /// How many of the rows have each value.
    fn counted(&self, rows: &[u32], column: &ValueColumn) -> HashMap<String, usize> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let texts = match &column.of {
            Valued::Text(TextAttribute::Id) => {
                rows.iter().map(|row| self.ids.get(*row as usize).map(TraceId::as_str)).collect()
            }
            Valued::Text(TextAttribute::State) => {
                rows.iter().map(|row| self.state(*row).map(TraceState::as_str)).collect()
            }
            Valued::Text(TextAttribute::ClientRequest) => self.client_requests.map(rows, |text| text),
            Valued::Name => self.names(rows),
            Valued::Tag(key) => {
                self.tags.get(key).map_or_else(Vec::new, |column| column.map(rows, |text| text))
            }
            Valued::Metadata(key) => {
                self.metadata.get(key).map_or_else(Vec::new, |column| column.map(rows, |text| text))
            }
            Valued::Prompt => {
                let links = self.prompts.map(rows, |links| links);
                links.into_iter().flatten().flatten().map(|link| Some(link.as_str())).collect()
            }
            Valued::Assessment(kind, name) => return self.said(rows, *kind, name),
        };
        for text in texts.into_iter().flatten() {
            *counts.entry(text).or_default() += 1;
        }
        counts.into_iter().map(|(value, traces)| (value.to_owned(), traces)).collect()
    }

    /// How many of the rows are said this of, under a name.
    fn said(&self, rows: &[u32], kind: Kind, name: &str) -> HashMap<String, usize> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        let is_it = |told: &&Told| told.is_valid && told.kind == kind && *told.name == *name;
        for told in self.assessments.map(rows, |told| told).into_iter().flatten() {
            let mut values: Vec<String> = told.iter().filter(is_it).map(|told| plain(&told.value)).collect();
            values.sort_unstable();
            values.dedup();
            for value in values {
                *counts.entry(value).or_default() += 1;
            }
        }
        counts
    }
}

/// A value as a filter compares it: a text without its quotes.
fn plain(value: &AssessmentValue) -> String {
    match value.json() {
        serde_json::Value::String(text) => text,
        _ => value.as_str().to_owned(),
    }
}
