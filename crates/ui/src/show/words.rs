//! Events in words.

use mainstay_api::native::why::ending;
use mainstay_core::event::RecordedEvent;
use mainstay_core::time::MachineTime;
use serde_json::Value;

use super::figure::{count, counted, short, words};
use super::link;
use super::moment::Moment;

/// How a line looks; a word says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Live,
    Good,
    Warning,
    Bad,
}

impl Tone {
    /// The class in the stylesheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Live => "now",
            Self::Good => "ok",
            Self::Warning => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Strong(String),
    Link(String, String),
}

/// An event as one line.
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) at: Moment,
    pub(crate) kind: String,
    pub(crate) actor: String,
    pub(crate) tone: Tone,
    pub(crate) parts: Vec<Part>,
}

impl Line {
    /// The line of an event, as seen at `now`.
    pub(crate) fn of(event: &RecordedEvent, now: MachineTime) -> Self {
        let (tone, parts) = sentence(event);
        Self {
            seq: event.seq.0,
            at: Moment::ago(event.at, now),
            kind: event.kind.clone(),
            actor: event.actor.to_string(),
            tone,
            parts,
        }
    }
}

fn text(value: impl Into<String>) -> Part {
    Part::Text(value.into())
}

fn strong(value: impl Into<String>) -> Part {
    Part::Strong(value.into())
}

/// A field of an event's body, as it would be said.
struct Body<'a>(Option<&'a Value>);

impl Body<'_> {
    fn at(&self, pointer: &str) -> Option<&Value> {
        self.0?.pointer(pointer)
    }

    fn text(&self, pointer: &str) -> String {
        match self.at(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => "?".to_owned(),
        }
    }

    fn count(&self, pointer: &str) -> String {
        self.at(pointer).and_then(Value::as_u64).map_or_else(|| "?".to_owned(), count)
    }

    fn size(&self, pointer: &str) -> usize {
        self.at(pointer).map_or(0, |value| match value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        })
    }
}

fn sentence(event: &RecordedEvent) -> (Tone, Vec<Part>) {
    let body = Body(event.body.as_ref());
    // What is gone for good has no page.
    let is_gone = event.kind.ends_with(".purged");
    let href = if is_gone { link::audit_of(&event.subject) } else { link::subject(&event.subject) };
    let subject = Part::Link(name(event), href);
    if event.body.is_none() {
        return (Tone::Plain, vec![subject, text(format!(": {}; its body was erased", words(&event.kind)))]);
    }
    let (area, _) = event.kind.split_once('.').unwrap_or((&event.kind, ""));
    let told = match area {
        "pipeline_run" | "step" | "approval" | "schedule" => of_pipelines(event, &body, &subject),
        "model" | "model_version" | "alias" | "gates" => of_models(event, &body, &subject),
        "endpoint" | "rollout" | "alarm" | "segment" => of_serving(event, &body, &subject),
        "table" | "dataset" | "features" => of_data(event, &body, &subject),
        _ => of_the_rest(event, &body, &subject),
    };
    told.unwrap_or_else(|| {
        let verb = event.kind.split_once('.').map_or(event.kind.as_str(), |(_, verb)| verb);
        (Tone::Plain, vec![text(format!("{} ", words(area))), subject, text(format!(" {}", words(verb)))])
    })
}

/// What people call the subject.
fn name(event: &RecordedEvent) -> String {
    let id = &event.subject.id;
    match id.rsplit_once('/') {
        Some((model, number)) if event.subject.kind.as_str() == "model_version" => {
            format!("{model} v{number}")
        }
        _ => short(id),
    }
}

type Told = Option<(Tone, Vec<Part>)>;

