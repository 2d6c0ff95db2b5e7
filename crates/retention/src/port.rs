//! What purges and rules need of a store. Everything belongs to the transaction's workspace, or the one given.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};
use mainstay_core::time::MachineTime;

use crate::purge::{Counts, Item, Measure, Purge, PurgeId};
use crate::rule::{Candidate, Rule, RuleKind, Window};
use crate::target::{Found, Hold, Target};

/// Most things that are named as needing a target.
pub const MOST_HOLDS: usize = 100;

/// What a part of a purge came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Rows that were removed.
    pub rows: u64,
    /// What was found in experiments, and is to be removed now.
    pub found: Counts,
    /// The traces among that, by experiment: they are gone at once.
    pub traces: BTreeMap<ExperimentId, Vec<String>>,
    /// What was measured of the items that are gone.
    pub objects: u64,
    /// Its bytes.
    pub bytes: u64,
    /// How many of these items had artifacts that stay: see [`Measure::elsewhere`].
    pub elsewhere: u64,
}

/// What the commands on purges write through.
#[async_trait]
pub trait PurgeTx: Journal {
    /// What a target is, if it is there.
    async fn find_target(&mut self, target: &Target) -> Result<Option<Found>, StorageError>;
    /// What still needs it: at most [`MOST_HOLDS`].
    async fn holds(&mut self, found: &Found) -> Result<Vec<Hold>, StorageError>;
    /// Takes a thing out of sight and makes it an item of a purge, with what goes with it. Gives what that is, itself
    /// included. Of a run whose artifacts alone go, nothing is hidden, but that they are gone is noted in its tags.
    async fn hide(&mut self, purge: PurgeId, found: &Found) -> Result<Counts, StorageError>;
    /// Adds a purge, or replaces it.
    async fn put_purge(&mut self, purge: &Purge) -> Result<(), StorageError>;
    /// A purge.
    async fn find_purge(&mut self, id: PurgeId) -> Result<Option<Purge>, StorageError>;
    /// Keeps what was counted of an item's artifacts, which may be removed from now on.
    async fn note_measured(
        &mut self,
        purge: PurgeId,
        target: &Target,
        measure: Measure,
    ) -> Result<(), StorageError>;
    /// Removes rows of these items, about `most` at once, and the items of which none is left. Of an experiment its
    /// runs, logged models and traces become items first.
    async fn sweep(&mut self, purge: PurgeId, items: &[Target], most: u64) -> Result<Swept, StorageError>;
    /// How many items a purge has still to remove.
    async fn items_left(&mut self, purge: PurgeId) -> Result<u64, StorageError>;
}

/// What readers of purges ask.
#[async_trait]
pub trait PurgeReader: Send + Sync {
    /// The purges of a workspace, the newest first.
    async fn purges(&self, workspace: &Name, page: &PageRequest) -> Result<Page<Purge>, StorageError>;
    /// One.
    async fn purge(&self, workspace: &Name, id: PurgeId) -> Result<Option<Purge>, StorageError>;
    /// The purges of all workspaces that are not finished, the oldest first.
    async fn unfinished_purges(&self, limit: usize) -> Result<Vec<(Name, PurgeId)>, StorageError>;
    /// What a purge has to remove next.
    async fn purge_items(&self, purge: PurgeId, limit: usize) -> Result<Vec<Item>, StorageError>;
    /// What these targets are, each with what needs it; those that are not there are left out.
    async fn look_up(
        &self,
        workspace: &Name,
        targets: &[Target],
    ) -> Result<Vec<(Found, Vec<Hold>)>, StorageError>;
}

/// What the commands on rules write through.
#[async_trait]
pub trait RuleTx: Journal {
    /// How many rules other than this one there are.
    async fn other_rules(&mut self, name: &Name) -> Result<u64, StorageError>;
    /// Adds a rule, or replaces the one of its name.
    async fn put_rule(&mut self, rule: &Rule) -> Result<(), StorageError>;
    /// Removes a rule; `false` if there was none.
    async fn delete_rule(&mut self, name: &Name) -> Result<bool, StorageError>;
    /// Keeps when a rule was applied last.
    async fn note_applied(&mut self, name: &Name, at: MachineTime) -> Result<(), StorageError>;
}

/// A rule, and when it was applied last.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingRule {
    /// The rule.
    pub rule: Rule,
    /// When it was applied last.
    pub applied: Option<MachineTime>,
}

/// What readers of rules ask.
#[async_trait]
pub trait RuleReader: Send + Sync {
    /// The rules of a workspace, by name.
    async fn rules(&self, workspace: &Name) -> Result<Vec<StandingRule>, StorageError>;
    /// The rules of all workspaces.
    async fn all_rules(&self) -> Result<Vec<(Name, StandingRule)>, StorageError>;
    /// Things behind an id, by id, that a rule with this window can take at all. The rule itself has the last word.
    async fn candidates(
        &self,
        workspace: &Name,
        kind: RuleKind,
        experiment: Option<ExperimentId>,
        window: &Window,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Candidate>, StorageError>;
}

/// Artifacts by the URIs under which they lie.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// The folders, as one purge finds them, or one look at what it would be if these things were gone.
    fn folders(&self, gone: &[&Target]) -> Box<dyn Folders>;
    /// Counts all bytes below some places, each once, as far as they are in reach.
    async fn measure_all(&self, places: &[String]) -> Result<u64, StorageError>;
}

/// Folders of artifacts.
#[async_trait]
pub trait Folders: Send {
    /// Counts what would be removed of a target's artifacts.
    async fn measure(&mut self, target: &Target, place: &str) -> Result<Measure, StorageError>;
    /// Removes them. What is not there, or not in reach, needs no removal.
    async fn remove(&mut self, target: &Target, place: &str) -> Result<(), StorageError>;
}
