//! What goes on in each experiment: how many runs it has, and which is the newest.

use mainstay_core::id::RunId;
use mainstay_core::name::Name;

use super::RunIndex;
use super::part::Part;
use crate::experiment::ExperimentId;
use crate::run::{Lifecycle, RunStatus};

/// What goes on in an experiment. Deleted runs do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The experiment.
    pub experiment: ExperimentId,
    /// How many runs it has.
    pub runs: usize,
    /// The run that started last; of several, the one that came last.
    pub newest: NewestRun,
}

/// The run of an experiment that started last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestRun {
    /// The run.
    pub id: RunId,
    /// What people call it.
    pub name: String,
    /// How it stands.
    pub status: RunStatus,
    /// When it started: milliseconds since the Unix epoch by the client's clock.
    pub start_ms: i64,
}

impl RunIndex {
    /// What goes on in the experiments of a workspace that have runs, by their ids. It looks at each run once.
    pub fn activity(&self, workspace: &Name) -> Vec<Activity> {
        let parts = self.parts.values().filter(|part| part.workspace == *workspace);
        let mut found: Vec<Activity> = parts.filter_map(Part::activity).collect();
        found.sort_unstable_by_key(|activity| activity.experiment);
        found
    }
}

impl Part {
    fn activity(&self) -> Option<Activity> {
        let starts = self.lifecycles.iter().zip(&self.starts).enumerate();
        let active = starts.filter(|(_, (lifecycle, _))| **lifecycle == Some(Lifecycle::Active));
        let (mut runs, mut newest) = (0, None);
        for (at, (_, start)) in active {
            runs += 1;
            if newest.is_none_or(|(_, latest)| *start >= latest) {
                newest = Some((at, *start));
            }
        }
        let (at, start_ms) = newest?;
        let name = u32::try_from(at).ok().and_then(|slot| self.names.get(slot)).unwrap_or_default();
        let newest = NewestRun {
            id: *self.ids.get(at)?,
            name: name.to_owned(),
            status: *self.statuses.get(at)?,
            start_ms,
        };
        Some(Activity { experiment: self.experiment(), runs, newest })
    }
}