fn of_pipelines(event: &RecordedEvent, body: &Body<'_>, subject: &Part) -> Told {
    let run = subject.clone();
    Some(match event.kind.as_str() {
        "pipeline_run.started" => {
            let cause = words(&body.text("/cause/kind"));
            let parts = vec![
                text("pipeline "),
                strong(body.text("/pipeline")),
                text(" started as "),
                run,
                text(format!(", {cause}")),
            ];
            (Tone::Live, parts)
        }
        "pipeline_run.finished" => {
            let state = body.text("/state");
            let tone = match state.as_str() {
                "succeeded" => Tone::Good,
                "failed" => Tone::Bad,
                _ => Tone::Warning,
            };
            let parts = vec![
                text("run "),
                run,
                text(" of "),
                strong(body.text("/pipeline")),
                text(format!(" {state}")),
            ];
            (tone, parts)
        }
        "step.accepted" => (
            Tone::Plain,
            vec![text("step "), strong(body.text("/step")), text(" of "), run, text(" accepted")],
        ),
        "step.failed" => {
            let again =
                if body.at("/final").and_then(Value::as_bool) == Some(false) { ", tried again" } else { "" };
            let reason = format!(" failed{again}: {}", body.text("/reason"));
            (Tone::Bad, vec![text("step "), strong(body.text("/step")), text(" of "), run, text(reason)])
        }
        "step.skipped" => {
            let reason = format!(" skipped: {}", body.text("/reason"));
            (Tone::Plain, vec![text("step "), strong(body.text("/step")), text(" of "), run, text(reason)])
        }
        "schedule.refused" => {
            let reason = format!(" was not started by its trigger: {}", body.text("/reason"));
            (Tone::Bad, vec![text("pipeline "), run, text(reason)])
        }
        "approval.requested" => {
            let parts = vec![text("approval asked for step "), strong(body.text("/step")), text(": "), run];
            (Tone::Live, parts)
        }
        "approval.decided" => {
            let state = body.text("/state");
            let tone = if state == "approved" { Tone::Good } else { Tone::Bad };
            let by = format!(" {state} by {}", body.text("/decided_by"));
            (tone, vec![text("step "), strong(body.text("/step")), text(", request "), run, text(by)])
        }
        _ => return None,
    })
}

fn of_models(event: &RecordedEvent, body: &Body<'_>, subject: &Part) -> Told {
    let subject = subject.clone();
    Some(match event.kind.as_str() {
        "model.created" => (Tone::Plain, vec![text("model "), subject, text(" created")]),
        "model_version.registered" => {
            let digest = body.at("/digest").and_then(Value::as_str);
            let said = digest.map_or_else(String::new, |digest| format!(", digest {}", short(digest)));
            (Tone::Good, vec![subject, text(format!(" registered{said}"))])
        }
        "alias.moved" => {
            let to = format!("v{}", body.text("/to"));
            let before = body.at("/from").and_then(Value::as_u64);
            let from = before.map_or_else(String::new, |from| format!(" (was v{from})"));
            let parts = vec![
                text("alias "),
                strong(body.text("/alias")),
                text(" of "),
                subject,
                text(" points at "),
                strong(to),
                text(from),
            ];
            (Tone::Live, parts)
        }
        "gates.evaluated" => {
            let gates = body.at("/gates").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let open: Vec<String> = gates
                .iter()
                .filter(|gate| gate.get("verdict").and_then(Value::as_str) != Some("passed"))
                .filter_map(|gate| gate.get("name").and_then(Value::as_str).map(words))
                .collect();
            if open.is_empty() {
                (
                    Tone::Good,
                    vec![subject, text(format!(" passed all {}", counted(gates.len(), "gate", "gates")))],
                )
            } else {
                (Tone::Bad, vec![subject, text(format!(" not passed: {}", open.join(", ")))])
            }
        }
        _ => return None,
    })
}

