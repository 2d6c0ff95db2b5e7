//! Summaries of all runs, column by column in memory, so that a search reads arrays and never scans
//! tables, and a page of runs is written without asking the store.
//!
//! The index is filled once with [`RunIndex::put`] from the store's summaries, and then follows the
//! log: each event becomes a [`RunChange`] by [`changes_of`], which [`RunIndex::apply`] takes in. The runs
//! of an experiment are a part of their own: they mostly have the same keys, so their columns are dense.

mod change;
mod codec;
mod column;
mod file;
mod order;
mod part;
mod presence;
mod select;
mod texts;

use std::collections::HashMap;

use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};

pub use file::{IndexWriter, Stamp};

pub use change::{DatasetRef, RunChange, RunSummary, changes_of};
use part::Part;

use crate::experiment::ExperimentId;
use crate::search::{RunFilter, RunOrder, SearchError, View};

/// Where a run is.
#[derive(Debug, Clone, Copy)]
struct Place {
    experiment: ExperimentId,
    slot: u32,
}

/// Columns over all runs, by experiment.
#[derive(Debug, Default)]
pub struct RunIndex {
    places: HashMap<RunId, Place>,
    parts: HashMap<ExperimentId, Part>,
}

impl RunIndex {
    /// An index of no runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many runs it knows, deleted ones included.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it knows no run.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Takes in a run as it is now, whether known before or not.
    pub fn put(&mut self, summary: RunSummary) {
        let (run, experiment) = (summary.run.id, summary.run.experiment);
        let known = self.places.get(&run).copied();
        if let Some(Place { experiment: elsewhere, slot }) =
            known.filter(|place| place.experiment != experiment)
            && let Some(part) = self.parts.get_mut(&elsewhere)
        {
            part.clear(slot);
        }
        let part = self.parts.entry(experiment);
        let part = part.or_insert_with(|| Part::new(summary.workspace.clone(), experiment));
        if let Some(Place { slot, .. }) = known.filter(|place| place.experiment == experiment) {
            part.overwrite(slot, summary);
        } else {
            let slot = part.push(summary);
            self.places.insert(run, Place { experiment, slot });
        }
    }

    /// Takes in a change; `false` if it is of a run that the index does not know, which then has to be
    /// read with [`RunIndex::put`].
    pub fn apply(&mut self, change: RunChange) -> bool {
        let run = match change {
            RunChange::Created(summary) => {
                self.put(*summary);
                return true;
            }
            RunChange::ExperimentLifecycle(experiment, lifecycle) => {
                if let Some(part) = self.parts.get_mut(&experiment) {
                    part.lifecycles.iter_mut().flatten().for_each(|known| *known = lifecycle);
                }
                return true;
            }
            RunChange::Updated { run, .. }
            | RunChange::Logged { run, .. }
            | RunChange::Lifecycle(run, _)
            | RunChange::Untagged(run, _)
            | RunChange::Inputs(run, _)
            | RunChange::Attached(run) => run,
        };
        let Some(Place { experiment, slot }) = self.places.get(&run).copied() else { return false };
        let Some(part) = self.parts.get_mut(&experiment) else { return false };
        part.change(slot, change);
        true
    }

    /// One page of the runs of these experiments of a workspace that are wanted, in order.
    pub fn search(
        &self,
        (workspace, experiments): (&Name, &[ExperimentId]),
        view: View,
        filter: &RunFilter,
        order: &RunOrder,
        page: &PageRequest,
    ) -> Result<Page<RunId>, SearchError> {
        let found = self.select(workspace, experiments, view, filter);
        self.one_page(&found, order, page)
    }

    /// How many runs of these experiments are wanted.
    pub fn count(
        &self,
        (workspace, experiments): (&Name, &[ExperimentId]),
        view: View,
        filter: &RunFilter,
    ) -> usize {
        self.select(workspace, experiments, view, filter).iter().map(|found| found.rows.len()).sum()
    }

    /// All that is known of a run.
    pub fn summary(&self, run: RunId) -> Option<RunSummary> {
        let Place { experiment, slot } = self.places.get(&run)?;
        self.parts.get(experiment)?.summary(*slot)
    }
}

fn set<T>(column: &mut [T], at: usize, value: T) {
    if let Some(place) = column.get_mut(at) {
        *place = value;
    }
}
