//! Who records demonstrations.

use async_trait::async_trait;
use mainstay_core::error::Failure;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;

use crate::feature::Features;

/// A demonstration that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demonstrated {
    /// The experiment that holds it.
    pub experiment: ExperimentId,
    /// What was recorded now; nothing, if all that was wanted was there.
    pub recorded: Features,
}

/// Records the demonstration of a workspace, and removes it. What is recorded goes through the commands that clients
/// cause, under the name of the caller, who is asked about each.
#[async_trait]
pub trait Demonstrations: Send + Sync {
    /// Whether this one may record it: may create an experiment there.
    fn is_open_to(&self, caller: &Principal, workspace: &Name) -> bool;

    /// Records what of these features is not there. One that was interrupted is done anew.
    async fn record(
        &self,
        caller: &Principal,
        workspace: &Name,
        wanted: &Features,
    ) -> Result<Demonstrated, Failure>;

    /// Removes the demonstration for good. Gives what of it was there, whole or not.
    async fn remove(&self, caller: &Principal, workspace: &Name) -> Result<Features, Failure>;
}
