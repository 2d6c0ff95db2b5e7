//! Purges, rules and previews on the wire.

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use mainstay_retention::port::{Artifacts, StandingRule};
use mainstay_retention::purge::{Cause, Counts, Progress, Purge, PurgeId};
use mainstay_retention::rule::{RuleKind, Terms};
use mainstay_retention::survey::{Survey, Wanted, survey};
use mainstay_retention::target::{Found, Hold, Target, TargetKind};
use serde::Serialize;

use super::RetentionReader;

/// Most things that a preview counts.
const COUNTED: usize = 10_000;
/// How many of them it shows, with what lies in their folders.
const SAMPLE: usize = 20;

/// A purge.
#[derive(Debug, Serialize)]
pub(super) struct PurgeBody {
    id: PurgeId,
    state: &'static str,
    actor: String,
    rule: Option<Name>,
    reason: String,
    started_at: String,
    finished_at: Option<String>,
    takes: Counts,
    done: Progress,
    left: u64,
}

impl From<Purge> for PurgeBody {
    fn from(purge: Purge) -> Self {
        Self {
            id: purge.id,
            state: if purge.finished.is_some() { "finished" } else { "running" },
            actor: purge.actor.to_string(),
            rule: match purge.cause {
                Cause::Asked => None,
                Cause::Rule(name) => Some(name),
            },
            reason: purge.reason,
            started_at: purge.started.to_string(),
            finished_at: purge.finished.map(|at| at.to_string()),
            takes: purge.takes,
            done: purge.done,
            left: purge.left,
        }
    }
}

/// A rule.
#[derive(Debug, Serialize)]
pub(super) struct RuleBody {
    name: Name,
    kind: RuleKind,
    experiment: Option<String>,
    #[serde(flatten)]
    terms: Terms,
    author: String,
    saved_at: String,
    applied_at: Option<String>,
}

impl From<StandingRule> for RuleBody {
    fn from(StandingRule { rule, applied }: StandingRule) -> Self {
        Self {
            name: rule.name,
            kind: rule.kind,
            experiment: rule.experiment.map(|id| id.to_string()),
            terms: rule.terms,
            author: rule.author.to_string(),
            saved_at: rule.saved.to_string(),
            applied_at: applied.map(|at| at.to_string()),
        }
    }
}

/// One of the things that would go.
#[derive(Debug, Serialize)]
pub struct Sampled {
    /// What it is.
    pub kind: TargetKind,
    /// Its id.
    pub id: String,
    /// Its experiment.
    pub experiment: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How many files lie in its folder; `None` if they would stay.
    pub objects: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
}

/// Something that stays since it is needed.
#[derive(Debug, Serialize)]
pub(super) struct HeldBody {
    #[serde(flatten)]
    target: Target,
    by: Vec<Hold>,
}

pub(super) fn held(held: Vec<(Target, Vec<Hold>)>) -> Vec<HeldBody> {
    held.into_iter().take(SAMPLE).map(|(target, by)| HeldBody { target, by }).collect()
}

/// What would go, as far as it is counted and shown.
#[derive(Debug)]
pub struct Looked {
    /// How many things, by kind; what goes with them is not counted.
    pub takes: Counts,
    /// Some of them.
    pub sample: Vec<Sampled>,
    /// What stays since something needs it, or some of that.
    pub held: Vec<(Target, Vec<Hold>)>,
    /// How much that is.
    pub held_count: u64,
    /// Whether there may be more of all this.
    pub has_more: bool,
}

/// Looks what would go now.
pub async fn look(
    (reader, artifacts): (&dyn RetentionReader, &dyn Artifacts),
    workspace: &Name,
    wanted: &Wanted,
    now: MachineTime,
) -> Result<Looked, StorageError> {
    let found = survey(reader, workspace, wanted, now, COUNTED).await?;
    looked(artifacts, found).await
}

/// Counts what was found, and looks into the folders of some of it.
pub(super) async fn looked(artifacts: &dyn Artifacts, found: Survey) -> Result<Looked, StorageError> {
    let (mut takes, mut sample) = (Counts::default(), Vec::new());
    let mut folders =
        artifacts.folders(&found.takes.iter().map(|(found, _)| &found.target).collect::<Vec<_>>());
    for (Found { target, experiment, place }, ended) in found.takes {
        takes.add(target.kind, 1);
        if sample.len() < SAMPLE {
            let measure = folders.measure(&target, &place).await?;
            let within_reach = |count| (!measure.elsewhere).then_some(count);
            let ended_at = ended.and_then(|ms| ms.checked_mul(1_000)).map(MachineTime::from_micros);
            sample.push(Sampled {
                kind: target.kind,
                id: target.id,
                experiment: experiment.to_string(),
                ended_at: ended_at.map(|at| at.to_string()),
                objects: within_reach(measure.objects),
                bytes: within_reach(measure.bytes),
            });
        }
    }
    let Survey { held, held_count, has_more, .. } = found;
    Ok(Looked { takes, sample, held, held_count, has_more })
}

/// What would go, or what was begun.
#[derive(Debug, Serialize)]
pub(super) struct LookedBody {
    takes: Counts,
    sample: Vec<Sampled>,
    held: Vec<HeldBody>,
    held_count: u64,
    has_more: bool,
}

impl From<Looked> for LookedBody {
    fn from(looked: Looked) -> Self {
        Self {
            takes: looked.takes,
            sample: looked.sample,
            held: held(looked.held),
            held_count: looked.held_count,
            has_more: looked.has_more,
        }
    }
}
