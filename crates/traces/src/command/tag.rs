//! Tags of a trace.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::existing_trace;
use crate::error::TraceError;
use crate::id::{TraceId, trace_subject};
use crate::info::{MAX_NAME, Pairs, at_most, cut, is_own_tag, key, storable};
use crate::port::TraceTx;
use mainstay_core::text::checked_key;

/// Sets a tag; a value that is too long is cut. Event: `trace.tagged`.
#[derive(Debug, Clone)]
pub struct SetTraceTag {
    /// Where.
    pub workspace: Name,
    /// Of which trace.
    pub id: TraceId,
    /// The tag's key.
    pub key: String,
    /// Its value.
    pub value: String,
}

#[async_trait]
impl Command for SetTraceTag {
    type Tx = dyn TraceTx;
    type Out = ();
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TraceError> {
        if is_own_tag(&self.key) {
            return Err(TraceError::TagSet(self.key.clone()));
        }
        at_most("key", &self.key, mainstay_core::text::MAX_KEY)?;
        let key = checked_key(self.key.clone())?;
        if key == key::NAME {
            at_most("Trace name", &self.value, MAX_NAME)?;
        }
        let experiment = existing_trace(tx, &self.id).await?.experiment;
        let value = cut(storable(self.value.clone()));
        let body = json!({"traces": [self.id], "experiment": experiment, "key": key, "value": value});
        tx.put_trace_tags(&self.id, &Pairs::from([(key, value)])).await?;
        tx.record(Event::new("trace.tagged", trace_subject(&self.id), body));
        Ok(())
    }
}

/// Removes a tag. Event: `trace.untagged`.
#[derive(Debug, Clone)]
pub struct DeleteTraceTag {
    /// Where.
    pub workspace: Name,
    /// Of which trace.
    pub id: TraceId,
    /// The tag's key.
    pub key: String,
}

#[async_trait]
impl Command for DeleteTraceTag {
    type Tx = dyn TraceTx;
    type Out = ();
    type Error = TraceError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), trace_subject(&self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), TraceError> {
        if is_own_tag(&self.key) && self.key != key::ARCHIVAL_FAILURE {
            return Err(TraceError::TagDeleted(self.key.clone()));
        }
        let experiment = existing_trace(tx, &self.id).await?.experiment;
        if !tx.delete_trace_tag(&self.id, &self.key).await? {
            return Err(TraceError::NoTag { key: self.key.clone(), trace: self.id.clone() });
        }
        let body = json!({"traces": [self.id], "experiment": experiment, "key": self.key});
        tx.record(Event::new("trace.untagged", trace_subject(&self.id), body));
        Ok(())
    }
}
