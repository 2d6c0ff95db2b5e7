//! What starts a pipeline: a person, the machine's clock, the data's clock, or a fact.
//!
//! A trigger counts from the revision of the pipeline in which it stands: a changed text begins anew, and
//! what the text before would still have started is not started. Each instant and each event starts at most one
//! run: [`schedule_name`] names the trigger, and the pair of that name and of the instant (or of the event's number) is
//! unique in the record.

mod cadence;
mod cron;
mod event;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::name::Name;
use mainstay_core::scope::Subject;
use mainstay_core::time::{DataTime, MachineTime};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use cadence::{CATCH_UP, Cadence};
pub use cron::Cron;
pub use event::{EventFilter, cause as event_cause, chain, data_time, run_of};
pub use standing::{Instant, Standing, standing};

use crate::definition::{DefinitionError, Problem, Span};
use crate::run::{Cause, CauseKind};

/// Most triggers of a pipeline.
const MAX_TRIGGERS: usize = 100;
/// Most keys, and most values of a key, that an event filter asks for.
const MAX_FILTER: usize = 20;

/// Something that starts runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person may start it; the default when nothing is said.
    Manual,
    /// At times of the machine's clock, in UTC.
    Cron(Cron),
    /// At times of the data's clock: fires when an endpoint's watermark passes them.
    Schedule {
        /// The endpoint whose watermark is followed.
        endpoint: Name,
        /// When.
        cadence: Cadence,
    },
    /// When a fact is recorded.
    Event(EventFilter),
}

impl Trigger {
    /// What it goes by.
    pub const fn kind(&self) -> CauseKind {
        match self {
            Self::Manual => CauseKind::Manual,
            Self::Cron(_) => CauseKind::Cron,
            Self::Schedule { .. } => CauseKind::Schedule,
            Self::Event(_) => CauseKind::Event,
        }
    }

    /// When it fires, for people.
    pub fn when(&self) -> String {
        match self {
            Self::Manual => "when a person starts it".to_owned(),
            Self::Cron(cron) => cron.as_str().to_owned(),
            Self::Schedule { endpoint, cadence } => format!("{cadence} of {endpoint}'s data"),
            Self::Event(filter) => filter.to_string(),
        }
    }
}

/// The name under which a trigger's firings are noted, such as `retrain@4/on[0]`: pipeline, revision, place.
pub fn schedule_name(pipeline: &Name, revision: u64, trigger: usize) -> String {
    format!("{pipeline}@{revision}/{}", place(trigger))
}

/// The place of a trigger in its definition.
fn place(trigger: usize) -> String {
    format!("on[{trigger}]")
}

/// From where a schedule counts, as it is first seen: from the watermark of its endpoint; before the first
/// data, from the beginning, which [`schedule_since`] makes the first data's time.
pub fn schedule_start(watermark: Option<DataTime>) -> DataTime {
    watermark.unwrap_or(DataTime::MIN)
}

/// After which instant a schedule fires: the one up to which it has fired or from which it counts, but not
/// before the data time at which the endpoint's data began.
pub fn schedule_since(since: DataTime, began: DataTime) -> DataTime {
    since.max(began)
}

/// Why a run is started at an instant of a cron pattern.
pub fn cron_cause(at: MachineTime, revision: u64, trigger: usize) -> Cause {
    let evidence = json!({ "revision": revision, "trigger": place(trigger), "at": at.to_string() });
    Cause { kind: CauseKind::Cron, evidence }
}

/// Why a run is started at an instant of a schedule: the endpoint's watermark passed it.
pub fn schedule_cause(
    endpoint: &Name,
    at: DataTime,
    watermark: DataTime,
    revision: u64,
    trigger: usize,
) -> Cause {
    let evidence = json!({
        "revision": revision,
        "trigger": place(trigger),
        "endpoint": endpoint,
        "at": at.to_string(),
        "watermark": watermark.to_string(),
    });
    Cause { kind: CauseKind::Schedule, evidence }
}

