//! A transaction in memory: commits what succeeds, drops what is refused.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use mainstay_core::command::{Command, Journal};
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::Event;
use mainstay_core::id::{PipelineRunId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{DAY, MachineTime};
use mainstay_serving::command::{CreateEndpoint, SetRevision};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::error::ServingError;
use mainstay_serving::label::{LabelKind, LabelValue, MissingLabel};
use mainstay_serving::port::{GateStatus, ServingTx};
use mainstay_serving::revision::{Pinned, Revision, RevisionDraft};
use mainstay_serving::rollout::Rollout;
use mainstay_serving::schema::{FeatureKind, FeatureSpec, InputSchema};
use mainstay_serving::segment::{SealedSegment, SegmentId, SegmentKind};

#[derive(Clone)]
pub(crate) struct Memory {
    workspace: Name,
    actor: Actor,
    endpoints: HashMap<Name, Endpoint>,
    revisions: BTreeMap<(Name, u64), Revision>,
    rollouts: HashMap<RolloutId, Rollout>,
    segments: HashMap<SegmentId, SealedSegment>,
    pub(crate) gates: HashMap<Digest, GateStatus>,
    pub(crate) events: Vec<Event>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            workspace: default_workspace(),
            actor: Actor::local(),
            endpoints: HashMap::new(),
            revisions: BTreeMap::new(),
            rollouts: HashMap::new(),
            segments: HashMap::new(),
            gates: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// A governed endpoint `e` with version 1 as champion at revision 2, and gates passed for 1 and 2.
    pub(crate) async fn serving() -> Self {
        let mut memory = Self::new();
        for version in [1, 2] {
            memory.gates.insert(pinned(version).digest, GateStatus::Passed);
        }
        let create = CreateEndpoint { workspace: default_workspace(), endpoint: endpoint() };
        memory.run(&create).await.unwrap();
        memory.run(&set(1, RevisionDraft::champion(pinned(1)))).await.unwrap();
        memory
    }

    /// As the writer does: a refused command leaves neither rows nor events.
    pub(crate) async fn run<C>(&mut self, command: &C) -> Result<C::Out, ErrorCode>
    where
        C: Command<Tx = dyn ServingTx, Error = ServingError>,
    {
        let mut savepoint = self.clone();
        let outcome = command.apply(&mut savepoint).await.map_err(|error| error.code());
        if outcome.is_ok() {
            *self = savepoint;
        }
        outcome
    }

    pub(crate) fn newest(&self) -> &Revision {
        self.revisions.values().next_back().unwrap()
    }

    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.kind).collect()
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn pinned(version: u64) -> Pinned {
    Pinned { version, digest: Digest::of(&version.to_le_bytes()) }
}

/// What stands in the way of an artifact that did not pass.
pub(crate) fn failed() -> GateStatus {
    GateStatus::Missing("gate 'calibration' failed: its error is 0.3".to_owned())
}

pub(crate) fn endpoint() -> Endpoint {
    let hour =
        FeatureSpec { name: "hour".to_owned(), kind: FeatureKind::Float, nullable: false, range: None };
    Endpoint {
        name: name("e"),
        model: name("delays"),
        governed: true,
        features: None,
        day_offset_micros: 0,
        schema: InputSchema::new(vec![hour]).unwrap(),
        labels: Some(LabelKind {
            positive: LabelValue::Number(1.0),
            horizon_micros: DAY,
            missing: MissingLabel::Excluded,
        }),
        retraining: Vec::new(),
    }
}

pub(crate) fn set(expected: u64, draft: RevisionDraft) -> SetRevision {
    SetRevision { workspace: default_workspace(), endpoint: name("e"), expected, governed: true, draft }
}

impl Journal for Memory {
    fn record(&mut self, event: Event) {
        self.events.push(event);
    }
    fn now(&self) -> MachineTime {
        MachineTime::from_micros(1)
    }
    fn actor(&self) -> &Actor {
        &self.actor
    }
    fn workspace(&self) -> &Name {
        &self.workspace
    }
}

#[async_trait]
impl ServingTx for Memory {
    async fn endpoint(&mut self, name: &Name) -> Result<Option<Endpoint>, StorageError> {
        Ok(self.endpoints.get(name).cloned())
    }
    async fn governed_endpoint(&mut self, model: &Name) -> Result<Option<Name>, StorageError> {
        let governs = |endpoint: &&Endpoint| endpoint.governed && endpoint.model == *model;
        Ok(self.endpoints.values().find(governs).map(|endpoint| endpoint.name.clone()))
    }
    async fn put_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), StorageError> {
        self.endpoints.insert(endpoint.name.clone(), endpoint.clone());
        Ok(())
    }
    async fn revision(&mut self, endpoint: &Name) -> Result<Option<Revision>, StorageError> {
        let all = self.revisions.range((endpoint.clone(), 0)..=(endpoint.clone(), u64::MAX));
        Ok(all.last().map(|(_, revision)| revision.clone()))
    }
    async fn insert_revision(&mut self, revision: &Revision) -> Result<(), StorageError> {
        let key = (revision.endpoint.clone(), revision.number);
        let newest = self.revisions.keys().filter(|(name, _)| *name == key.0).map(|(_, n)| *n).max();
        assert_eq!(revision.number, newest.unwrap_or(0) + 1);
        self.revisions.insert(key, revision.clone());
        Ok(())
    }
    async fn running_rollout(&mut self, endpoint: &Name) -> Result<Option<Rollout>, StorageError> {
        let running = |r: &&Rollout| r.endpoint == *endpoint && r.state.phase.is_running();
        let all: Vec<_> = self.rollouts.values().filter(running).collect();
        assert!(all.len() <= 1);
        Ok(all.first().map(|rollout| (*rollout).clone()))
    }
    async fn rollouts_of(&mut self, run: &PipelineRunId) -> Result<Vec<Rollout>, StorageError> {
        let carried = |r: &&Rollout| r.run == Some(*run) && r.state.phase.is_running();
        Ok(self.rollouts.values().filter(carried).cloned().collect())
    }
    async fn rollout(&mut self, id: &RolloutId) -> Result<Option<Rollout>, StorageError> {
        Ok(self.rollouts.get(id).cloned())
    }
    async fn put_rollout(&mut self, rollout: &Rollout) -> Result<(), StorageError> {
        self.rollouts.insert(rollout.id, rollout.clone());
        Ok(())
    }
    async fn gate_status(&mut self, digest: &Digest) -> Result<GateStatus, StorageError> {
        let missing = || GateStatus::Missing("its gates have not been evaluated".to_owned());
        Ok(self.gates.get(digest).cloned().unwrap_or_else(missing))
    }
    async fn segment(&mut self, id: &SegmentId) -> Result<Option<SealedSegment>, StorageError> {
        Ok(self.segments.get(id).copied())
    }
    async fn insert_segment(&mut self, _: SegmentKind, segment: &SealedSegment) -> Result<(), StorageError> {
        self.segments.insert(segment.id, *segment);
        Ok(())
    }
}
