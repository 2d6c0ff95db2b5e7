//! What is done beside the record and to it: heads and positions are kept, projections built anew.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::{Event, EventSeq};
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::{Map, json};

use crate::audit::{SignedHead, StateDifference, StateReport};
use crate::error::GovernanceError;
use crate::port::{AuditTx, DeliveryTx, ProjectionTx};
use crate::webhook::WebhookId;

fn record_scope(workspace: &Name) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::Server, "record"))
}

/// Keeps a signed head beside the log. It records no event: else each head would call for the next.
#[derive(Debug, Clone)]
pub struct KeepHead {
    /// The workspace whose policy is asked.
    pub workspace: Name,
    /// The head.
    pub head: SignedHead,
}

#[async_trait]
impl Command for KeepHead {
    type Tx = dyn AuditTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        record_scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        Ok(tx.insert_head(&self.head).await?)
    }
}

/// Deletes the tables that follow from the log and writes them anew. Event:
/// `server.projections_rebuilt`, with the number of rows by table and the differences found before.
#[derive(Debug, Clone)]
pub struct RebuildProjections {
    /// The workspace whose policy is asked; the tables of all are rebuilt.
    pub workspace: Name,
}

#[async_trait]
impl Command for RebuildProjections {
    type Tx = dyn ProjectionTx;
    /// Where the tables differed before.
    type Out = StateReport;
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        record_scope(&self.workspace)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<StateReport, GovernanceError> {
        let before = tx.rebuild_projections().await?;
        if let Some(silent @ StateDifference::Silent { .. }) = before.differences.first() {
            return Err(GovernanceError::NotReplayable(silent.to_string()));
        }
        let rows: Map<_, _> = before.rows.iter().map(|(table, n)| ((*table).to_owned(), json!(n))).collect();
        let differences: Vec<_> = before.differences.iter().map(ToString::to_string).collect();
        let body =
            json!({"rows": rows, "difference_count": before.difference_count, "differences": differences});
        tx.record(Event::new("server.projections_rebuilt", self.scope().subject, body));
        Ok(before)
    }
}

/// Keeps up to which event a webhook was told. It records no event: that would be one more to tell of.
#[derive(Debug, Clone)]
pub struct KeepCursor {
    /// Where the webhook is.
    pub workspace: Name,
    /// Which.
    pub webhook: WebhookId,
    /// The last event that it took.
    pub position: EventSeq,
}

#[async_trait]
impl Command for KeepCursor {
    type Tx = dyn DeliveryTx;
    type Out = ();
    type Error = GovernanceError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Webhook, self.webhook))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), GovernanceError> {
        Ok(tx.put_cursor(self.webhook, self.position).await?)
    }
}
