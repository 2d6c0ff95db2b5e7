//! Summaries of all runs, column by column in memory, so that a search reads arrays and never scans
//! tables.
//!
//! The index is filled once with [`RunIndex::put`] from the store's summaries, and then follows the
//! log: each event becomes a [`RunChange`] by [`changes_of`], which [`RunIndex::apply`] takes in. A
//! metric, parameter or tag is a sparse column of its own, so a run costs only what it has, and a
//! comparison touches only the runs that have that key.

mod change;
mod column;
mod order;
mod select;

use std::collections::HashMap;

use mainstay_core::id::RunId;
use mainstay_core::page::{Page, PageRequest};

pub use change::{DatasetRef, RunChange, RunSummary, changes_of};
use column::{Sparse, TextColumn};

use crate::experiment::ExperimentId;
use crate::run::{Lifecycle, RUN_NAME_TAG, Run, RunStatus};
use crate::search::{RunFilter, RunOrder, SearchError, View};

/// Columns over all runs. A *slot* is the position of a run in them; a run keeps its slot.
#[derive(Debug, Default)]
pub struct RunIndex {
    slots: HashMap<RunId, u32>,
    ids: Vec<RunId>,
    experiments: Vec<ExperimentId>,
    lifecycles: Vec<Lifecycle>,
    statuses: Vec<RunStatus>,
    starts: Vec<i64>,
    ends: Vec<Option<i64>>,
    names: Vec<Box<str>>,
    users: Vec<Box<str>>,
    artifact_uris: Vec<Box<str>>,
    /// The slots of each experiment, ascending.
    by_experiment: HashMap<ExperimentId, Vec<u32>>,
    metrics: HashMap<String, Sparse<f64>>,
    params: HashMap<String, TextColumn>,
    tags: HashMap<String, TextColumn>,
    datasets: Sparse<Vec<DatasetRef>>,
}

impl RunIndex {
    /// An index of no runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many runs it knows, deleted ones included.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it knows no run.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Takes in a run as it is now, whether known before or not.
    pub fn put(&mut self, summary: RunSummary) {
        let RunSummary { run, metrics, params, tags, datasets } = summary;
        let slot = match self.slots.get(&run.id) {
            Some(slot) => {
                let slot = *slot;
                self.clear(slot);
                self.overwrite(slot, run);
                slot
            }
            None => self.push(run),
        };
        for (key, value) in metrics {
            self.metrics.entry(key).or_default().put(slot, value);
        }
        for (key, value) in params {
            self.params.entry(key).or_default().put(slot, &value);
        }
        for (key, value) in tags {
            self.tags.entry(key).or_default().put(slot, &value);
        }
        if !datasets.is_empty() {
            self.datasets.put(slot, datasets);
        }
    }

    /// Takes in a change; `false` if it is of a run that the index does not know, which then has to be
    /// read with [`RunIndex::put`].
    pub fn apply(&mut self, change: RunChange) -> bool {
        match change {
            RunChange::Created(summary) => self.put(*summary),
            RunChange::ExperimentLifecycle(experiment, lifecycle) => {
                for slot in self.by_experiment.get(&experiment).into_iter().flatten() {
                    set(&mut self.lifecycles, *slot, lifecycle);
                }
            }
            RunChange::Updated { run, status, end_ms, name } => {
                let Some(slot) = self.slot(run) else { return false };
                set(&mut self.statuses, slot, status);
                set(&mut self.ends, slot, end_ms);
                if let Some(name) = name {
                    self.tags.entry(RUN_NAME_TAG.to_owned()).or_default().put(slot, &name);
                    set(&mut self.names, slot, name.into());
                }
            }
            RunChange::Lifecycle(run, lifecycle) => {
                let Some(slot) = self.slot(run) else { return false };
                set(&mut self.lifecycles, slot, lifecycle);
            }
            RunChange::Logged { run, metrics, params, tags } => {
                let Some(slot) = self.slot(run) else { return false };
                if let Some(name) = tags.get(RUN_NAME_TAG) {
                    set(&mut self.names, slot, name.as_str().into());
                }
                for (key, value) in metrics {
                    self.metrics.entry(key).or_default().put(slot, value);
                }
                for (key, value) in params {
                    self.params.entry(key).or_default().put(slot, &value);
                }
                for (key, value) in tags {
                    self.tags.entry(key).or_default().put(slot, &value);
                }
            }
            RunChange::Untagged(run, key) => {
                let Some(slot) = self.slot(run) else { return false };
                if let Some(column) = self.tags.get_mut(&key) {
                    column.remove(slot);
                }
            }
            RunChange::Inputs(run, datasets) => {
                let Some(slot) = self.slot(run) else { return false };
                let mut known = self.datasets.get(slot).cloned().unwrap_or_default();
                for dataset in datasets {
                    known.retain(|other| other.name != dataset.name || other.digest != dataset.digest);
                    known.push(dataset);
                }
                self.datasets.put(slot, known);
            }
        }
        true
    }

    /// One page of the runs of these experiments that are wanted, in order; the ids only, with which
    /// the store is asked for the rest.
    pub fn search(
        &self,
        experiments: &[ExperimentId],
        view: View,
        filter: &RunFilter,
        order: &RunOrder,
        page: &PageRequest,
    ) -> Result<Page<RunId>, SearchError> {
        let rows = self.select(experiments, view, filter);
        self.one_page(&rows, order, page)
    }

    /// How many runs of these experiments are wanted.
    pub fn count(&self, experiments: &[ExperimentId], view: View, filter: &RunFilter) -> usize {
        self.select(experiments, view, filter).len()
    }

    fn slot(&self, run: RunId) -> Option<u32> {
        self.slots.get(&run).copied()
    }

    fn push(&mut self, run: Run) -> u32 {
        // Four thousand million runs do not fit into memory.
        let slot = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.slots.insert(run.id, slot);
        self.by_experiment.entry(run.experiment).or_default().push(slot);
        self.ids.push(run.id);
        self.experiments.push(run.experiment);
        self.lifecycles.push(run.lifecycle);
        self.statuses.push(run.status);
        self.starts.push(run.start_ms);
        self.ends.push(run.end_ms);
        self.names.push(run.name.into());
        self.users.push(run.user.into());
        self.artifact_uris.push(run.artifact_uri.into());
        slot
    }

    fn overwrite(&mut self, slot: u32, run: Run) {
        if self.experiments.get(slot as usize) != Some(&run.experiment) {
            for slots in self.by_experiment.values_mut() {
                slots.retain(|other| *other != slot);
            }
            let slots = self.by_experiment.entry(run.experiment).or_default();
            slots.insert(slots.partition_point(|other| *other < slot), slot);
            set(&mut self.experiments, slot, run.experiment);
        }
        set(&mut self.lifecycles, slot, run.lifecycle);
        set(&mut self.statuses, slot, run.status);
        set(&mut self.starts, slot, run.start_ms);
        set(&mut self.ends, slot, run.end_ms);
        set(&mut self.names, slot, run.name.into());
        set(&mut self.users, slot, run.user.into());
        set(&mut self.artifact_uris, slot, run.artifact_uri.into());
    }

    /// Forgets what a run has, before it is taken in anew.
    fn clear(&mut self, slot: u32) {
        self.metrics.values_mut().for_each(|column| column.remove(slot));
        self.params.values_mut().for_each(|column| column.remove(slot));
        self.tags.values_mut().for_each(|column| column.remove(slot));
        self.datasets.remove(slot);
    }
}

fn set<T>(column: &mut [T], slot: u32, value: T) {
    if let Some(place) = column.get_mut(slot as usize) {
        *place = value;
    }
}
