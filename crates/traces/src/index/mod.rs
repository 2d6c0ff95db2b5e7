//! All traces, column by column in memory, so that a search reads arrays and never scans tables.
//!
//! The index is filled once with [`TraceIndex::put`] from the store, and then follows the log: each event names
//! the traces that it [touched](touched_by), which are read again from the store. Those that are there are put
//! anew; [`TraceIndex::remove`] takes out the others. So events need not hold what traces say, and the index is
//! never older than the event that it follows.

mod assessed;
mod order;
mod select;
mod vocabulary;

use std::collections::HashMap;

use mainstay_core::error::StorageError;
use mainstay_core::event::RecordedEvent;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use serde::Deserialize;

use super::assessment::{AssessedTrace, Assessment, AssessmentValue, Kind};
use super::id::TraceId;
use super::info::{Pairs, TraceInfo, TraceState, key};
use super::port::{TraceQuery, TraceScope};
use super::search::TraceFilter;
use mainstay_columns::column::{Sparse, TextColumn};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::search::SearchError;

pub use mainstay_columns::vocabulary::{Values, Vocabulary};
pub use vocabulary::ColumnKind;

/// Everything that a search can ask of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedTrace {
    /// Whose it is.
    pub workspace: Name,
    /// The trace, with what is said of it.
    pub trace: AssessedTrace,
    /// The runs that it is linked to.
    pub runs: Vec<String>,
    /// The prompts that it is linked to, `name/version` each.
    pub prompts: Vec<String>,
}

#[derive(Deserialize)]
struct Changed {
    traces: Vec<TraceId>,
}

/// The traces that an event speaks of, which are to be read again; none for the events of others.
///
/// An event whose body was erased or cannot be read is [`StorageError::Corrupt`]: the index is then to be built
/// anew from the tables.
pub fn touched_by(event: &RecordedEvent) -> Result<Vec<TraceId>, StorageError> {
    if event.kind != "spans.logged" && !event.kind.starts_with("trace.") {
        return Ok(Vec::new());
    }
    let changed = event.body.as_ref().and_then(|body| Changed::deserialize(body).ok());
    let unreadable =
        || StorageError::Corrupt(format!("event {} ({}) cannot be read", event.seq.0, event.kind));
    Ok(changed.ok_or_else(unreadable)?.traces)
}

/// Columns over all traces. A *slot* is the position of a trace in them; that of a trace that is gone is given
/// to another.
#[derive(Debug, Default)]
pub struct TraceIndex {
    slots: HashMap<TraceId, u32>,
    free: Vec<u32>,
    ids: Vec<TraceId>,
    experiments: Vec<ExperimentId>,
    starts: Vec<i64>,
    durations: Vec<Option<i64>>,
    states: Vec<TraceState>,
    by_experiment: HashMap<ExperimentId, OfExperiment>,
    client_requests: TextColumn,
    /// Names of the roots of those that have no other name.
    roots: TextColumn,
    tags: HashMap<String, TextColumn>,
    metadata: HashMap<String, TextColumn>,
    runs: Sparse<Vec<String>>,
    prompts: Sparse<Vec<String>>,
    assessments: Sparse<Vec<Told>>,
}

/// What searches and sums ask of an assessment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) kind: Kind,
    pub(crate) name: Box<str>,
    pub(crate) value: AssessmentValue,
    pub(crate) is_valid: bool,
    /// Whether it is of the whole conversation that its trace belongs to.
    pub(crate) is_of_session: bool,
}

impl From<Assessment> for Told {
    fn from(assessment: Assessment) -> Self {
        Self {
            kind: assessment.judgement.kind(),
            value: assessment.judgement.value().clone(),
            is_valid: assessment.valid,
            is_of_session: assessment.is_of_session(),
            name: assessment.name.into(),
        }
    }
}

/// The traces of one experiment. Ids of experiments are given once in all workspaces.
#[derive(Debug)]
struct OfExperiment {
    /// Whose it is.
    workspace: Name,
    /// The slots of its traces, ascending.
    slots: Vec<u32>,
}

impl TraceIndex {
    /// An index of no traces.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many traces it knows.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it knows no trace.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes in a trace as it is now, whether known before or not.
    pub fn put(&mut self, trace: IndexedTrace) {
        let IndexedTrace { workspace, trace: AssessedTrace { info, assessments }, runs, prompts } = trace;
        if self.slots.get(&info.id).is_some_and(|slot| self.experiment(*slot) != Some(info.experiment)) {
            // Deleted, and begun again elsewhere.
            self.remove(std::slice::from_ref(&info.id));
        }
        let known = self.slots.get(&info.id).copied();
        let slot = known.unwrap_or_else(|| self.add(workspace, &info));
        set(&mut self.starts, slot, info.request_ms);
        set(&mut self.durations, slot, info.duration_ms);
        set(&mut self.states, slot, info.state);
        match &info.client_request_id {
            Some(id) => self.client_requests.put(slot, id),
            None => self.client_requests.remove(slot),
        }
        match &info.root_name {
            Some(root) if !info.tags.contains_key(key::NAME) => self.roots.put(slot, root),
            _ => self.roots.remove(slot),
        }
        for (columns, pairs) in [(&mut self.tags, info.tags), (&mut self.metadata, info.metadata)] {
            if known.is_some() {
                forget_others(columns, slot, &pairs);
            }
            for (key, value) in pairs {
                columns.entry(key).or_default().put(slot, &value);
            }
        }
        for (column, links) in [(&mut self.runs, runs), (&mut self.prompts, prompts)] {
            if links.is_empty() { column.remove(slot) } else { column.put(slot, links) }
        }
        if assessments.is_empty() {
            self.assessments.remove(slot);
        } else {
            self.assessments.put(slot, assessments.into_iter().map(Told::from).collect());
        }
    }

