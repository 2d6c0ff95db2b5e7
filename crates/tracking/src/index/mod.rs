//! Summaries of all runs, column by column in memory, so that a search reads arrays and never scans
//! tables, and a page of runs is written without asking the store.
//!
//! The index is filled once with [`RunIndex::put`] from the store's summaries, and then follows the
//! log: each event becomes a [`RunChange`] by [`changes_of`], which [`RunIndex::apply`] takes in. The runs
//! of an experiment are a part of their own: they mostly have the same keys, so their columns are dense.

mod activity;
mod change;
mod file;
mod group;
mod list;
mod metric_column;
mod order;
mod part;
mod select;
mod vocabulary;

use std::collections::HashMap;

use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};

pub use activity::{Activity, NewestRun};
pub use change::{DatasetRef, RunChange, RunSummary, changes_of};
pub use file::{IndexWriter, Stamp};
pub use group::{Aggregate, Group, Groups};
pub use list::{ListKey, RunList, RunLists, Versions};
pub use mainstay_columns::vocabulary::Vocabulary;
use part::Part;
pub use select::{Deadline, Wanted};
pub use vocabulary::{ColumnKind, Values};

use crate::experiment::ExperimentId;
use crate::search::{RunOrder, RunProjection, SearchError};

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
    /// How many changes there were: the next version of a part.
    changes: u64,
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
        self.changes += 1;
        let (run, experiment) = (summary.run.id, summary.run.experiment);
        let known = self.places.get(&run).copied();
        if let Some(Place { experiment: elsewhere, slot }) =
            known.filter(|place| place.experiment != experiment)
            && let Some(part) = self.parts.get_mut(&elsewhere)
        {
            part.clear(slot);
            part.version = self.changes;
        }
        let part = self.parts.entry(experiment);
        let part = part.or_insert_with(|| Part::new(summary.workspace.clone(), experiment));
        part.version = self.changes;
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
                    self.changes += 1;
                    part.version = self.changes;
                    part.lifecycles.iter_mut().flatten().for_each(|known| *known = lifecycle);
                }
                return true;
            }
            RunChange::Purged(run) => {
                self.forget(run);
                return true;
            }
            RunChange::ExperimentPurged(experiment) => {
                self.changes += 1;
                for run in self.parts.remove(&experiment).map(|part| part.ids).unwrap_or_default() {
                    if self.places.get(&run).is_some_and(|place| place.experiment == experiment) {
                        self.places.remove(&run);
                    }
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
        self.changes += 1;
        part.version = self.changes;
        part.change(slot, change);
        true
    }

    /// Forgets a run; one that it does not know needs no forgetting.
    fn forget(&mut self, run: RunId) {
        if let Some(Place { experiment, slot }) = self.places.remove(&run)
            && let Some(part) = self.parts.get_mut(&experiment)
        {
            self.changes += 1;
            part.version = self.changes;
            part.clear(slot);
            if part.is_hollow() {
                self.close_up(experiment);
            }
        }
    }

    /// Puts the runs of an experiment side by side again, so that those that are gone take no memory.
    fn close_up(&mut self, experiment: ExperimentId) {
        let Some(hollow) = self.parts.remove(&experiment) else { return };
        let mut part = Part::new(hollow.workspace.clone(), experiment);
        part.version = hollow.version;
        for slot in (0..).take(hollow.ids.len()) {
            if let Some(summary) = hollow.summary(slot, &RunProjection::ALL) {
                let run = summary.run.id;
                let slot = part.push(summary);
                self.places.insert(run, Place { experiment, slot });
            }
        }
        self.parts.insert(experiment, part);
    }

    /// One page of the wanted runs, in order; and how many there are in all.
    pub fn search(
        &self,
        wanted: &Wanted<'_>,
        order: &RunOrder,
        page: &PageRequest,
    ) -> Result<(Page<RunId>, usize), SearchError> {
        let found = self.select(wanted)?;
        let total = found.iter().map(|found| found.rows.len()).sum();
        Ok((self.one_page(&found, order, page)?, total))
    }

    /// All that is known of a run.
    pub fn summary(&self, run: RunId) -> Option<RunSummary> {
        self.projected(run, &RunProjection::ALL)
    }

    /// What is known of a run, as far as it is wanted. What is not wanted is empty.
    pub fn projected(&self, run: RunId, wanted: &RunProjection) -> Option<RunSummary> {
        let Place { experiment, slot } = self.places.get(&run)?;
        self.parts.get(experiment)?.summary(*slot, wanted)
    }

    /// The experiments of a workspace of which it knows runs, ascending.
    pub fn experiments_of(&self, workspace: &Name) -> Vec<ExperimentId> {
        let parts = self.parts.iter().filter(|(_, part)| part.workspace == *workspace);
        let mut experiments: Vec<ExperimentId> = parts.map(|(experiment, _)| *experiment).collect();
        experiments.sort_unstable();
        experiments
    }
}

