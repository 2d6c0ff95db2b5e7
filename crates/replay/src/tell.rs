//! Events as sentences.

use mainstay_core::time::{DAY, DataTime};
use serde_json::Value;

use super::ledger::{Fate, Ledger, instant, version};
use super::plan::Plan;
use super::settle::text;

/// Most series that an alarm names in the story; the others are counted.
const NAMED: usize = 4;

/// The line of an event, if it is worth one: what it is about, and the sentence.
pub(super) fn sentence(event: &Value, plan: &Plan, ledger: &Ledger) -> Option<(&'static str, String)> {
    let at = |place| instant(event, place).map_or_else(String::new, |at| plan.date(at));
    Some(match text(event, "/kind") {
        "alarm.raised" => ("alarm", alarm(event, plan)),
        "alarm.resolved" if text(event, "/body/ending") == "recovered" => {
            ("alarm", format!("over: the {} are as they were", text(event, "/body/family")))
        }
        "pipeline_run.started" => {
            let family = text(event, "/body/cause/evidence/family");
            if text(event, "/body/cause/kind") != "event" {
                return None;
            }
            let policy = text(event, "/body/cause/evidence/policy");
            (
                "retrain",
                format!("the policy '{policy}' starts a retraining, because of the alarm about {family}"),
            )
        }
        "step.accepted" => return step(event, ledger),
        "step.failed" if event.pointer("/body/final") == Some(&Value::Bool(true)) => {
            ("failed", format!("{}: {}", text(event, "/body/step"), text(event, "/body/reason")))
        }
        "gates.evaluated" => return gates(event),
        "rollout.started" => {
            let champion = event.pointer("/body/champion/version").and_then(Value::as_u64).unwrap_or(0);
            ("shadow", format!("version {} scores beside version {champion}, unseen", number(event)))
        }
        "rollout.advanced" => ("canary", format!("{}{}", share(event, ledger), evidence(event))),
        "rollout.held" => ("held", format!("version {} waits for a person", number(event))),
        "rollout.promoted" => {
            let days = reign(event, ledger);
            ("promoted", format!("version {} is champion{days}{}", number(event), evidence(event)))
        }
        "rollout.rolled_back" => {
            ("rolled back", format!("version {} goes: {}", number(event), verdict(event)))
        }
        "rollout.aborted" => (
            "aborted",
            format!(
                "version {} goes: {} ({})",
                number(event),
                text(event, "/body/detail/reason"),
                at("/body/state/entered_at")
            ),
        ),
        _ => return None,
    })
}

fn number(event: &Value) -> u64 {
    version(event).unwrap_or_default()
}

