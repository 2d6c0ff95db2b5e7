//! The changes that purges know.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::experiment::{ExperimentId, experiment_subject};
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use crate::error::RetentionError;
use crate::port::PurgeTx;
use crate::purge::{Cause, Counts, Measure, Progress, Purge, PurgeId, purge_subject};
use crate::target::{Found, Hold, Target, TargetKind};

/// Most things that one purge is given.
pub const MAX_TARGETS: usize = 500;
/// Longest reason, in characters.
pub const MAX_REASON: usize = 500;
/// About how many rows one command removes: a few milliseconds of the writer.
const MOST_ROWS: u64 = 500;
/// Under which key a run is tagged whose artifacts were purged, by which purge.
pub const ARTIFACTS_PURGED_TAG: &str = "mainstay.artifacts_purged";

/// What becomes of a thing that is still needed, or is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// The whole purge is refused, and the refusal says why.
    Refuse,
    /// It is left out: a rule does not stop because of one thing.
    Skip,
}

/// What was begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The purge; `None` if nothing was left to purge.
    pub purge: Option<Purge>,
    /// What was left out, as something still needs it.
    pub held: Vec<(Target, Vec<Hold>)>,
}

/// Takes things out of sight for good, and has their rows and artifacts removed. Events: `run.purged`,
/// `experiment.purged`, `logged_model.purged`, `run.artifacts_purged`, `trace.purged` for what goes, and `purge.started`.
#[derive(Debug, Clone)]
pub struct StartPurge {
    /// Where.
    pub workspace: Name,
    /// The id, just drawn.
    pub id: PurgeId,
    /// Why.
    pub cause: Cause,
    /// What its author says of it.
    pub reason: String,
    /// What is to go.
    pub targets: Vec<Target>,
    /// What becomes of what cannot go.
    pub otherwise: Otherwise,
}

impl StartPurge {
    /// The targets in order, each once.
    fn checked(&self) -> Result<Vec<Target>, RetentionError> {
        let mut targets = self.targets.clone();
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() || targets.len() > MAX_TARGETS {
            return Err(RetentionError::TargetCount);
        }
        if self.reason.chars().count() > MAX_REASON {
            return Err(RetentionError::LongReason);
        }
        Ok(targets)
    }

    /// The targets that are there and that nothing else needs.
    async fn free(
        &self,
        tx: &mut dyn PurgeTx,
        targets: &[Target],
    ) -> Result<(Vec<Found>, Vec<(Target, Vec<Hold>)>), RetentionError> {
        let (mut free, mut held) = (Vec::new(), Vec::new());
        for target in targets {
            if target.kind == TargetKind::Experiment && ExperimentId::parse(&target.id).is_ok_and(is_default)
            {
                return Err(RetentionError::DefaultExperiment);
            }
            let Some(found) = tx.find_target(target).await? else {
                match self.otherwise {
                    Otherwise::Refuse => return Err(RetentionError::NoTarget(target.clone())),
                    Otherwise::Skip => continue,
                }
            };
            let mut by = tx.holds(&found).await?;
            if self.otherwise == Otherwise::Refuse {
                // What goes too needs nothing. A rule leaves that for the next time, when it is gone.
                by.retain(|hold| !targets.iter().any(|other| is_same(hold, other)));
            }
            match self.otherwise {
                _ if by.is_empty() => free.push(found),
                Otherwise::Refuse => return Err(RetentionError::Held { target: target.clone(), by }),
                Otherwise::Skip => held.push((target.clone(), by)),
            }
        }
        Ok((free, held))
    }

    /// The event of a thing that goes.
    fn event(&self, found: &Found) -> Event {
        let kind = match found.target.kind {
            TargetKind::Experiment => "experiment.purged",
            TargetKind::Run => "run.purged",
            TargetKind::RunArtifacts => "run.artifacts_purged",
            // Traces have one event for each experiment.
            TargetKind::LoggedModel | TargetKind::Trace => "logged_model.purged",
        };
        let mut body = json!({"purge": self.id, "cause": self.cause, "place": found.place});
        if found.target.kind == TargetKind::RunArtifacts {
            // The run stays, and the index of runs learns of its tag by this.
            body["tags"] = json!({ARTIFACTS_PURGED_TAG: self.id});
        }
        Event::new(kind, found.target.subject(), body)
    }
}