impl Trigger {
    /// Reads the `on` of a definition: one trigger or a list of them.
    pub(crate) fn read(place: &str, value: &Value) -> Result<Vec<Self>, DefinitionError> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::Array(list) if list.len() > MAX_TRIGGERS => {
                Err(DefinitionError::TooLarge { of: "triggers", limit: MAX_TRIGGERS })
            }
            Value::Array(list) => list
                .iter()
                .enumerate()
                .map(|(i, one)| Self::read_one(&format!("{place}[{i}]"), one))
                .collect(),
            Value::Object(map) => {
                map.iter().map(|(kind, argument)| Self::of_kind(place, kind, argument)).collect()
            }
            one => Self::read_one(place, one).map(|trigger| vec![trigger]),
        }
    }

    fn read_one(place: &str, value: &Value) -> Result<Self, DefinitionError> {
        match value {
            Value::String(kind) => Self::of_kind(place, kind, &Value::Null),
            Value::Object(map) if map.len() == 1 => map.iter().next().map_or_else(
                || Err(unknown(place, "")),
                |(kind, argument)| Self::of_kind(place, kind, argument),
            ),
            _ => Err(DefinitionError::at(
                place,
                Problem::Expected("'manual', or one of cron, schedule, event"),
            )),
        }
    }

    fn of_kind(place: &str, kind: &str, argument: &Value) -> Result<Self, DefinitionError> {
        let place = format!("{place}.{kind}");
        match kind {
            "manual" if argument.is_null() => Ok(Self::Manual),
            "cron" => Ok(Self::Cron(cron(&place, argument)?)),
            "schedule" => schedule(&place, argument),
            "event" => event(&place, argument),
            _ => Err(unknown(&place, kind)),
        }
    }
}

fn unknown(place: &str, kind: &str) -> DefinitionError {
    DefinitionError::at(place, Problem::Unknown(kind.to_owned()))
}

fn cron(place: &str, value: &Value) -> Result<Cron, DefinitionError> {
    let text = value
        .as_str()
        .ok_or_else(|| DefinitionError::at(place, Problem::Expected("a quoted cron pattern")))?;
    Cron::parse(text).map_err(|problem| DefinitionError::at(place, problem))
}

fn schedule(place: &str, value: &Value) -> Result<Trigger, DefinitionError> {
    let wrong = || {
        let expected = "a mapping of 'endpoint' and either 'every' (such as 7d) or 'cron'";
        DefinitionError::at(place, Problem::Expected(expected))
    };
    let map = value.as_object().filter(|map| map.len() == 2).ok_or_else(wrong)?;
    let endpoint = map.get("endpoint").and_then(Value::as_str).ok_or_else(wrong)?;
    let endpoint = Name::new(endpoint).map_err(|_| {
        DefinitionError::at(format!("{place}.endpoint"), Problem::Expected("the name of an endpoint"))
    })?;
    let cadence = match (map.get("cron"), map.get("every").and_then(Value::as_str)) {
        (Some(pattern), _) => Cadence::Cron(cron(&format!("{place}.cron"), pattern)?),
        (None, Some(text)) => {
            Cadence::Every(Span::parse(text).filter(|span| *span >= Span::seconds(1)).ok_or_else(wrong)?)
        }
        (None, None) => return Err(wrong()),
    };
    Ok(Trigger::Schedule { endpoint, cadence })
}

fn event(place: &str, value: &Value) -> Result<Trigger, DefinitionError> {
    let wrong = || {
        let expected = "a mapping of 'kind' and optionally 'subject' (such as model:flights) and 'where' with at most \
            20 keys of the body and their values";
        DefinitionError::at(place, Problem::Expected(expected))
    };
    let map = value.as_object().ok_or_else(wrong)?;
    if map.keys().any(|key| !matches!(key.as_str(), "kind" | "subject" | "where")) {
        return Err(wrong());
    }
    let kind = map.get("kind").and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
    let one_or_more = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let fits = |values: &Vec<Value>| (1..=MAX_FILTER).contains(&values.len());
    let subjects = match map.get("subject").map(one_or_more) {
        None => BTreeSet::new(),
        Some(subjects) if fits(&subjects) => {
            let subject = |value: &Value| Some(Subject::parse(value.as_str()?)?.to_string());
            subjects.iter().map(|value| subject(value).ok_or_else(wrong)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(wrong()),
    };
    let requires = match map.get("where") {
        None => BTreeMap::new(),
        Some(Value::Object(requires)) if requires.len() <= MAX_FILTER => {
            requires.iter().map(|(key, value)| (key.clone(), one_or_more(value))).collect()
        }
        Some(_) => return Err(wrong()),
    };
    if !requires.values().all(fits) {
        return Err(wrong());
    }
    Ok(Trigger::Event(EventFilter { kind, subjects, requires }))
}

#[cfg(test)]
mod tests;
