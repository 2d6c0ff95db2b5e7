//! What the domain needs of a store.
//!
//! Every method speaks of the workspace of the transaction, or of the one that it is given.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::id::{PipelineRunId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};

use crate::endpoint::Endpoint;
use crate::revision::Revision;
use crate::rollout::Rollout;
use crate::segment::{SealedSegment, SegmentId, SegmentKind};

/// Whether the gates of an artifact have passed; the rule is governance's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateStatus {
    /// It may answer.
    Passed,
    /// It may not, and this is why: a gate failed, is inconclusive or was not evaluated, or an approval is
    /// missing.
    Missing(String),
}

/// The writing side. "Not found" is `Ok(None)`.
#[async_trait]
pub trait ServingTx: Journal {
    /// The definition of an endpoint.
    async fn endpoint(&mut self, name: &Name) -> Result<Option<Endpoint>, StorageError>;

    /// The governed endpoint of a model; there is at most one.
    async fn governed_endpoint(&mut self, model: &Name) -> Result<Option<Name>, StorageError>;

    /// Stores a new definition, or replaces the one of that name.
    async fn put_endpoint(&mut self, endpoint: &Endpoint) -> Result<(), StorageError>;

    /// The newest revision of an endpoint.
    async fn revision(&mut self, endpoint: &Name) -> Result<Option<Revision>, StorageError>;

    /// Stores a revision. Its number is one more than the newest, or 1.
    async fn insert_revision(&mut self, revision: &Revision) -> Result<(), StorageError>;

    /// The rollout that runs on an endpoint; there is at most one.
    async fn running_rollout(&mut self, endpoint: &Name) -> Result<Option<Rollout>, StorageError>;

    /// The running rollouts that a pipeline run carries out.
    async fn rollouts_of(&mut self, run: &PipelineRunId) -> Result<Vec<Rollout>, StorageError>;

    /// A rollout, running or over.
    async fn rollout(&mut self, id: &RolloutId) -> Result<Option<Rollout>, StorageError>;

    /// Stores a new rollout, or replaces the one of that id.
    async fn put_rollout(&mut self, rollout: &Rollout) -> Result<(), StorageError>;

    /// What the gates of that artifact say, in this transaction.
    async fn gate_status(&mut self, digest: &Digest) -> Result<GateStatus, StorageError>;

    /// A sealed segment.
    async fn segment(&mut self, id: &SegmentId) -> Result<Option<SealedSegment>, StorageError>;

    /// Stores a sealed segment.
    async fn insert_segment(
        &mut self,
        kind: SegmentKind,
        segment: &SealedSegment,
    ) -> Result<(), StorageError>;
}

/// The reading side.
#[async_trait]
pub trait ServingStore: Send + Sync {
    /// An endpoint with its newest revision.
    async fn endpoint(
        &self,
        workspace: &Name,
        name: &Name,
    ) -> Result<Option<(Endpoint, Revision)>, StorageError>;

    /// Endpoints with their newest revisions, by name.
    async fn endpoints(
        &self,
        workspace: &Name,
        page: &PageRequest,
    ) -> Result<Page<(Endpoint, Revision)>, StorageError>;

    /// The revisions of an endpoint, newest first.
    async fn revisions(
        &self,
        workspace: &Name,
        endpoint: &Name,
        page: &PageRequest,
    ) -> Result<Page<Revision>, StorageError>;

    /// The rollouts of an endpoint, newest first.
    async fn rollouts(
        &self,
        workspace: &Name,
        endpoint: &Name,
        page: &PageRequest,
    ) -> Result<Page<Rollout>, StorageError>;

    /// A rollout.
    async fn rollout(&self, workspace: &Name, id: &RolloutId) -> Result<Option<Rollout>, StorageError>;

    /// The sealed segments of one kind, by log and sequence.
    async fn segments(
        &self,
        workspace: &Name,
        kind: SegmentKind,
        page: &PageRequest,
    ) -> Result<Page<SealedSegment>, StorageError>;
}
