//! What starts a pipeline: a person, the machine's clock, the data's clock, or a fact.

use std::collections::BTreeMap;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use mainstay_core::time::{DAY, DataTime, MachineTime, SECOND, civil, day_number};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{DefinitionError, Problem, Span};

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
        endpoint: String,
        /// When.
        cadence: Cadence,
    },
    /// When a fact is recorded.
    Event(EventFilter),
}

/// A rhythm on the data's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// At the times of a cron pattern, in UTC.
    Cron(Cron),
    /// At whole multiples of a length of time since 1970-01-01T00:00:00Z.
    Every(Span),
}

impl Cadence {
    /// The instants after `since` and not after `watermark`, oldest first, at most `limit`.
    pub fn due(&self, since: DataTime, watermark: DataTime, limit: usize) -> Vec<DataTime> {
        match self {
            Self::Cron(cron) => cron
                .instants(since.micros(), watermark.micros(), limit)
                .into_iter()
                .map(DataTime::from_micros)
                .collect(),
            Self::Every(span) => {
                let step = span.micros().max(SECOND);
                let first = since.micros().div_euclid(step).saturating_add(1).saturating_mul(step);
                std::iter::successors(Some(first), |at| at.checked_add(step))
                    .take_while(|at| *at <= watermark.micros())
                    .take(limit)
                    .map(DataTime::from_micros)
                    .collect()
            }
        }
    }
}

/// A cron pattern of five fields (minute, hour, day of month, month, day of week), in UTC. The syntax
/// is croner's (Vixie cron with `L`, `#` and `W`); a day must fit both day fields only if one of them
/// is `*`, as in POSIX.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    text: String,
    pattern: Box<croner::Cron>,
}

impl Cron {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let refused = || Problem::Cron(text.chars().take(100).collect());
        if text.len() > 200 {
            return Err(refused());
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let pattern = parser.parse(text).map_err(|_| refused())?;
        Ok(Self { text: text.to_owned(), pattern: Box::new(pattern) })
    }

    /// The instants after `since` and not after `now`, oldest first, at most `limit`.
    pub fn due(&self, since: MachineTime, now: MachineTime, limit: usize) -> Vec<MachineTime> {
        self.instants(since.micros(), now.micros(), limit).into_iter().map(MachineTime::from_micros).collect()
    }

    /// The first instant after `since`; `None` if the pattern never matches again.
    pub fn next(&self, since: MachineTime) -> Option<MachineTime> {
        self.instants(since.micros(), i64::MAX, 1).first().copied().map(MachineTime::from_micros)
    }

    fn instants(&self, since: i64, until: i64, limit: usize) -> Vec<i64> {
        let mut at = UtcSecond(since.div_euclid(SECOND).clamp(YEAR_1, YEAR_9999));
        let mut found = Vec::new();
        while found.len() < limit {
            match self.pattern.find_next_occurrence(&at, false) {
                Ok(next) if next.0.saturating_mul(SECOND) <= until => {
                    found.push(next.0.saturating_mul(SECOND));
                    at = next;
                }
                _ => break,
            }
        }
        found
    }
}

impl TryFrom<String> for Cron {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

/// Seconds since the Unix epoch in UTC, as croner's search wants to see time.
#[derive(Debug, Clone, Copy)]
struct UtcSecond(i64);

const DAY_SECONDS: i64 = DAY / SECOND;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: the years that a pattern is searched in.
const YEAR_1: i64 = -62_135_596_800;
const YEAR_9999: i64 = 253_402_300_799;

impl CronDateTime for UtcSecond {
    fn to_civil(&self) -> CivilDateTime {
        let (year, month, day) = civil(self.0.div_euclid(DAY_SECONDS));
        let second = u32::try_from(self.0.rem_euclid(DAY_SECONDS)).unwrap_or_default();
        let year = i32::try_from(year).unwrap_or(i32::MAX);
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(year, month, day),
            CivilTime::from_parts_unchecked(second / 3600, second / 60 % 60, second % 60),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        // 1970-01-01 was a Thursday.
        let days = self.0.div_euclid(DAY_SECONDS).rem_euclid(7);
        Weekday::Thursday.shift(i32::try_from(days).unwrap_or_default())
    }

