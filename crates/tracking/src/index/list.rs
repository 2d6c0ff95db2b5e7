//! Ordered lists of runs, of which any rows are read while the index goes on changing.

use std::collections::VecDeque;
use std::sync::Arc;

use mainstay_core::digest::Digest;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;

use super::order::ordered;
use super::{RunIndex, Wanted};
use crate::experiment::ExperimentId;
use crate::search::{RunFilter, RunOrder, SearchError, View};

/// Most runs of all lists that are kept together: sixteen bytes each.
const MAX_KEPT_RUNS: usize = 1_000_000;
/// Most lists that are kept.
const MAX_KEPT_LISTS: usize = 64;

/// What a list was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ListKey {
    /// Of which workspace.
    pub workspace: Name,
    /// Of which experiments.
    pub experiments: Vec<ExperimentId>,
    /// Whether deleted runs are in it.
    pub view: View,
    /// Which runs.
    pub filter: RunFilter,
    /// In which order.
    pub order: RunOrder,
}

/// How the runs of some experiments are: as long as nothing of them changes, it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(Vec<(ExperimentId, u64)>);

/// The runs that a search found, in its order.
#[derive(Debug)]
pub struct RunList {
    /// It follows from the runs and their order alone: a list of that name is the same list.
    pub name: String,
    /// The runs.
    pub runs: Vec<RunId>,
    /// What it was asked for.
    pub key: ListKey,
    /// How the runs were then.
    pub versions: Versions,
}

impl RunIndex {
    /// How the runs of these experiments of a workspace are now.
    pub fn versions(&self, workspace: &Name, experiments: &[ExperimentId]) -> Versions {
        let parts = self.parts(workspace, experiments).into_iter();
        Versions(parts.map(|part| (part.experiment(), part.version)).collect())
    }

    /// All wanted runs, in order; `key` says what is asked for, and `wanted` says the same.
    pub fn list(&self, wanted: &Wanted<'_>, key: ListKey) -> Result<RunList, SearchError> {
        let found = self.select(wanted)?;
        let ordered = ordered(&found, &key.order);
        let runs: Vec<RunId> =
            ordered.all().into_iter().filter_map(|at| ordered.ids.get(at as usize)).copied().collect();
        let digest = Digest::of_parts(runs.iter().map(|run| run.as_bytes().as_slice()));
        let name = digest.hex().chars().take(32).collect();
        Ok(RunList { name, runs, versions: self.versions(wanted.workspace, wanted.experiments), key })
    }
}

/// The lists that were asked for last, in bounded memory.
#[derive(Debug, Default)]
pub struct RunLists {
    /// The last one first.
    kept: VecDeque<Arc<RunList>>,
}

impl RunLists {
    /// The list of that name, if it is of this search; otherwise one of this search that is up to date.
    pub fn find(&mut self, name: Option<&str>, key: &ListKey, now: &Versions) -> Option<Arc<RunList>> {
        let named = |list: &Arc<RunList>| name == Some(list.name.as_str()) && list.key == *key;
        let current = |list: &Arc<RunList>| list.versions == *now && list.key == *key;
        let at = self.kept.iter().position(named).or_else(|| self.kept.iter().position(current))?;
        let list = self.kept.remove(at)?;
        self.kept.push_front(Arc::clone(&list));
        Some(list)
    }

    /// Keeps a list, and forgets those that were asked for the longest time ago. One that is too long alone is not
    /// kept, which `false` says.
    pub fn keep(&mut self, list: &Arc<RunList>) -> bool {
        if list.runs.len() > MAX_KEPT_RUNS {
            return false;
        }
        self.kept.retain(|other| other.name != list.name || other.key != list.key);
        self.kept.push_front(Arc::clone(list));
        let mut runs = 0;
        let fit = self.kept.iter().take_while(|list| {
            runs += list.runs.len();
            runs <= MAX_KEPT_RUNS
        });
        let fit = fit.count().min(MAX_KEPT_LISTS);
        self.kept.truncate(fit);
        true
    }

    /// Forgets all: the versions of another index say nothing of them.
    pub fn forget(&mut self) {
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::scope::default_workspace;

    use super::*;

    fn key(experiment: u64) -> ListKey {
        ListKey {
            workspace: default_workspace(),
            experiments: vec![ExperimentId(experiment)],
            view: View::Active,
            filter: RunFilter::default(),
            order: RunOrder::default(),
        }
    }

    fn list(name: &str, experiment: u64, version: u64, runs: usize) -> Arc<RunList> {
        Arc::new(RunList {
            name: name.to_owned(),
            runs: vec![RunId::from_bytes([0; 16]); runs],
            key: key(experiment),
            versions: Versions(vec![(ExperimentId(experiment), version)]),
        })
    }

    #[test]
    fn a_list_is_found_by_name_or_while_nothing_changed() {
        let mut lists = RunLists::default();
        let versions = |version| Versions(vec![(ExperimentId(1), version)]);
        assert!(lists.keep(&list("a", 1, 7, 3)));
        let mut find =
            |name, version| lists.find(name, &key(1), &versions(version)).map(|list| list.name.clone());
        assert_eq!(find(None, 7).as_deref(), Some("a"));
        assert_eq!(find(None, 8), None);
        assert_eq!(find(Some("a"), 8).as_deref(), Some("a"));
        assert_eq!(find(Some("b"), 8), None);
        assert_eq!(find(Some("b"), 7).as_deref(), Some("a"));
        assert!(lists.find(Some("a"), &key(2), &versions(7)).is_none(), "of another search");
        // The same runs in the same order again: it becomes up to date.
        assert!(lists.keep(&list("a", 1, 8, 3)));
        assert_eq!(lists.kept.len(), 1);
        assert!(lists.find(None, &key(1), &versions(8)).is_some());
        lists.forget();
        assert!(lists.find(Some("a"), &key(1), &versions(8)).is_none());
    }

    #[test]
    fn lists_stay_within_their_memory() {
        let mut lists = RunLists::default();
        assert!(!lists.keep(&list("huge", 1, 1, MAX_KEPT_RUNS + 1)));
        for n in 0..20_u64 {
            assert!(lists.keep(&list(&n.to_string(), n, 1, MAX_KEPT_RUNS / 10)));
        }
        assert_eq!(lists.kept.len(), 10);
        assert_eq!(lists.kept.front().unwrap().name, "19");
        for n in 0..200_u64 {
            assert!(lists.keep(&list(&n.to_string(), n, 1, 1)));
        }
        assert_eq!(lists.kept.len(), MAX_KEPT_LISTS);
    }
}
