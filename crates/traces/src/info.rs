//! What is known of a trace as a whole.

use std::collections::BTreeMap;

use mainstay_core::text::{clip, exceeds};
use serde_json::Value;

use crate::error::TraceError;
use crate::id::TraceId;
use mainstay_core::experiment::{Experiment, ExperimentId, uri_below};
use mainstay_core::text::MAX_KEY;

/// Longest value of a tag or metadata, in characters; longer ones are cut.
pub const MAX_VALUE: usize = 8_000;
/// Longest name of a trace, in characters.
pub const MAX_NAME: usize = 4_096;
/// Longest session id, in characters.
pub const MAX_SESSION: usize = 250;
/// Longest client request id, in characters (`SqlTraceInfo.client_request_id`).
pub const MAX_CLIENT_REQUEST_ID: usize = 50;

/// Keys of tags and metadata that the server gives a meaning (`mlflow/tracing/constant.py`).
pub mod key {
    /// Tag: where the trace's artifacts lie.
    pub const ARTIFACT_LOCATION: &str = "mlflow.artifactLocation";
    /// Tag: where its spans lie.
    pub const SPANS_LOCATION: &str = "mlflow.trace.spansLocation";
    /// The spans lie in the tracking store.
    pub const TRACKING_STORE: &str = "TRACKING_STORE";
    /// Tag: where it is archived.
    pub const ARCHIVE_LOCATION: &str = "mlflow.trace.archiveLocation";
    /// Tag: why it could not be archived.
    pub const ARCHIVAL_FAILURE: &str = "mlflow.trace.archivalFailure";
    /// Tag: its name.
    pub const NAME: &str = "mlflow.traceName";
    /// Metadata: the client has told all that it knows.
    pub const FINALIZED: &str = "mlflow.trace.infoFinalized";
    /// Metadata: tokens used.
    pub const TOKEN_USAGE: &str = "mlflow.trace.tokenUsage";
    /// Metadata: what they cost.
    pub const COST: &str = "mlflow.trace.cost";
    /// Metadata: the conversation that it belongs to.
    pub const SESSION: &str = "mlflow.trace.session";
    /// Metadata: whom it served.
    pub const USER: &str = "mlflow.trace.user";
    /// Metadata: sizes of its spans, as the client counted them.
    pub const SIZE_STATS: &str = "mlflow.trace.sizeStats";
    /// Metadata: the run in which it was made.
    pub const SOURCE_RUN: &str = "mlflow.sourceRun";
}

/// Tags that only the server sets.
const OWN_TAGS: [&str; 4] =
    [key::ARTIFACT_LOCATION, key::SPANS_LOCATION, key::ARCHIVE_LOCATION, key::ARCHIVAL_FAILURE];

/// Whether only the server sets this tag.
pub fn is_own_tag(key: &str) -> bool {
    OWN_TAGS.contains(&key)
}

/// How far a trace is, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TraceState {
    /// Nobody said.
    #[default]
    Unspecified,
    /// It ended well.
    Ok,
    /// It ended badly.
    Error,
    /// It goes on.
    InProgress,
}

impl TraceState {
    /// Every state, in the order of their numbers in the protocol.
    pub const ALL: [Self; 4] = [Self::Unspecified, Self::Ok, Self::Error, Self::InProgress];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "STATE_UNSPECIFIED",
            Self::Ok => "OK",
            Self::Error => "ERROR",
            Self::InProgress => "IN_PROGRESS",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let state = Self::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or_else(|| TraceError::InvalidState(clip(text)))
    }
}

/// Tags, or metadata.
pub type Pairs = BTreeMap<String, String>;

/// What is known of a trace as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceInfo {
    /// Its name.
    pub id: TraceId,
    /// Its experiment.
    pub experiment: ExperimentId,
    /// When it began, by the client's clock: milliseconds since the Unix epoch.
    pub request_ms: i64,
    /// How long it took, in milliseconds; nothing while it goes on.
    pub duration_ms: Option<i64>,
    /// How far it is.
    pub state: TraceState,
    /// How the client calls the request.
    pub client_request_id: Option<String>,
    /// The beginning of what was asked.
    pub request_preview: Option<String>,
    /// The beginning of what was answered.
    pub response_preview: Option<String>,
    /// What its root is called, of the roots that came the last. A stock server knows none: where the trace has no
    /// name of its own, our lists and searches show this, and MLflow's API is silent.
    pub root_name: Option<String>,
    /// Its tags.
    pub tags: Pairs,
    /// Its metadata.
    pub metadata: Pairs,
}

impl TraceInfo {
    /// A trace of which only the beginning is known, in this experiment.
    pub fn begun(id: TraceId, experiment: &Experiment, request_ms: i64) -> Self {
        let location = uri_below(&experiment.artifact_location, &format!("traces/{id}/artifacts"));
        Self {
            id,
            experiment: experiment.id,
            request_ms,
            duration_ms: None,
            state: TraceState::InProgress,
            client_request_id: None,
            request_preview: None,
            response_preview: None,
            root_name: None,
            tags: [(key::ARTIFACT_LOCATION.to_owned(), location)].into(),
            metadata: Pairs::new(),
        }
    }

    /// When it ended: milliseconds since the Unix epoch.
    pub fn end_ms(&self) -> Option<i64> {
        self.duration_ms.map(|duration| self.request_ms.saturating_add(duration))
    }

    /// What it is called: by whoever named it, otherwise by its root.
    pub fn name(&self) -> Option<&str> {
        self.tags.get(key::NAME).or(self.root_name.as_ref()).map(String::as_str)
    }

    /// The conversation that it belongs to.
    pub fn session(&self) -> Option<&str> {
        self.metadata.get(key::SESSION).map(String::as_str)
    }