fn figure(document: &Value, place: &str) -> f64 {
    document.pointer(place).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn alarm(event: &Value, plan: &Plan) -> String {
    let champion = event.pointer("/body/champion/version").and_then(Value::as_u64).unwrap_or_default();
    let cause = event.pointer("/body/cause").unwrap_or(&Value::Null);
    if text(cause, "/kind") == "aged" {
        let age = cause.get("age_days").and_then(Value::as_i64).unwrap_or_default();
        return format!("version {champion} is old: its newest training data is {age} days old");
    }
    let signals = cause.get("signals").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut named: Vec<String> = signals.iter().take(NAMED).map(signal).collect();
    if signals.len() > NAMED {
        named.push(format!("{} more", signals.len() - NAMED));
    }
    let day = |place| cause.pointer(place).and_then(Value::as_i64);
    let window =
        day("/window/first_day").zip(day("/window/last_day")).map_or_else(String::new, |(first, last)| {
            let date = |day: i64| {
                DataTime::from_micros(day * DAY - plan.day_offset_hours * mainstay_core::time::HOUR)
            };
            format!("{} to {}", plan.date(date(first)), plan.date(date(last)))
        });
    format!("not what version {champion} was trained on, {window}: {}", named.join(", "))
}

/// A series with what was seen of it.
fn signal(signal: &Value) -> String {
    let (name, value) = (text(signal, "/series/name"), figure(signal, "/value"));
    let floor = figure(signal, "/series/floor");
    match (text(signal, "/series/statistic"), text(signal, "/series/kind")) {
        ("psi", _) => format!("{name} (PSI {value:.2}, floor {floor})"),
        ("total_variation", "prediction_shift") => {
            format!("{:.0} % of the scores moved", value * 100.0)
        }
        ("total_variation", _) => format!("{name} ({:.0} % of the rows moved)", value * 100.0),
        ("rate_change", _) => format!("{name} (missing {:+.1} points)", value * 100.0),
        _ => format!("{name} ({:+.1} %)", value * 100.0),
    }
}

fn step(event: &Value, ledger: &Ledger) -> Option<(&'static str, String)> {
    let output = event.pointer("/body/output/value")?;
    let count = |what: &str| output.get(what).and_then(Value::as_u64);
    if let (Some(rows), Some(bad)) = (count("rows"), count("quarantined")) {
        return Some(("data", format!("{}: {rows} rows, {bad} in quarantine", text(output, "/dataset"))));
    }
    match text(event, "/body/step") {
        "train" => {
            let (loss, trivial) =
                (figure(output, "/validation/log_loss"), figure(output, "/baseline/validation/log_loss"));
            let rows = count("rows")?;
            let said =
                format!("on {rows} rows; log loss {loss:.4} on its last days, {trivial:.4} by their mean");
            Some(("trained", said))
        }
        "rollout" => {
            let version = count("version")?;
            let candidate = ledger.candidates.values().find(|known| known.version == Some(version));
            let is_first =
                candidate.is_some_and(|known| known.rollout.is_none() && known.fate == Fate::Promoted);
            is_first.then(|| ("champion", format!("version {version} answers, the first one")))
        }
        _ => None,
    }
}

fn gates(event: &Value) -> Option<(&'static str, String)> {
    let version = event.pointer("/body/version").and_then(Value::as_u64)?;
    let gates = event.pointer("/body/gates").and_then(Value::as_array)?;
    let failed: Vec<&Value> = gates.iter().filter(|gate| text(gate, "/verdict") != "passed").collect();
    if failed.is_empty() {
        let versus = gates.iter().find(|gate| text(gate, "/name") == "against_incumbent");
        let said = versus.or_else(|| gates.first()).map_or("", |gate| text(gate, "/sentence"));
        return Some(("gates", format!("version {version} passes all {}: {said}", gates.len())));
    }
    let said: Vec<String> =
        failed.iter().map(|gate| format!("{} — {}", text(gate, "/name"), text(gate, "/sentence"))).collect();
    Some(("refused", format!("version {version}: {}", said.join("; "))))
}

fn share(event: &Value, ledger: &Ledger) -> String {
    let step = event.pointer("/body/state/step").and_then(Value::as_u64).unwrap_or_default();
    let candidate = ledger.candidates.values().find(|candidate| candidate.version == version(event));
    let weights = candidate.map(|candidate| candidate.weights.as_slice()).unwrap_or_default();
    let weight = usize::try_from(step).ok().and_then(|step| weights.get(step)).copied().unwrap_or_default();
    format!("version {} answers {} %", number(event), weight as f64 / 100.0)
}

/// The figures that a decision was made from, in brackets.
fn evidence(event: &Value) -> String {
    let Some(evidence) = event.pointer("/body/detail/evidence") else { return String::new() };
    let pairs = evidence.get("pairs").and_then(Value::as_u64).unwrap_or_default();
    let shift = guard(evidence, "output_shift")
        .map_or_else(String::new, |observed| format!(", output shift {observed:.2}"));
    let loss =
        evidence.get("quality").filter(|quality| !quality.is_null()).map_or_else(String::new, |quality| {
            let mature = quality.get("mature_pairs").and_then(Value::as_u64).unwrap_or_default();
            format!(", log loss {:+.4} on {mature} labelled", figure(quality, "/mean_difference"))
        });
    format!(" ({pairs} pairs{shift}{loss})")
}

fn guard(evidence: &Value, name: &str) -> Option<f64> {
    let guards = evidence.get("guards").and_then(Value::as_array)?;
    guards.iter().find(|reading| text(reading, "/guard") == name)?.get("observed")?.as_f64()
}

fn verdict(event: &Value) -> String {
    let verdict = event.pointer("/body/detail/verdict").unwrap_or(&Value::Null);
    let why = match text(verdict, "/reason") {
        "guard" => format!(
            "guard {}, {:.2} where {} is the limit; no label was needed",
            text(verdict, "/guard").replace('_', " "),
            figure(verdict, "/observed"),
            figure(verdict, "/limit"),
        ),
        "harm" => "the labels show that it does harm".to_owned(),
        "inconclusive" => "its time was up".to_owned(),
        _ => text(event, "/body/detail/reason").to_owned(),
    };
    format!("{why}{}", evidence(event))
}

/// How long the rollout took.
fn reign(event: &Value, ledger: &Ledger) -> String {
    let candidate = ledger.candidates.values().find(|candidate| candidate.version == version(event));
    let started = candidate.and_then(|candidate| candidate.rollout);
    let ended = instant(event, "/body/state/entered_at");
    started.zip(ended).map_or_else(String::new, |(from, until)| {
        let days = until.since(from) as f64 / DAY as f64;
        format!(", {days:.1} days after it began to score")
    })
}