    /// Forgets traces; those that it does not know are none.
    pub fn remove(&mut self, ids: &[TraceId]) {
        let mut slots: Vec<u32> = ids.iter().filter_map(|id| self.slots.remove(id)).collect();
        slots.sort_unstable();
        if slots.is_empty() {
            return;
        }
        self.by_experiment.retain(|_, known| {
            known.slots.retain(|slot| slots.binary_search(slot).is_err());
            !known.slots.is_empty()
        });
        self.client_requests.remove_all(&slots);
        self.roots.remove_all(&slots);
        for columns in [&mut self.tags, &mut self.metadata] {
            columns.retain(|_, column| {
                column.remove_all(&slots);
                !column.is_empty()
            });
        }
        self.runs.remove_all(&slots);
        self.prompts.remove_all(&slots);
        self.assessments.remove_all(&slots);
        self.free.extend(slots);
    }

    /// One page of the traces that are wanted, in order; the ids only, with which the store is asked for the
    /// rest. What is asked of [spans](TraceFilter::spans) is not looked at: spans are not here.
    pub fn search(&self, query: &TraceQuery) -> Result<Page<TraceId>, SearchError> {
        let rows = self.select(&query.scope.workspace, &query.scope.experiments, &query.filter);
        self.one_page(&rows, &query.order, &query.page)
    }

    /// All that are wanted, in no order, likewise.
    pub fn wanted(&self, scope: &TraceScope, filter: &TraceFilter) -> Vec<TraceId> {
        let rows = self.select(&scope.workspace, &scope.experiments, filter);
        rows.iter().filter_map(|row| self.ids.get(*row as usize)).cloned().collect()
    }

    pub(crate) fn start(&self, slot: u32) -> Option<i64> {
        self.starts.get(slot as usize).copied()
    }

    pub(crate) fn duration(&self, slot: u32) -> Option<i64> {
        self.durations.get(slot as usize).copied().flatten()
    }

    pub(crate) fn state(&self, slot: u32) -> Option<TraceState> {
        self.states.get(slot as usize).copied()
    }

    pub(crate) fn tag(&self, slot: u32, key: &str) -> Option<&str> {
        self.tags.get(key)?.get(slot)
    }

    /// What each of the rows, which are ascending, is called: by whoever named it, otherwise by its root.
    fn names(&self, rows: &[u32]) -> Vec<Option<&str>> {
        let roots = self.roots.map(rows, |root| root);
        let Some(named) = self.tags.get(key::NAME) else { return roots };
        named.map(rows, |name| name).into_iter().zip(roots).map(|(name, root)| name.or(root)).collect()
    }

    pub(crate) fn metadata(&self, slot: u32, key: &str) -> Option<&str> {
        self.metadata.get(key)?.get(slot)
    }

    /// What is said of a trace.
    pub(crate) fn told(&self, slot: u32) -> &[Told] {
        self.assessments.get(slot).map_or(&[], Vec::as_slice)
    }

    fn experiment(&self, slot: u32) -> Option<ExperimentId> {
        self.experiments.get(slot as usize).copied()
    }

    fn slot(&self, id: &TraceId) -> Option<u32> {
        self.slots.get(id).copied()
    }

    /// Gives a trace a slot, in which nothing stands.
    fn add(&mut self, workspace: Name, info: &TraceInfo) -> u32 {
        let slot = if let Some(slot) = self.free.pop() {
            set(&mut self.ids, slot, info.id.clone());
            set(&mut self.experiments, slot, info.experiment);
            slot
        } else {
            // Four thousand million traces do not fit into memory.
            let slot = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
            self.ids.push(info.id.clone());
            self.experiments.push(info.experiment);
            self.starts.push(0);
            self.durations.push(None);
            self.states.push(TraceState::Unspecified);
            slot
        };
        self.slots.insert(info.id.clone(), slot);
        let of_experiment = self.by_experiment.entry(info.experiment);
        let slots = &mut of_experiment.or_insert_with(|| OfExperiment { workspace, slots: Vec::new() }).slots;
        let at = slots.partition_point(|other| *other < slot);
        slots.insert(at, slot);
        slot
    }
}

/// Takes from a trace what it has besides these pairs. A key that no trace has any longer is forgotten.
fn forget_others(columns: &mut HashMap<String, TextColumn>, slot: u32, pairs: &Pairs) {
    columns.retain(|key, column| {
        if !pairs.contains_key(key) {
            column.remove(slot);
        }
        !column.is_empty()
    });
}

fn set<T>(column: &mut [T], slot: u32, value: T) {
    if let Some(place) = column.get_mut(slot as usize) {
        *place = value;
    }
}
