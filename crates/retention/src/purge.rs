//! A purge: who wanted what gone for good, and how far it is.

use mainstay_core::id_type;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::target::{Target, TargetKind};

id_type! {
    /// Names one purge.
    pub struct PurgeId;
}

/// Why something is purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody asked for it.
    Asked,
    /// This rule takes it.
    Rule(Name),
}

/// How many things of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Experiments.
    pub experiments: u64,
    /// Runs.
    pub runs: u64,
    /// Logged models.
    pub logged_models: u64,
    /// Traces.
    pub traces: u64,
    /// Runs whose artifacts go, and that stay themselves.
    pub run_artifacts: u64,
}

impl Counts {
    /// Counts further things of a kind.
    pub const fn add(&mut self, kind: TargetKind, things: u64) {
        let count = match kind {
            TargetKind::Trace => &mut self.traces,
            TargetKind::RunArtifacts => &mut self.run_artifacts,
            TargetKind::LoggedModel => &mut self.logged_models,
            TargetKind::Run => &mut self.runs,
            TargetKind::Experiment => &mut self.experiments,
        };
        *count = count.saturating_add(things);
    }

    /// Counts what another count has.
    pub const fn merge(&mut self, other: Self) {
        self.experiments = self.experiments.saturating_add(other.experiments);
        self.runs = self.runs.saturating_add(other.runs);
        self.logged_models = self.logged_models.saturating_add(other.logged_models);
        self.traces = self.traces.saturating_add(other.traces);
        self.run_artifacts = self.run_artifacts.saturating_add(other.run_artifacts);
    }

    /// How many things in all.
    pub const fn total(&self) -> u64 {
        self.experiments
            .saturating_add(self.runs)
            .saturating_add(self.logged_models)
            .saturating_add(self.traces)
            .saturating_add(self.run_artifacts)
    }
}

/// What a purge has taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Rows that hung on the things, themselves left out.
    pub rows: u64,
    /// Files.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Things whose artifacts stay: see [`Measure::elsewhere`].
    pub elsewhere: u64,
}

/// What was removed of some items, or found in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measure {
    /// Files.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether they stay: they lie out of this server's reach, in a folder that is not theirs alone, or around the
    /// place of another experiment.
    pub elsewhere: bool,
}

/// A purge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// Its id.
    pub id: PurgeId,
    /// Who asked for it; a part of the server, where a rule is its cause.
    pub actor: Actor,
    /// Why.
    pub cause: Cause,
    /// What its author says of it; empty if that is nothing.
    pub reason: String,
    /// When it was asked for.
    pub started: MachineTime,
    /// When the last of it was gone.
    pub finished: Option<MachineTime>,
    /// What it takes: what was named, and what was found in it so far.
    pub takes: Counts,
    /// What it took away so far.
    pub done: Progress,
    /// How many items are still to be removed. There may be more of them than things that were named: an experiment's
    /// runs are items of their own.
    pub left: u64,
}

/// How the record names a purge.
pub fn purge_subject(id: PurgeId) -> Subject {
    Subject::new(ResourceKind::Purge, id)
}

/// Something that a purge has still to remove the rest of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it was.
    pub target: Target,
    /// Under which URI its artifacts lie.
    pub place: String,
    /// Whether its artifacts were counted: then they may be removed.
    pub is_measured: bool,
    /// Whether they stay, as [`Measure::elsewhere`] said when they were counted.
    pub is_elsewhere: bool,
}
