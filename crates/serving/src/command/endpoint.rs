//! Creating an endpoint and changing its definition.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use super::{Current, endpoint_scope};
use crate::endpoint::Endpoint;
use crate::error::ServingError;
use crate::port::ServingTx;
use crate::revision::Revision;

/// Creates an endpoint at revision 1, which serves nothing yet.
#[derive(Debug, Clone)]
pub struct CreateEndpoint {
    /// Where.
    pub workspace: Name,
    /// What.
    pub endpoint: Endpoint,
}

#[async_trait]
impl Command for CreateEndpoint {
    type Tx = dyn ServingTx;
    type Out = Revision;
    type Error = ServingError;

    fn action(&self) -> Action {
        Action::EndpointWrite
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint.name)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Revision, ServingError> {
        self.endpoint.validate()?;
        if tx.endpoint(&self.endpoint.name).await?.is_some() {
            return Err(ServingError::Exists(self.endpoint.name.clone()));
        }
        let revision = Revision::first(self.endpoint.name.clone(), self.endpoint.policy_digest());
        store(tx, "endpoint.created", &self.endpoint, revision).await
    }
}

/// Replaces the definition of an endpoint; its arms stay.
///
/// To make an endpoint ungoverned takes the right to promote, as it opens a way around the gates.
#[derive(Debug, Clone)]
pub struct ChangeEndpoint {
    /// Where.
    pub workspace: Name,
    /// The revision that the caller read.
    pub expected: u64,
    /// Whether the endpoint is governed now: decides which right is needed, and is checked.
    pub governed: bool,
    /// The new definition.
    pub endpoint: Endpoint,
}

#[async_trait]
impl Command for ChangeEndpoint {
    type Tx = dyn ServingTx;
    type Out = Revision;
    type Error = ServingError;

    fn action(&self) -> Action {
        if self.governed && !self.endpoint.governed { Action::ModelPromote } else { Action::EndpointWrite }
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint.name)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Revision, ServingError> {
        let current = Current::load(tx, &self.endpoint.name).await?;
        current.expect(self.expected)?;
        current.expect_governed(self.governed)?;
        current.endpoint.check_successor(&self.endpoint)?;
        let revision = current.revision.with_policy(self.endpoint.policy_digest());
        if self.endpoint.governed && !self.governed {
            let to_be = Current { endpoint: self.endpoint.clone(), revision: current.revision };
            for arm in revision.arms.iter().filter(|arm| arm.answers()) {
                to_be.expect_gates(tx, &arm.pinned).await?;
            }
        }
        store(tx, "endpoint.changed", &self.endpoint, revision).await
    }
}

async fn store(
    tx: &mut dyn ServingTx,
    kind: &'static str,
    endpoint: &Endpoint,
    revision: Revision,
) -> Result<Revision, ServingError> {
    if endpoint.governed
        && let Some(other) = tx.governed_endpoint(&endpoint.model).await?
        && other != endpoint.name
    {
        return Err(ServingError::GovernedElsewhere { model: endpoint.model.clone(), other });
    }
    tx.put_endpoint(endpoint).await?;
    tx.insert_revision(&revision).await?;
    let subject = Subject::new(ResourceKind::Endpoint, &endpoint.name);
    tx.record(Event::new(kind, subject, json!({ "definition": endpoint, "revision": revision })));
    Ok(revision)
}
