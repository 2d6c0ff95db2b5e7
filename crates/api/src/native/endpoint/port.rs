//! What the routes on endpoints need of the rest of the server.

use async_trait::async_trait;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::time::DataTime;
use mainstay_registry::command::{PromoteAlias, Promotion};
use mainstay_serving::command::{ChangeEndpoint, FinishRollout, RollBackEndpoint, RolledBack, SetRevision};
use mainstay_serving::revision::Revision;
use mainstay_serving::rollout::Rollout;

use crate::oip::Refusal;

/// The commands that change what answers. They span domains: the alias that an endpoint follows moves in
/// the same transaction.
#[async_trait]
pub trait EndpointCommands: Send + Sync {
    /// Changes the definition: whether the alias follows is part of it.
    async fn change(&self, principal: &Principal, command: ChangeEndpoint) -> Result<Revision, Refusal>;

    /// Sets the arms.
    async fn set_revision(&self, principal: &Principal, command: SetRevision) -> Result<Revision, Refusal>;

    /// Makes a version champion by moving the alias that its endpoint follows.
    async fn promote(&self, principal: &Principal, command: PromoteAlias) -> Result<Promotion, Refusal>;

    /// Puts an endpoint back.
    async fn roll_back(
        &self,
        principal: &Principal,
        command: RollBackEndpoint,
    ) -> Result<RolledBack, Refusal>;

    /// Ends a rollout on a person's word.
    async fn decide_rollout(&self, principal: &Principal, command: FinishRollout)
    -> Result<Rollout, Refusal>;
}

/// How far the monitor has come with an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The latest data time that the endpoint was asked for.
    pub watermark: Option<DataTime>,
    /// Every logged prediction and label up to here is in the monitor's figures.
    pub folded_until: Option<DataTime>,
    /// Predictions that came too late to be in them.
    pub late: u64,
    /// Whether something is being read, folded or decided now.
    pub busy: bool,
}

/// Tells how far the monitor has come. The server implements it.
pub trait EndpointProgress: Send + Sync {
    /// `None` if the endpoint is not watched.
    fn progress(&self, workspace: &Name, endpoint: &Name) -> Option<Progress>;
}

/// What the predictor makes of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The revision that it serves; `None` before it could serve one.
    pub revision: Option<u64>,
    /// Why the newest revision is not the one.
    pub trouble: Option<Trouble>,
    /// The latest data time that it was asked for.
    pub watermark: Option<DataTime>,
    /// The views that requests with entity keys read.
    pub reads: Vec<ViewReads>,
}

/// How a view of stored features is read, counted since the endpoint's revision was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewReads {
    /// The view.
    pub view: String,
    /// The data time up to which it is materialised; `None` if it is not.
    pub until: Option<DataTime>,
    /// Rows of requests that were looked up in it.
    pub reads: u64,
    /// Those of them whose data time lay beyond what had been materialised: they were answered from the newest row
    /// that was there.
    pub beyond: u64,
}

/// Why a revision is not served. What was served before still is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The revision that should be served.
    pub revision: u64,
    /// What is wrong, in a sentence.
    pub reason: String,
}

/// Tells what the predictor serves. The server implements it.
pub trait EndpointServing: Send + Sync {
    /// What it makes of an endpoint, known to it or not.
    fn served(&self, workspace: &Name, endpoint: &Name) -> Served;
}
