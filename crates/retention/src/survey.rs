//! What a rule would take at a moment: told before it is saved, and asked when it is applied.

use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;

use crate::port::{PurgeReader, RuleReader};
use crate::rule::{Candidate, RuleKind, Terms};
use crate::target::{Found, Hold, Target};

/// Candidates of one read.
const CHUNK: usize = 200;

/// Most held things that are named; all are counted.
const MOST_HELD: usize = 1_000;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of which kind.
    pub kind: RuleKind,
    /// Only in this experiment.
    pub experiment: Option<ExperimentId>,
    /// When things go.
    pub terms: Terms,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// What would go, by id: what is known of it, and when it ended.
    pub takes: Vec<(Found, Option<i64>)>,
    /// What would go if nothing needed it: the first thousand.
    pub held: Vec<(Target, Vec<Hold>)>,
    /// How much that is in all.
    pub held_count: u64,
    /// Whether there may be more behind these.
    pub has_more: bool,
}

/// Looks until `most` things are found that go, or there are no more.
pub async fn survey<R: PurgeReader + RuleReader + ?Sized>(
    reader: &R,
    workspace: &Name,
    wanted: &Wanted,
    now: MachineTime,
    most: usize,
) -> Result<Survey, StorageError> {
    let (window, mut after, mut found) = (wanted.terms.window(now), String::new(), Survey::default());
    loop {
        let page =
            reader.candidates(workspace, wanted.kind, wanted.experiment, &window, &after, CHUNK).await?;
        let is_last = page.len() < CHUNK;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.target.id);
        let taken: Vec<Candidate> =
            page.into_iter().filter(|candidate| wanted.terms.take(candidate, now)).collect();
        let targets: Vec<Target> = taken.iter().map(|candidate| candidate.target.clone()).collect();
        for (known, holds) in reader.look_up(workspace, &targets).await? {
            if holds.is_empty() {
                if found.takes.len() >= most {
                    found.has_more = true;
                    return Ok(found);
                }
                let ended = taken.iter().find(|candidate| candidate.target == known.target);
                found.takes.push((known, ended.and_then(|candidate| candidate.ended_ms)));
            } else {
                found.held_count += 1;
                if found.held.len() < MOST_HELD {
                    found.held.push((known.target, holds));
                }
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}
