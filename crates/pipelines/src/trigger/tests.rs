//! Triggers as they are written, and the chains of causes.

use mainstay_core::digest::Digest;
use mainstay_core::event::{EventSeq, RecordedEvent};
use mainstay_core::id::PipelineRunId;
use mainstay_core::principal::Actor;
use mainstay_core::scope::{ResourceKind, default_workspace};
use serde_json::Map;

use super::*;
use crate::run::{PipelineRun, RunState};

fn event(kind: &str, subject: Subject, body: Value) -> RecordedEvent {
    RecordedEvent {
        seq: EventSeq(7),
        at: MachineTime::from_micros(0),
        kind: kind.to_owned(),
        actor: Actor::local(),
        workspace: default_workspace(),
        subject,
        body: Some(body),
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn filter(value: &Value) -> EventFilter {
    match Trigger::read("on", &json!({ "event": value })).unwrap().as_slice() {
        [Trigger::Event(filter)] => filter.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_are_filtered_by_kind_subject_and_body() {
    let drift = filter(&json!({
        "kind": "alarm.raised", "where": {"endpoint": "flights", "alarm.kind": ["drift", "quality"]}
    }));
    let alarm = |kind, body| event(kind, Subject::new(ResourceKind::Alarm, "a"), body);
    let body = json!({"endpoint": "flights", "alarm": {"kind": "drift"}});
    assert!(drift.matches(&alarm("alarm.raised", body.clone())));
    assert!(!drift.matches(&alarm("alarm.cleared", body.clone())));
    assert!(!drift.matches(&alarm("alarm.raised", json!({"endpoint": "flights", "alarm": {"kind": "age"}}))));
    assert!(!drift.matches(&alarm("alarm.raised", json!({"endpoint": "flights"}))));
    let erased = RecordedEvent { body: None, ..alarm("alarm.raised", body) };
    assert!(!drift.matches(&erased));
    assert!(filter(&json!({"kind": "alarm.raised"})).matches(&erased));

    let moved = filter(&json!({"kind": "alias.moved", "subject": "model:flights"}));
    let of = |model| event("alias.moved", Subject::new(ResourceKind::Model, model), json!({}));
    assert!(moved.matches(&of("flights")));
    assert!(!moved.matches(&of("planes")));
}

#[test]
fn wrong_triggers_name_their_place() {
    let many: Vec<String> = (0..21).map(|n| format!("model:{n}")).collect();
    for (value, place) in [
        (json!(["manual", {"corn": "* * * * *"}]), "on[1].corn"),
        (json!({"cron": "x"}), "on.cron"),
        (json!([{"schedule": {"endpoint": "e"}}]), "on[0].schedule"),
        (json!([{"schedule": {"endpoint": "e", "every": "0s"}}]), "on[0].schedule"),
        (json!([{"schedule": {"endpoint": "e/f", "every": "1d"}}]), "on[0].schedule.endpoint"),
        (json!([{"event": {"where": {}}}]), "on[0].event"),
        (json!([{"event": {"kind": "k", "subject": "flights"}}]), "on[0].event"),
        (json!([{"event": {"kind": "k", "subject": many}}]), "on[0].event"),
        (json!([{"event": {"kind": "k", "where": {"a": []}}}]), "on[0].event"),
        (json!([3]), "on[0]"),
    ] {
        match Trigger::read("on", &value) {
            Err(DefinitionError::At { place: got, .. }) => assert_eq!(got, place),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_schedule_counts_from_its_revision_and_from_the_first_data() {
    let at = DataTime::from_micros;
    // There were no data yet: from their beginning.
    assert_eq!(schedule_since(schedule_start(None), at(50)), at(50));
    // There were: from where they had come.
    assert_eq!(schedule_since(schedule_start(Some(at(80))), at(50)), at(80));
}

fn run(pipeline: &str, cause: Cause) -> PipelineRun {
    PipelineRun {
        id: PipelineRunId::from_bytes([1; 16]),
        pipeline: name(pipeline),
        definition: Digest::of(b""),
        params: Map::new(),
        data_time: None,
        cause,
        author: Actor::local(),
        idempotency_key: None,
        group: None,
        state: RunState::Running,
        created: MachineTime::from_micros(0),
        started: None,
        finished: None,
    }
}

#[test]
fn a_chain_of_causes_is_carried_from_run_to_run() {
    let by_hand = Cause { kind: CauseKind::Manual, evidence: Value::Null };
    let first = run("a", by_hand);
    let of_run = |run: &PipelineRun| {
        event(
            "pipeline_run.finished",
            Subject::new(ResourceKind::PipelineRun, run.id),
            json!({"data_time": 5}),
        )
    };
    let finished = of_run(&first);
    assert_eq!(run_of(&finished), Some(first.id));
    let led_to_second = chain(&finished, Some(&first));
    assert_eq!(led_to_second, [name("a")]);
    let second = run("b", event_cause(&finished, 1, 0, &led_to_second));
    assert_eq!(chain(&of_run(&second), Some(&second)), [name("b"), name("a")]);
    assert_eq!(data_time(&finished), Some(DataTime::from_micros(5)));

    // What was refused counts as well: two pipelines must not answer each other's refusals for ever.
    let body = json!({"cause": event_cause(&finished, 1, 0, &led_to_second)});
    let refused = event(crate::commands::REFUSED, Subject::new(ResourceKind::Pipeline, "c"), body);
    assert_eq!(chain(&refused, None), [name("c"), name("a")]);
    assert_eq!(chain(&event("role.granted", refused.subject, json!({})), None), []);
}

#[test]
fn long_bodies_stay_out_of_causes() {
    let long = event("run.logged", Subject::new(ResourceKind::Run, "r"), json!({"text": "x".repeat(9_000)}));
    let cause = event_cause(&long, 3, 1, &[]);
    assert_eq!(cause.evidence["event"]["body"], Value::Null);
    assert_eq!((&cause.evidence["event"]["seq"], &cause.evidence["trigger"]), (&json!(7), &json!("on[1]")));
}

#[test]
fn the_form_of_stored_definitions_does_not_change() {
    // Definitions are found by the digest of their JSON.
    let stored = json!({"event": {"kind": "alarm.raised", "requires": {"endpoint": ["flights"]}}});
    let read: Trigger = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), stored);
    let stored = json!({"schedule": {"endpoint": "flights", "cadence": {"cron": "0 0 * * *"}}});
    let read: Trigger = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), stored);
}