fn of_serving(event: &RecordedEvent, body: &Body<'_>, subject: &Part) -> Told {
    let subject = subject.clone();
    let endpoint = || {
        let name = body.text("/endpoint");
        Part::Link(name.clone(), link::endpoint(&name))
    };
    let candidate = || strong(format!("v{}", body.text("/candidate/version")));
    Some(match event.kind.as_str() {
        "endpoint.created" => (Tone::Plain, vec![text("endpoint "), subject, text(" created")]),
        "endpoint.changed" => (Tone::Plain, vec![text("endpoint "), subject, text(" redefined")]),
        "endpoint.revised" => {
            let said = format!(" is at revision {}: {}", body.text("/revision/number"), body.text("/reason"));
            (Tone::Plain, vec![text("endpoint "), subject, text(said)])
        }
        "endpoint.rolled_back" => {
            let said = format!(" rolled back by hand: {}", body.text("/reason"));
            (Tone::Bad, vec![text("endpoint "), subject, text(said)])
        }
        "rollout.started" => {
            let shadow = text(" started: it scores in the shadow");
            (Tone::Live, vec![text("rollout of "), candidate(), text(" on "), endpoint(), shadow])
        }
        "rollout.advanced" => {
            let step = body.at("/state/step").and_then(Value::as_u64).map_or(0, |step| step + 1);
            let said = text(format!(" entered canary step {step}"));
            (Tone::Live, vec![text("rollout of "), candidate(), text(" on "), endpoint(), said])
        }
        "rollout.held" => {
            let said = text(" is inconclusive: a person decides");
            (Tone::Warning, vec![text("rollout of "), candidate(), text(" on "), endpoint(), said])
        }
        "rollout.promoted" => (Tone::Good, vec![candidate(), text(" became champion of "), endpoint()]),
        "rollout.rolled_back" | "rollout.aborted" => {
            let why = ending(event).map_or_else(String::new, |why| format!(": {why}"));
            let verb = if event.kind.ends_with("aborted") { "aborted" } else { "rolled back" };
            let said = text(format!(" {verb}{why}"));
            (Tone::Bad, vec![text("rollout of "), candidate(), text(" on "), endpoint(), said])
        }
        "alarm.raised" => {
            (Tone::Warning, vec![text("alarm on "), endpoint(), text(": "), strong(alarm_about(body))])
        }
        "alarm.resolved" => {
            let said = format!(" is over: {}", words(&body.text("/ending")));
            (Tone::Good, vec![text("alarm on "), endpoint(), text(said)])
        }
        "segment.sealed" => {
            let said = format!(" sealed: {} rows of {}", body.count("/segment/records"), body.text("/kind"));
            (Tone::Plain, vec![text("segment "), subject, text(said)])
        }
        _ => return None,
    })
}

/// What an alarm is about: its series, or its family.
fn alarm_about(body: &Body<'_>) -> String {
    let signals = body.at("/cause/signals").and_then(Value::as_array);
    let mut names: Vec<&str> =
        signals.into_iter().flatten().filter_map(|signal| signal.pointer("/series/name")?.as_str()).collect();
    names.dedup();
    if names.is_empty() { words(&body.text("/family")) } else { names.join(", ") }
}

fn of_data(event: &RecordedEvent, body: &Body<'_>, subject: &Part) -> Told {
    let subject = subject.clone();
    Some(match event.kind.as_str() {
        "dataset.created" => (Tone::Plain, vec![text("dataset "), subject, text(" created")]),
        "table.committed" => {
            let (version, rows) = (body.text("/version"), body.count("/rows"));
            let kept_out = body.at("/quarantined_rows").and_then(Value::as_u64).unwrap_or(0);
            let quarantined =
                if kept_out == 0 { String::new() } else { format!(", {} kept out", count(kept_out)) };
            (Tone::Good, vec![subject, text(format!(" v{version}: {rows} rows{quarantined}"))])
        }
        "table.validated" => {
            let passed = body.count("/statistics/successful_expectations");
            let all = body.count("/statistics/evaluated_expectations");
            let good = body.at("/success").and_then(Value::as_bool) == Some(true);
            let said = format!(" v{}: {passed} of {all} checks passed", body.text("/version"));
            (if good { Tone::Good } else { Tone::Bad }, vec![subject, text(said)])
        }
        "features.applied" => {
            let said = format!(
                " are at revision {}: {}, {}",
                body.text("/revision"),
                counted(body.size("/views"), "view", "views"),
                counted(body.size("/services"), "service", "services"),
            );
            (Tone::Plain, vec![text("features of "), subject, text(said)])
        }
        "features.materialised" => {
            let said = format!(" carried online: {} rows up to {}", body.count("/rows"), body.text("/until"));
            (Tone::Plain, vec![text("view "), subject, text(said)])
        }
        _ => return None,
    })
}

