//! Facts that start a pipeline, and what led to them.
//!
//! **No loops.** An event that came of a run of the pipeline itself, directly or over runs of other
//! pipelines that events started, does not start it again. So no chain of causes holds a pipeline twice,
//! and every chain ends. A run's cause carries its chain; an event's run is its subject, stands in its
//! body, or is the one whose step wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mainstay_core::event::RecordedEvent;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::run::{Cause, CauseKind, PipelineRun};

/// Longest body of an event that goes into the cause of the run that it starts, in bytes of JSON.
const MAX_BODY: usize = 8 * 1024;

/// Facts that start a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// The kind of event, such as `alarm.raised`.
    pub kind: String,
    /// The subjects that it may be about, such as `model:flights`; any, if empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub subjects: BTreeSet<String>,
    /// Dotted keys of the event's body and the values of which theirs must be one.
    pub requires: BTreeMap<String, Vec<Value>>,
}

impl EventFilter {
    /// Whether an event fits. One whose body was erased fits only a filter that asks nothing of it.
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        let of_body =
            |key: &str| key.split('.').try_fold(event.body.as_ref()?, |value, part| value.get(part));
        event.kind == self.kind
            && (self.subjects.is_empty() || self.subjects.contains(&event.subject.to_string()))
            && self.requires.iter().all(|(key, allowed)| of_body(key).is_some_and(|v| allowed.contains(v)))
    }
}

impl fmt::Display for EventFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        for (number, subject) in self.subjects.iter().enumerate() {
            write!(f, "{}{subject}", if number == 0 { " of " } else { " or " })?;
        }
        for (number, (key, allowed)) in self.requires.iter().enumerate() {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            write!(f, "{}{key} = {}", if number == 0 { " where " } else { " and " }, allowed.join(" or "))?;
        }
        Ok(())
    }
}

/// The pipeline run that an event speaks of.
pub fn run_of(event: &RecordedEvent) -> Option<PipelineRunId> {
    match event.subject.kind {
        ResourceKind::PipelineRun => event.subject.id.parse().ok(),
        ResourceKind::Approval | ResourceKind::Pipeline => {
            event.body.as_ref()?.get("run")?.as_str()?.parse().ok()
        }
        _ => None,
    }
}

/// The pipelines that led to an event: of the run that it came of, and of what started that run. A
/// trigger that was refused counts as one of its pipeline.
pub fn chain(event: &RecordedEvent, run: Option<&PipelineRun>) -> Vec<Name> {
    let mut chain = Vec::new();
    if event.kind == crate::commands::REFUSED {
        chain.extend(Name::new(event.subject.id.as_str()));
        chain.extend(event.body.as_ref().and_then(|body| body.get("cause")).into_iter().flat_map(led_to));
    }
    if let Some(run) = run {
        chain.push(run.pipeline.clone());
        chain.extend(led_to(&json!(run.cause)));
    }
    chain
}

fn led_to(cause: &Value) -> Vec<Name> {
    let names = cause.pointer("/evidence/chain").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(|name| Name::new(name.as_str()?).ok()).collect()
}

/// Why a run is started: the event, and the pipelines that led to it.
pub fn cause(event: &RecordedEvent, revision: u64, trigger: usize, chain: &[Name]) -> Cause {
    let body = event.body.as_ref().filter(|body| body.to_string().len() <= MAX_BODY);
    let evidence = json!({
        "revision": revision,
        "trigger": super::place(trigger),
        "event": {
            "seq": event.seq.0,
            "kind": event.kind,
            "subject": event.subject.to_string(),
            "actor": event.actor,
            "body": body,
        },
        "chain": chain,
    });
    Cause { kind: CauseKind::Event, evidence }
}

/// The data time as of which an event's run works: the `data_time` of its body, in microseconds, if it has
/// one.
pub fn data_time(event: &RecordedEvent) -> Option<DataTime> {
    event.body.as_ref()?.get("data_time")?.as_i64().map(DataTime::from_micros)
}
