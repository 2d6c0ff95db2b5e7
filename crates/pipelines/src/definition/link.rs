//! Edges between stages: named in `needs`, known from conditions and references, or because one reads
//! what another writes.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::error::{DefinitionError, Problem};
use super::name::StepName;
use super::stage::Draft;
use super::{Definition, Stage};

/// A path joined to a working directory and normalised without looking at the disk: no `.`, no
/// empty parts, `..` only in front. URLs and absolute paths stand for themselves.
pub(super) fn joined(wdir: &str, path: &str) -> String {
    if path.contains("://") {
        return path.to_owned();
    }
    let absolute = path.starts_with('/');
    let base = if absolute { "" } else { wdir };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    let from_root = absolute || (wdir.starts_with('/') && !joined.starts_with(".."));
    if from_root { format!("/{joined}") } else { joined }
}

/// Checks the references of all stages and gives each its complete `needs`. Of a group in `open` one member
/// stands for all that a run may bring.
pub(super) fn link(
    drafts: BTreeMap<StepName, Draft>,
    open: &BTreeSet<String>,
) -> Result<BTreeMap<StepName, Stage>, DefinitionError> {
    let writers = writers(&drafts)?;
    let mut groups = BTreeMap::<&str, Vec<&StepName>>::new();
    for name in drafts.keys() {
        groups.entry(name.base()).or_default().push(name);
    }
    let stand_ins = |wanted: &str| {
        let base = wanted.split('@').next().unwrap_or_default();
        if open.contains(base) { groups.get(base).cloned() } else { None }
    };
    let mut needs = Vec::with_capacity(drafts.len());
    for (name, draft) in &drafts {
        let mut of_stage = BTreeSet::new();
        for wanted in &draft.needs {
            let found = drafts.get_key_value(wanted.as_str()).map(|(key, _)| vec![key]);
            let members = found.or_else(|| groups.get(wanted.as_str()).cloned());
            let members = members.or_else(|| stand_ins(wanted)).ok_or_else(|| {
                DefinitionError::at(format!("stages.{name}.needs"), Problem::NoSuchStage(wanted.clone()))
            })?;
            of_stage.extend(members.into_iter().cloned());
        }
        for wanted in &draft.referenced {
            let is_group = groups.contains_key(wanted.as_str());
            let found = drafts.get_key_value(wanted.as_str()).map(|(key, _)| vec![key]);
            let found = found.or_else(|| if is_group { None } else { stand_ins(wanted) });
            let members = found.ok_or_else(|| {
                let problem = if is_group { Problem::Group } else { Problem::NoSuchStage };
                DefinitionError::at(format!("stages.{name}"), problem(wanted.clone()))
            })?;
            of_stage.extend(members.into_iter().cloned());
        }
        for dep in &draft.stage.deps {
            // A stage that reads what it writes itself does not wait for itself.
            of_stage.extend(writers_of(dep, &writers).filter(|writer| *writer != name).cloned());
        }
        needs.push(of_stage);
    }
    let stages: BTreeMap<StepName, Stage> = drafts
        .into_iter()
        .zip(needs)
        .map(|((name, draft), needs)| (name, Stage { needs, ..draft.stage }))
        .collect();
    refuse_cycle(&stages)?;
    Ok(stages)
}

/// Who writes which path. Two stages may not write the same path, nor one inside the other's.
fn writers(drafts: &BTreeMap<StepName, Draft>) -> Result<BTreeMap<&str, &StepName>, DefinitionError> {
    let mut writers = BTreeMap::<&str, &StepName>::new();
    for (name, draft) in drafts {
        for path in draft.stage.outs.keys() {
            if let Some(other) = writers_of(path, &writers).find(|other| *other != name) {
                let problem = Problem::OutputTaken { path: path.clone(), other: other.to_string() };
                return Err(DefinitionError::at(format!("stages.{name}.outs"), problem));
            }
            writers.insert(path, name);
        }
    }
    Ok(writers)
}

/// The writers of a path, of a folder above it, or of anything below it.
fn writers_of<'a>(path: &str, writers: &BTreeMap<&str, &'a StepName>) -> impl Iterator<Item = &'a StepName> {
    let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at)).chain([path]);
    let mut found: Vec<&'a StepName> = above.filter_map(|folder| writers.get(folder).copied()).collect();
    let (from, to) = (format!("{path}/"), format!("{path}0"));
    found.extend(writers.range(from.as_str()..to.as_str()).map(|(_, name)| *name));
    found.into_iter()
}

fn graph(stages: &BTreeMap<StepName, Stage>) -> DiGraphMap<&str, ()> {
    let mut graph = DiGraphMap::new();
    for (name, stage) in stages {
        graph.add_node(name.as_str());
        for need in &stage.needs {
            graph.add_edge(need.as_str(), name.as_str(), ());
        }
    }
    graph
}

fn refuse_cycle(stages: &BTreeMap<StepName, Stage>) -> Result<(), DefinitionError> {
    let graph = graph(stages);
    let cyclic = tarjan_scc(&graph)
        .into_iter()
        .filter(|members| match members.as_slice() {
            [single] => graph.contains_edge(single, single),
            _ => true,
        })
        .min();
    let Some(members) = cyclic else { return Ok(()) };
    // Inside a strongly connected component every walk comes back: follow it to the first repetition.
    let members: BTreeSet<&str> = members.into_iter().collect();
    let mut walk: Vec<&str> = members.first().copied().into_iter().collect();
    while let Some(next) =
        walk.last().and_then(|last| graph.neighbors(last).filter(|next| members.contains(next)).min())
    {
        if let Some(start) = walk.iter().position(|seen| *seen == next) {
            walk.push(next);
            return Err(DefinitionError::Cycle(
                walk.split_off(start).into_iter().map(str::to_owned).collect(),
            ));
        }
        walk.push(next);
    }
    Err(DefinitionError::Cycle(members.into_iter().map(str::to_owned).collect()))
}

impl Definition {
    /// The stages in topological generations: those of one generation need only stages of earlier
    /// ones and can run at the same time.
    pub fn generations(&self) -> Vec<Vec<&StepName>> {
        let mut level = BTreeMap::<&StepName, usize>::new();
        let mut generations = Vec::<Vec<&StepName>>::new();
        let order = petgraph::algo::toposort(&graph(&self.stages), None).unwrap_or_default();
        for (name, stage) in order.into_iter().filter_map(|name| self.stages.get_key_value(name)) {
            let own = stage.needs.iter().filter_map(|need| level.get(need)).map(|l| l + 1).max().unwrap_or(0);
            level.insert(name, own);
            if generations.len() <= own {
                generations.push(Vec::new());
            }
            if let Some(generation) = generations.get_mut(own) {
                generation.push(name);
            }
        }
        for generation in &mut generations {
            generation.sort_unstable();
        }
        generations
    }

    /// The stages that need `step` directly.
    pub fn successors<'d>(&'d self, step: &'d StepName) -> impl Iterator<Item = &'d StepName> {
        self.stages.iter().filter(|(_, stage)| stage.needs.contains(step)).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_without_the_disk() {
        for (wdir, path, expected) in [
            ("", "a/./b//c", "a/b/c"),
            ("", "./a/../b", "b"),
            ("sub", "../a", "a"),
            ("sub", "../../a", "../a"),
            ("../up", "a", "../up/a"),
            ("sub", "/abs/../x", "/x"),
            ("/root", "a", "/root/a"),
            ("sub", "s3://bucket/../x", "s3://bucket/../x"),
            ("", ".", ""),
        ] {
            assert_eq!(joined(wdir, path), expected, "{wdir} + {path}");
        }
    }
}
