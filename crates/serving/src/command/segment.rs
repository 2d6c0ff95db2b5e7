//! Putting a sealed segment on the record.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use crate::error::ServingError;
use crate::port::ServingTx;
use crate::segment::{SealedSegment, SegmentKind};

/// Registers a sealed segment of predictions or labels. Registering the same one again changes
/// nothing, so a predictor that died in between just does it again.
#[derive(Debug, Clone)]
pub struct RegisterSegment {
    /// Where.
    pub workspace: Name,
    /// What it holds.
    pub kind: SegmentKind,
    /// Which.
    pub segment: SealedSegment,
}

#[async_trait]
impl Command for RegisterSegment {
    type Tx = dyn ServingTx;
    /// Whether it was new.
    type Out = bool;
    type Error = ServingError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Segment, self.segment.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<bool, ServingError> {
        if let Some(known) = tx.segment(&self.segment.id).await? {
            let same = known == self.segment;
            return if same { Ok(false) } else { Err(ServingError::SegmentDiffers(self.segment.id)) };
        }
        tx.insert_segment(self.kind, &self.segment).await?;
        let body = json!({ "kind": self.kind, "segment": self.segment });
        tx.record(Event::new("segment.sealed", self.scope().subject, body));
        Ok(true)
    }
}