    /// Whom it served.
    pub fn user(&self) -> Option<&str> {
        self.metadata.get(key::USER).map(String::as_str)
    }

    /// How many tokens it used in all, as its metadata says.
    pub fn total_tokens(&self) -> Option<u64> {
        self.amount(key::TOKEN_USAGE, "total_tokens")?.as_u64()
    }

    /// What they cost in all, in US dollars, as its metadata says.
    pub fn total_cost(&self) -> Option<f64> {
        self.amount(key::COST, "total_cost")?.as_f64()
    }

    fn amount(&self, key: &str, name: &str) -> Option<Value> {
        let amounts: Value = serde_json::from_str(self.metadata.get(key)?).ok()?;
        amounts.get(name).cloned()
    }

    /// Whether the client has told all that it knows, so that spans change none of it.
    pub fn is_finalized(&self) -> bool {
        self.metadata.get(key::FINALIZED).is_some_and(|value| value == "true")
    }

    /// Whether these are all its spans: as many as the client counted, or any at all if it did not count.
    pub fn is_complete(&self, spans: usize) -> bool {
        spans as u64 >= self.counted_spans().unwrap_or(1)
    }

    /// How many spans the client counted.
    fn counted_spans(&self) -> Option<u64> {
        let stats: Value = serde_json::from_str(self.metadata.get(key::SIZE_STATS)?).ok()?;
        stats.get("num_spans")?.as_u64()
    }
}

/// Makes a text one that can be stored: without U+0000, which PostgreSQL cannot store.
pub fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Most tags, or pairs of metadata, that one call gives a trace.
pub const MAX_PAIRS: usize = 1_000;

/// Refuses more pairs than one call may give a trace.
pub(super) fn few(pairs: Pairs) -> Result<Pairs, TraceError> {
    if pairs.len() > MAX_PAIRS { Err(TraceError::TooManyPairs { limit: MAX_PAIRS }) } else { Ok(pairs) }
}

/// Pairs as a client sent them, made storable; long values are cut, long keys and too many pairs refused.
pub fn checked_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Pairs, TraceError> {
    let checked = |(key, value): (String, String)| {
        if exceeds(&key, MAX_KEY).is_some() {
            return Err(TraceError::TooLong { field: "key", limit: MAX_KEY });
        }
        Ok((storable(key), cut(storable(value))))
    };
    few(pairs.into_iter().map(checked).collect::<Result<_, _>>()?)
}

/// Cuts a value to its limit.
pub(crate) fn cut(value: String) -> String {
    cut_to(value, MAX_VALUE)
}

/// Cuts a text to so many characters.
pub(crate) fn cut_to(mut text: String, limit: usize) -> String {
    if let Some(at) = exceeds(&text, limit) {
        text.truncate(at);
    }
    text
}

/// Refuses a text that is too long.
pub(crate) fn at_most(field: &'static str, text: &str, limit: usize) -> Result<(), TraceError> {
    if exceeds(text, limit).is_some() { Err(TraceError::TooLong { field, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn info(metadata: &[(&str, &str)]) -> TraceInfo {
        TraceInfo {
            id: TraceId::parse("tr-1").unwrap(),
            experiment: ExperimentId(1),
            request_ms: 1_000,
            duration_ms: None,
            state: TraceState::Ok,
            client_request_id: None,
            request_preview: None,
            response_preview: None,
            root_name: None,
            tags: Pairs::new(),
            metadata: metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }

    #[test]
    fn complete_is_what_the_client_counted() {
        assert!(!info(&[]).is_complete(0));
        assert!(info(&[]).is_complete(1));
        let counted = info(&[(key::SIZE_STATS, r#"{"total_size_bytes": 9, "num_spans": 3}"#)]);
        assert!(!counted.is_complete(2));
        assert!(counted.is_complete(3) && counted.is_complete(4));
        for odd in ["", "[]", "{}", r#"{"num_spans": "3"}"#] {
            assert!(info(&[(key::SIZE_STATS, odd)]).is_complete(1), "{odd}");
        }
    }

    #[test]
    fn amounts_are_what_metadata_says() {
        let noted = info(&[
            (key::TOKEN_USAGE, r#"{"input_tokens": 3, "total_tokens": 7}"#),
            (key::COST, r#"{"total_cost": 0.25}"#),
            (key::SESSION, "s"),
        ]);
        assert_eq!((noted.total_tokens(), noted.total_cost()), (Some(7), Some(0.25)));
        assert_eq!((noted.session(), noted.user(), noted.name()), (Some("s"), None, None));
        let mut named = TraceInfo { root_name: Some("root".into()), ..info(&[]) };
        assert_eq!(named.name(), Some("root"));
        named.tags.insert(key::NAME.to_owned(), "chat".to_owned());
        assert_eq!(named.name(), Some("chat"));
        let odd = info(&[(key::TOKEN_USAGE, "[]"), (key::COST, "x")]);
        assert_eq!((odd.total_tokens(), odd.total_cost()), (None, None));
    }

    #[test]
    fn pairs_are_made_storable() {
        let pairs = [("a\0".to_owned(), "é".repeat(8_001))];
        let checked = checked_pairs(pairs).unwrap();
        assert_eq!(checked["a\u{fffd}"].chars().count(), MAX_VALUE);
        assert!(checked_pairs([("k".repeat(251), String::new())]).is_err());
        let many = |n: usize| (0..n).map(|n| (n.to_string(), String::new()));
        assert_eq!(checked_pairs(many(MAX_PAIRS)).unwrap().len(), MAX_PAIRS);
        assert!(matches!(checked_pairs(many(MAX_PAIRS + 1)), Err(TraceError::TooManyPairs { .. })));
    }
}