fn of_the_rest(event: &RecordedEvent, body: &Body<'_>, subject: &Part) -> Told {
    let subject = subject.clone();
    Some(match event.kind.as_str() {
        "run.created" => (Tone::Live, vec![text("run "), named(body, subject), text(" started")]),
        "experiment.created" => {
            (Tone::Plain, vec![text("experiment "), named(body, subject), text(" created")])
        }
        "run.updated" => {
            let (tone, verb) = match body.text("/status").as_str() {
                "FINISHED" => (Tone::Good, "finished"),
                "FAILED" => (Tone::Bad, "failed"),
                "KILLED" => (Tone::Bad, "was killed"),
                _ => (Tone::Plain, "changed"),
            };
            (tone, vec![text("run "), subject, text(format!(" {verb}"))])
        }
        "run.logged" => (Tone::Plain, vec![text("run "), subject, text(" logged")]),
        "access.refused" => {
            let said = format!("{} was refused {} on ", body.text("/actor"), body.text("/action"));
            (Tone::Warning, vec![text(said), subject])
        }
        _ => return None,
    })
}

/// The link to a subject, by the name that the body gives it.
fn named(body: &Body<'_>, subject: Part) -> Part {
    match (body.at("/name").and_then(Value::as_str), subject) {
        (Some(name), Part::Link(_, href)) => Part::Link(name.to_owned(), href),
        (_, subject) => subject,
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::event::EventSeq;
    use mainstay_core::principal::Actor;
    use mainstay_core::scope::{ResourceKind, Subject, default_workspace};
    use serde_json::json;

    use super::*;

    fn said(kind: &str, subject: Subject, body: Option<Value>) -> (Tone, String) {
        let event = RecordedEvent {
            seq: EventSeq(1),
            at: MachineTime::from_micros(0),
            kind: kind.to_owned(),
            actor: Actor::local(),
            workspace: default_workspace(),
            subject,
            body,
        };
        let line = Line::of(&event, event.at);
        let words = line.parts.iter().map(|part| match part {
            Part::Text(text) | Part::Strong(text) | Part::Link(text, _) => text.as_str(),
        });
        (line.tone, words.collect())
    }

    #[test]
    fn events_read_as_sentences() {
        let version = || Subject::new(ResourceKind::ModelVersion, "flight-delay/7");
        let body = json!({"gates": [{"name": "calibration", "verdict": "failed"}, {"name": "a", "verdict": "passed"}]});
        assert_eq!(
            said("gates.evaluated", version(), Some(body)),
            (Tone::Bad, "flight-delay v7 not passed: calibration".to_owned())
        );
        let body = json!({"version": 3, "rows": 336_776, "quarantined_rows": 2});
        assert_eq!(
            said("table.committed", Subject::new(ResourceKind::Dataset, "flights"), Some(body)).1,
            "flights v3: 336,776 rows, 2 kept out"
        );
        let body = json!({"alias": "champion", "from": 6, "to": 7});
        assert_eq!(
            said("alias.moved", Subject::new(ResourceKind::Model, "m"), Some(body)).1,
            "alias champion of m points at v7 (was v6)"
        );
    }

    #[test]
    fn the_end_of_a_rollout_says_why() {
        let subject = || Subject::new(ResourceKind::Rollout, "r");
        let ended = |kind, detail: Value| {
            let body = json!({"candidate": {"version": 2}, "endpoint": "e", "detail": detail});
            said(kind, subject(), Some(body)).1
        };
        let guard = json!({"reason": "guard", "guard": "error_rate", "observed": 0.05, "limit": 0.01});
        assert_eq!(
            ended("rollout.rolled_back", json!({ "verdict": guard })),
            "rollout of v2 on e rolled back: guard error rate was breached: 0.05 against a limit of 0.01"
        );
        assert_eq!(
            ended("rollout.aborted", json!({"reason": "its run was cancelled: typo"})),
            "rollout of v2 on e aborted: its run was cancelled: typo"
        );
    }

    #[test]
    fn what_is_not_known_or_erased_is_told_all_the_same() {
        let subject = || Subject::new(ResourceKind::Webhook, "w");
        assert_eq!(said("webhook.created", subject(), Some(json!({}))).1, "webhook w created");
        assert_eq!(said("webhook.created", subject(), None).1, "w: webhook.created; its body was erased");
        // A body of another shape than expected gives no sentence that claims something.
        assert_eq!(said("alias.moved", subject(), Some(json!(7))).1, "alias ? of w points at v?");
    }
}