fn set<T>(column: &mut [T], at: usize, value: T) {
    if let Some(place) = column.get_mut(at) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mainstay_core::scope::default_workspace;

    use super::*;
    use crate::metric::Point;
    use crate::run::{Lifecycle, Run, RunStatus};

    fn summary(n: u16) -> RunSummary {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        let run = Run {
            id: RunId::from_bytes(bytes),
            experiment: ExperimentId(1),
            name: format!("run-{n}"),
            user: "ann".to_owned(),
            status: RunStatus::Finished,
            start_ms: n.into(),
            end_ms: Some(i64::from(n) + 1),
            lifecycle: Lifecycle::Active,
            artifact_uri: format!("mlflow-artifacts:/1/{n}/artifacts"),
        };
        RunSummary {
            run,
            workspace: default_workspace(),
            metrics: BTreeMap::from([("m".to_owned(), Point { step: 1, timestamp_ms: 2, value: n.into() })]),
            params: BTreeMap::from([("p".to_owned(), n.to_string())]),
            tags: BTreeMap::new(),
            datasets: Vec::new(),
            is_attached: n.is_multiple_of(2),
        }
    }

    #[test]
    fn the_activity_of_an_experiment_leaves_out_what_is_deleted() {
        let mut index = RunIndex::new();
        (0..10).for_each(|n| index.put(summary(n)));
        let newest = |index: &RunIndex| {
            let found = index.activity(&default_workspace());
            found.into_iter().map(|one| (one.experiment, one.runs, one.newest.name)).collect::<Vec<_>>()
        };
        assert_eq!(newest(&index), [(ExperimentId(1), 10, "run-9".to_owned())]);
        assert!(index.apply(RunChange::Lifecycle(summary(9).run.id, Lifecycle::Deleted)));
        assert!(index.apply(RunChange::Purged(summary(8).run.id)));
        assert_eq!(newest(&index), [(ExperimentId(1), 8, "run-7".to_owned())]);
        (0..8).for_each(|n| assert!(index.apply(RunChange::Purged(summary(n).run.id))));
        assert!(newest(&index).is_empty(), "an experiment without runs has none");
    }

    #[test]
    fn purged_runs_leave_no_room_behind() {
        let mut index = RunIndex::new();
        (0..1_000).for_each(|n| index.put(summary(n)));
        for n in (0..1_000).filter(|n| n % 5 > 0) {
            assert!(index.apply(RunChange::Purged(summary(n).run.id)));
        }
        assert_eq!(index.len(), 200);
        let slots = index.parts.values().map(|part| part.ids.len()).sum::<usize>();
        assert!(slots < 1_000, "{slots} slots for 200 runs");
        for n in 0..1_000 {
            let expected = (n % 5 == 0).then(|| summary(n));
            assert_eq!(index.summary(summary(n).run.id), expected);
        }
        assert!(index.apply(RunChange::Purged(summary(1).run.id)), "what is gone needs no forgetting");
        assert!(index.apply(RunChange::ExperimentPurged(ExperimentId(1))));
        assert!(index.is_empty() && index.summary(summary(0).run.id).is_none());
    }
}
