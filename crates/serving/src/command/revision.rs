//! Setting the arms of an endpoint by hand.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;

use super::{Current, endpoint_scope, revise};
use crate::error::ServingError;
use crate::port::ServingTx;
use crate::revision::{Revision, RevisionDraft};

/// Sets the arms of an endpoint, if it still is at the revision that the caller read. While a rollout
/// runs, the arms are the rollout's.
#[derive(Debug, Clone)]
pub struct SetRevision {
    /// Where.
    pub workspace: Name,
    /// Of which endpoint.
    pub endpoint: Name,
    /// The revision that the caller read.
    pub expected: u64,
    /// Whether the endpoint is governed: decides which right is needed, and is checked.
    pub governed: bool,
    /// The arms.
    pub draft: RevisionDraft,
}

#[async_trait]
impl Command for SetRevision {
    type Tx = dyn ServingTx;
    type Out = Revision;
    type Error = ServingError;

    fn action(&self) -> Action {
        if self.governed { Action::ModelPromote } else { Action::EndpointWrite }
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Revision, ServingError> {
        let current = Current::load(tx, &self.endpoint).await?;
        current.expect(self.expected)?;
        current.expect_governed(self.governed)?;
        current.expect_no_rollout(tx).await?;
        let revision = current.revision.with_arms(self.draft.clone(), None)?;
        for arm in revision.arms.iter().filter(|arm| arm.answers()) {
            current.expect_gates(tx, &arm.pinned).await?;
        }
        revise(tx, &revision, "endpoint.revised", "set").await?;
        Ok(revision)
    }
}
