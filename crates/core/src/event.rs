//! Events: every fact about a model is one. Audit, lineage, triggers, webhooks, live pages and
//! evidence are readers of the log of events.

use serde_json::Value;

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