const fn is_default(id: ExperimentId) -> bool {
    id.0 == ExperimentId::DEFAULT.0
}

/// The event of traces that are gone. The index of traces reads their ids.
fn of_traces(experiment: ExperimentId, purge: PurgeId, ids: &[String]) -> Event {
    Event::new("trace.purged", experiment_subject(experiment), json!({"purge": purge, "traces": ids}))
}

fn is_same(hold: &Hold, target: &Target) -> bool {
    hold.kind == target.kind.as_str() && hold.id == target.id
}

#[async_trait]
impl Command for StartPurge {
    type Tx = dyn PurgeTx;
    type Out = Started;
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::RunPurge
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), purge_subject(self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Started, RetentionError> {
        let targets = self.checked()?;
        let (free, held) = self.free(tx, &targets).await?;
        if free.is_empty() {
            return Ok(Started { purge: None, held });
        }
        let (mut takes, mut traces) = (Counts::default(), BTreeMap::<ExperimentId, Vec<String>>::new());
        for found in &free {
            takes.merge(tx.hide(self.id, found).await?);
            if found.target.kind == TargetKind::Trace {
                traces.entry(found.experiment).or_default().push(found.target.id.clone());
            } else {
                tx.record(self.event(found));
            }
        }
        for (experiment, ids) in &traces {
            tx.record(of_traces(*experiment, self.id, ids));
        }
        let purge = Purge {
            id: self.id,
            actor: tx.actor().clone(),
            cause: self.cause.clone(),
            reason: self.reason.clone(),
            started: tx.now(),
            finished: None,
            takes,
            done: Progress::default(),
            left: tx.items_left(self.id).await?,
        };
        tx.put_purge(&purge).await?;
        tx.record(Event::new("purge.started", purge_subject(self.id), json!(purge)));
        Ok(Started { purge: Some(purge), held })
    }
}

/// Keeps what was counted of artifacts before they are removed. No event: what is removed in the end is in that of
/// [`SweepPurge`].
#[derive(Debug, Clone)]
pub struct NoteMeasured {
    /// Where.
    pub workspace: Name,
    /// Of which purge.
    pub purge: PurgeId,
    /// Of which items, and what it was.
    pub measured: Vec<(Target, Measure)>,
}

#[async_trait]
impl Command for NoteMeasured {
    type Tx = dyn PurgeTx;
    type Out = ();
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), purge_subject(self.purge))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RetentionError> {
        for (target, measure) in &self.measured {
            tx.note_measured(self.purge, target, *measure).await?;
        }
        Ok(())
    }
}

/// Removes rows of items whose artifacts are gone. Done again after an interruption, it goes on where it was. Gives
/// the purge as it is then. Event: `purge.advanced`, or `purge.finished` with the last item; `trace.purged` for the
/// traces of an experiment.
#[derive(Debug, Clone)]
pub struct SweepPurge {
    /// Where.
    pub workspace: Name,
    /// Which purge.
    pub purge: PurgeId,
    /// The items.
    pub items: Vec<Target>,
}

#[async_trait]
impl Command for SweepPurge {
    type Tx = dyn PurgeTx;
    type Out = Purge;
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), purge_subject(self.purge))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Purge, RetentionError> {
        let found = tx.find_purge(self.purge).await?;
        let mut purge = found.ok_or(RetentionError::NoPurge(self.purge))?;
        if purge.finished.is_some() {
            return Ok(purge);
        }
        let swept = tx.sweep(self.purge, &self.items, MOST_ROWS).await?;
        purge.takes.merge(swept.found);
        purge.done.rows = purge.done.rows.saturating_add(swept.rows);
        purge.done.objects = purge.done.objects.saturating_add(swept.objects);
        purge.done.bytes = purge.done.bytes.saturating_add(swept.bytes);
        purge.done.elsewhere = purge.done.elsewhere.saturating_add(swept.elsewhere);
        purge.left = tx.items_left(self.purge).await?;
        for (experiment, ids) in &swept.traces {
            tx.record(of_traces(*experiment, self.purge, ids));
        }
        let is_last = purge.left == 0;
        purge.finished = is_last.then(|| tx.now());
        tx.put_purge(&purge).await?;
        let kind = if is_last { "purge.finished" } else { "purge.advanced" };
        tx.record(Event::new(kind, purge_subject(self.purge), json!(purge)));
        Ok(purge)
    }
}
