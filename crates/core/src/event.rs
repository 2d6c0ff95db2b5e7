//! Events: every fact about a model is one. Audit, lineage, triggers, webhooks, live pages and
//! evidence are readers of the log of events.

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;

use crate::error::StorageError;
use crate::name::Name;
use crate::principal::Actor;
use crate::scope::Subject;
use crate::time::MachineTime;

/// A position in the log: 1, 2, 3 … without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventSeq(pub u64);

/// A fact, as a command records it. The writer adds sequence, time, actor and workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened: `subject.past-tense`, such as `model.registered`.
    pub kind: &'static str,
    /// To what it happened.
    pub subject: Subject,
    /// The facts, as readable JSON. Held apart from the proof of their existence, so that they can
    /// be erased.
    pub body: Value,
}

impl Event {
    /// A fact about `subject`.
    pub fn new(kind: &'static str, subject: Subject, body: Value) -> Self {
        Self { kind, subject, body }
    }
}

/// A fact, as it stands in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// The position.
    pub seq: EventSeq,
    /// When it was committed.
    pub at: MachineTime,
    /// What happened.
    pub kind: String,
    /// Who did it.
    pub actor: Actor,
    /// In which workspace.
    pub workspace: Name,
    /// To what.
    pub subject: Subject,
    /// The facts; `None` once erased.
    pub body: Option<Value>,
}

/// Which stretch of the log is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct EventQuery {
    /// Only events after this position.
    pub after: EventSeq,
    /// Only events before this position.
    pub before: Option<EventSeq>,
    /// Only of this workspace.
    pub workspace: Option<Name>,
    /// Only of this subject.
    pub subject: Option<Subject>,
    /// Only of this kind; ignored where a subject is given.
    pub kind: Option<String>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// At most this many.
    pub limit: usize,
}

impl EventQuery {
    /// The `limit` events that follow `after`.
    pub const fn after(after: EventSeq, limit: usize) -> Self {
        Self { after, before: None, workspace: None, subject: None, kind: None, newest_first: false, limit }
    }

    /// The newest `limit` events.
    pub fn newest(limit: usize) -> Self {
        Self { newest_first: true, ..Self::after(EventSeq(0), limit) }
    }

    /// Of one workspace only.
    #[must_use]
    pub fn within(mut self, workspace: &Name) -> Self {
        self.workspace = Some(workspace.clone());
        self
    }

    /// Of one subject only.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Of one kind only.
    #[must_use]
    pub fn of_kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }
}

/// The log of events, as its readers see it.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Reads a stretch.
    async fn read(&self, query: &EventQuery) -> Result<Vec<RecordedEvent>, StorageError>;

    /// The last committed position, as it moves.
    fn head(&self) -> watch::Receiver<EventSeq>;
}