    fn resolve_civil(&self, at: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let days = day_number(i64::from(at.year()), at.month(), at.day()).ok_or(CronError::InvalidDate)?;
        let second = i64::from(at.hour() * 3600 + at.minute() * 60 + at.second());
        Ok(Resolution::Single(Self(days * DAY_SECONDS + second)))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(seconds).map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// Facts that start a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// The kind of event, such as `alarm.raised`.
    pub kind: String,
    /// Dotted keys of the event's body and the values of which theirs must be one.
    pub requires: BTreeMap<String, Vec<Value>>,
}

impl EventFilter {
    /// Whether an event fits.
    pub fn matches(&self, kind: &str, body: &Value) -> bool {
        let value = |key: &str| key.split('.').try_fold(body, |value, part| value.get(part));
        kind == self.kind
            && self.requires.iter().all(|(key, allowed)| value(key).is_some_and(|v| allowed.contains(v)))
    }
}

impl Trigger {
    /// Reads the `on` of a definition: one trigger or a list of them.
    pub(crate) fn read(place: &str, value: &Value) -> Result<Vec<Self>, DefinitionError> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::Array(list) if list.len() > 100 => {
                Err(DefinitionError::TooLarge { of: "triggers", limit: 100 })
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
    let endpoint = map.get("endpoint").and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
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
        let expected = "a mapping of 'kind' and optionally 'where' with keys of the body and their values";
        DefinitionError::at(place, Problem::Expected(expected))
    };
    let map = value.as_object().ok_or_else(wrong)?;
    if map.keys().any(|key| !matches!(key.as_str(), "kind" | "where")) || map.len() > 20 {
        return Err(wrong());
    }
    let kind = map.get("kind").and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
    let requires = match map.get("where") {
        None => BTreeMap::new(),
        Some(Value::Object(requires)) => requires
            .iter()
            .map(|(key, value)| {
                let allowed = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                (key.clone(), allowed)
            })
            .collect(),
        Some(_) => return Err(wrong()),
    };
    Ok(Trigger::Event(EventFilter { kind, requires }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data(text: &str) -> DataTime {
        DataTime::parse(text).unwrap()
    }

    #[test]
    fn cron_fires_in_utc_after_since_and_up_to_now() {
        let at = |text: &str| MachineTime::from_micros(data(text).micros());
        let cron = Cron::parse("30 5 * * MON").unwrap();
        // 2013-01-07 was a Monday.
        let due = cron.due(at("2013-01-01"), at("2013-01-21T05:30:00Z"), 10);
        assert_eq!(due, [at("2013-01-07T05:30:00Z"), at("2013-01-14T05:30:00Z"), at("2013-01-21T05:30:00Z")]);
        assert_eq!(cron.due(at("2013-01-07T05:30:00Z"), at("2013-01-14T05:29:59Z"), 10), []);
        assert_eq!(cron.next(at("2013-01-07T05:29:59.5Z")), Some(at("2013-01-07T05:30:00Z")));
        let leap = Cron::parse("0 0 29 2 *").unwrap();
        assert_eq!(leap.next(at("2013-03-01")), Some(at("2016-02-29")));
        assert_eq!(Cron::parse("0 0 1 1 *").unwrap().next(at("1969-06-01")), Some(at("1970-01-01")));
    }

    #[test]
    fn cron_is_bounded_and_refuses_nonsense() {
        let minutely = Cron::parse("* * * * *").unwrap();
        assert_eq!(minutely.due(MachineTime::from_micros(0), MachineTime::MAX, 3).len(), 3);
        let never = Cron::parse("0 0 30 2 *").unwrap();
        assert_eq!(never.next(MachineTime::from_micros(0)), None);
        assert_eq!(minutely.due(MachineTime::MIN, MachineTime::MAX, 2).len(), 2);
        for bad in ["", "x", "* * * *", "* * * * * *", "60 * * * *", "0 0 0 * *"] {
            assert_eq!(Cron::parse(bad), Err(Problem::Cron(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn data_schedules_follow_the_watermark() {
        let weekly = Cadence::Every(Span::parse("7d").unwrap());
        let due = weekly.due(data("2013-01-01"), data("2013-01-20"), 10);
        assert_eq!(due, [data("2013-01-03"), data("2013-01-10"), data("2013-01-17")]);
        assert_eq!(weekly.due(data("2013-01-03"), data("2013-01-09T23:59:59Z"), 10), []);
        assert_eq!(weekly.due(data("2013-01-20"), data("2013-01-01"), 10), []);
        let monthly = Cadence::Cron(Cron::parse("0 0 1 * *").unwrap());
        assert_eq!(
            monthly.due(data("2013-01-01"), data("2013-03-01"), 10),
            [data("2013-02-01"), data("2013-03-01")]
        );
    }

    #[test]
    fn events_are_filtered_by_kind_and_body() {
        let value = json!({"event": {"kind": "alarm.raised", "where": {"endpoint": "flights", "alarm.kind": ["drift", "quality"]}}});
        let triggers = Trigger::read("on", &value).unwrap();
        let [Trigger::Event(filter)] = triggers.as_slice() else { panic!("{triggers:?}") };
        let body = json!({"endpoint": "flights", "alarm": {"kind": "drift"}});
        assert!(filter.matches("alarm.raised", &body));
        assert!(!filter.matches("alarm.cleared", &body));
        assert!(!filter.matches("alarm.raised", &json!({"endpoint": "flights", "alarm": {"kind": "age"}})));
        assert!(!filter.matches("alarm.raised", &json!({"endpoint": "flights"})));
    }

    #[test]
    fn wrong_triggers_name_their_place() {
        for (value, place) in [
            (json!(["manual", {"corn": "* * * * *"}]), "on[1].corn"),
            (json!({"cron": "x"}), "on.cron"),
            (json!([{"schedule": {"endpoint": "e"}}]), "on[0].schedule"),
            (json!([{"schedule": {"endpoint": "e", "every": "0s"}}]), "on[0].schedule"),
            (json!([{"event": {"where": {}}}]), "on[0].event"),
            (json!([3]), "on[0]"),
        ] {
            match Trigger::read("on", &value) {
                Err(DefinitionError::At { place: got, .. }) => assert_eq!(got, place),
                other => panic!("{other:?}"),
            }
        }
    }
}
