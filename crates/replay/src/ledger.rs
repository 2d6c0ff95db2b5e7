//! What happened, as the record tells it: versions, why each was made, what gates and rollout said, alarms.

use std::collections::BTreeMap;

use mainstay_core::time::DataTime;
use serde::Deserialize;
use serde_json::Value;

use super::settle::text;

/// Why a version was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    /// The first pipeline.
    First,
    /// A scene of the script.
    Script,
    /// An alarm.
    Alarm,
    /// Its age.
    Age,
}

/// What became of a version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Fate {
    /// It is in the making, or waits.
    Open,
    /// A gate refused it.
    Refused,
    /// It became champion.
    Promoted,
    /// It was taken away, for the reason that stands on the record.
    RolledBack {
        /// `guard`, `harm`, `inconclusive` or `person`.
        reason: String,
    },
}

/// One version, or the run that was to make one.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) origin: Origin,
    /// The scene that started it.
    pub(super) scene: Option<String>,
    pub(super) version: Option<u64>,
    /// Rows that it was trained on.
    pub(super) rows: Option<u64>,
    pub(super) gates: Vec<(String, String)>,
    pub(super) rollout: Option<DataTime>,
    /// What share of the keys each canary step answers, in basis points.
    pub(super) weights: Vec<u64>,
    pub(super) ended: Option<DataTime>,
    pub(super) fate: Fate,
}

/// One alarm.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) family: String,
    /// The series that went off.
    pub(super) series: Vec<String>,
}

/// Everything so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By pipeline run.
    pub(super) candidates: BTreeMap<String, Candidate>,
    /// Runs in the order in which they started.
    pub(super) order: Vec<String>,
    pub(super) alarms: Vec<Alarm>,
    /// The scene that each run was started by.
    pub(super) scenes: BTreeMap<String, String>,
    /// Who became champion when.
    pub(super) reigns: Vec<(u64, DataTime)>,
}

/// The instant at a place of a document.
pub(super) fn instant(document: &Value, place: &str) -> Option<DataTime> {
    document.pointer(place).and_then(Value::as_i64).map(DataTime::from_micros)
}

/// The id of what an event is about.
pub(super) fn about(event: &Value) -> &str {
    text(event, "/subject").split_once(':').map_or("", |(_, id)| id)
}

impl Ledger {
    /// Takes in an event. `now` is the replay's data time.
    pub(super) fn take(&mut self, event: &Value, now: DataTime) {
        match text(event, "/kind") {
            "pipeline_run.started" => self.started(event),
            "step.accepted" => self.accepted(event, now),
            "gates.evaluated" => self.judged(event),
            "alarm.raised" => self.alarms.push(Alarm::of(event)),
            "rollout.started" => {
                let at = instant(event, "/body/state/started_at");
                if let Some(candidate) = self.of_version(version(event)) {
                    candidate.rollout = at;
                    candidate.weights = weights(event);
                }
            }
            kind @ ("rollout.promoted" | "rollout.rolled_back" | "rollout.aborted") => {
                self.ended(event, kind == "rollout.promoted", now);
            }
            _ => {}
        }
    }

    fn started(&mut self, event: &Value) {
        let run = about(event).to_owned();
        let scene = self.scenes.get(&run).cloned();
        let family = text(event, "/body/cause/evidence/family");
        let origin = match (&scene, text(event, "/body/cause/kind"), family) {
            (Some(_), ..) => Origin::Script,
            (None, "event", "age") => Origin::Age,
            (None, "event", _) => Origin::Alarm,
            _ => Origin::First,
        };
        let candidate = Candidate {
            origin,
            scene,
            version: None,
            rows: None,
            gates: Vec::new(),
            rollout: None,
            weights: Vec::new(),
            ended: None,
            fate: Fate::Open,
        };
        self.order.push(run.clone());
        self.candidates.insert(run, candidate);
    }

    fn accepted(&mut self, event: &Value, now: DataTime) {
        let output = event.pointer("/body/output/value").unwrap_or(&Value::Null);
        let Some(candidate) = self.candidates.get_mut(text(event, "/body/run")) else { return };
        match text(event, "/body/step") {
            "train" => candidate.rows = output.get("rows").and_then(Value::as_u64),
            "register" => candidate.version = output.get("version").and_then(Value::as_u64),
            "gate" if output.get("passed") == Some(&Value::Bool(false)) => candidate.fate = Fate::Refused,
            "rollout" if candidate.rollout.is_none() && text(output, "/outcome") == "promoted" => {
                candidate.fate = Fate::Promoted;
                self.reigns.extend(candidate.version.map(|version| (version, now)));
            }
            _ => {}
        }
    }

    fn judged(&mut self, event: &Value) {
        let gates = event.pointer("/body/gates").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(candidate) = self.of_version(event.pointer("/body/version").and_then(Value::as_u64)) else {
            return;
        };
        let gate = |gate: &Value| (text(gate, "/name").to_owned(), text(gate, "/verdict").to_owned());
        candidate.gates = gates.iter().map(gate).collect();
    }

    fn ended(&mut self, event: &Value, is_promoted: bool, now: DataTime) {
        let at = instant(event, "/body/state/entered_at").unwrap_or(now);
        let reason = event.pointer("/body/detail/verdict/reason").and_then(Value::as_str).unwrap_or("person");
        let found = version(event);
        if let Some(candidate) = self.of_version(found) {
            candidate.ended = Some(at);
            candidate.fate =
                if is_promoted { Fate::Promoted } else { Fate::RolledBack { reason: reason.to_owned() } };
        }
        if is_promoted {
            self.reigns.extend(found.map(|version| (version, at)));
        }
    }

    /// The candidate that was registered as a version.
    pub(super) fn of_version(&mut self, version: Option<u64>) -> Option<&mut Candidate> {
        let version = version?;
        self.candidates.values_mut().find(|candidate| candidate.version == Some(version))
    }
}

/// The weights of the canary steps in a plan.
fn weights(event: &Value) -> Vec<u64> {
    let steps = event.pointer("/body/detail/plan/steps").and_then(Value::as_array);
    let weight = |step: &Value| step.get("weight").and_then(Value::as_u64);
    steps.map(|steps| steps.iter().filter_map(weight).collect()).unwrap_or_default()
}

/// The candidate of a rollout's event.
pub(super) fn version(event: &Value) -> Option<u64> {
    event.pointer("/body/candidate/version").and_then(Value::as_u64)
}

impl Alarm {
    fn of(event: &Value) -> Self {
        let signals = event.pointer("/body/cause/signals").and_then(Value::as_array);
        let name = |signal: &Value| text(signal, "/series/name").to_owned();
        Self {
            family: text(event, "/body/family").to_owned(),
            series: signals.map(|all| all.iter().map(name).collect()).unwrap_or_default(),
        }
    }
}
