//! Spans: the steps of a trace.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::id::{SpanId, TraceId};

/// A name with a value, which is the text of a JSON value. Like spans as a whole, it owns its texts, or lends them
/// from a block at rest, which are then never copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<T = String> {
    /// The name.
    pub key: T,
    /// The text of a JSON value: as it came, or spaced as Python spaces it (`, ` and `: `).
    pub value: T,
}

/// On which side of a call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpanKind {
    /// Neither.
    #[default]
    Internal,
    /// It serves a call.
    Server,
    /// It makes a call.
    Client,
    /// It sends a message.
    Producer,
    /// It receives a message.
    Consumer,
}

impl SpanKind {
    /// Every kind, in the order of OpenTelemetry's numbers, which count from 1.
    pub const ALL: [Self; 5] = [Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// OpenTelemetry's number of it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
            Self::Producer => 4,
            Self::Consumer => 5,
        }
    }

    /// The kind of that number; what is unknown is internal.
    pub fn numbered(number: i64) -> Self {
        Self::ALL.into_iter().find(|kind| i64::from(kind.number()) == number).unwrap_or_default()
    }

    /// OpenTelemetry's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "SPAN_KIND_INTERNAL",
            Self::Server => "SPAN_KIND_SERVER",
            Self::Client => "SPAN_KIND_CLIENT",
            Self::Producer => "SPAN_KIND_PRODUCER",
            Self::Consumer => "SPAN_KIND_CONSUMER",
        }
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatusCode {
    /// Nobody said.
    #[default]
    Unset,
    /// Well.
    Ok,
    /// Badly.
    Error,
}

impl StatusCode {
    /// Every code, in the order of OpenTelemetry's numbers.
    pub const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];

    /// OpenTelemetry's number of it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Unset => 0,
            Self::Ok => 1,
            Self::Error => 2,
        }
    }

    /// The code of that number; what is unknown is unset.
    pub fn numbered(number: i64) -> Self {
        Self::ALL.into_iter().find(|code| i64::from(code.number()) == number).unwrap_or_default()
    }

    /// Its name in filters and sums.
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Ok => "OK",
            Self::Error => "ERROR",
        }
    }

    /// OpenTelemetry's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "STATUS_CODE_UNSET",
            Self::Ok => "STATUS_CODE_OK",
            Self::Error => "STATUS_CODE_ERROR",
        }
    }
}

/// Something that happened at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanEvent<T = String> {
    /// What.
    pub name: T,
    /// When: nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// More about it.
    pub attributes: Vec<Attribute<T>>,
}

/// A span of another trace, or of this one, that it has to do with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanLink<T = String> {
    /// The trace.
    pub trace: TraceId,
    /// The span in it.
    pub span: SpanId,
    /// More about it.
    pub attributes: Vec<Attribute<T>>,
}

/// One step of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<T = String> {
    /// Its name within the trace.
    pub id: SpanId,
    /// The step that it is part of; nothing for the root.
    pub parent: Option<SpanId>,
    /// What it does.
    pub name: T,
    /// On which side of a call.
    pub kind: SpanKind,
    /// When it began: nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// When it ended, likewise; nothing while it goes on.
    pub end_ns: Option<u64>,
    /// How it ended.
    pub status: StatusCode,
    /// What is said about how it ended.
    pub message: T,
    /// What is known of it, no key twice.
    pub attributes: Vec<Attribute<T>>,
    /// What happened in it.
    pub events: Vec<SpanEvent<T>>,
    /// What it has to do with.
    pub links: Vec<SpanLink<T>>,
}

/// The attribute that holds the type of a span.
pub const TYPE_ATTRIBUTE: &str = "mlflow.spanType";

impl<T: AsRef<str>> Span<T> {
    /// The JSON text of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.key.as_ref() == key);
        found.map(|attribute| attribute.value.as_ref())
    }

    /// The text that an attribute holds; of another value its JSON text.
    pub fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.attribute(key).filter(|json| *json != "null").map(unquoted)
    }

    /// Its type, if it has one.
    pub fn span_type(&self) -> Option<Cow<'_, str>> {
        self.text(TYPE_ATTRIBUTE)
    }
}

/// The text that a JSON text stands for: the content of a string, anything else as it is.
pub fn unquoted(json: &str) -> Cow<'_, str> {
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(plain) if !plain.contains(['\\', '"']) => Cow::Borrowed(plain),
        Some(_) => serde_json::from_str(json).map_or(Cow::Borrowed(json), Cow::Owned),
        None => Cow::Borrowed(json),
    }
}

/// The spans of a trace as they are shown: of those that came twice the last; roots first, then by start.
pub fn in_order<T>(spans: Vec<Span<T>>) -> Vec<Span<T>> {
    let mut at = HashMap::with_capacity(spans.len());
    let mut kept: Vec<Span<T>> = Vec::with_capacity(spans.len());
    for span in spans {
        match at.entry(span.id) {
            Entry::Occupied(known) => {
                if let Some(place) = kept.get_mut(*known.get()) {
                    *place = span;
                }
            }
            Entry::Vacant(free) => {
                free.insert(kept.len());
                kept.push(span);
            }
        }
    }
    kept.sort_by_key(|span| (span.parent.is_some(), span.start_ns));
    kept
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A span that ended well after a millisecond.
    pub(crate) fn span(id: u8, parent: Option<u8>, start_ms: u64) -> Span {
        Span {
            id: SpanId([id; 8]),
            parent: parent.map(|id| SpanId([id; 8])),
            name: format!("span {id}"),
            kind: SpanKind::Internal,
            start_ns: start_ms * 1_000_000,
            end_ns: Some((start_ms + 1) * 1_000_000),
            status: StatusCode::Ok,
            message: String::new(),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The span with one attribute more.
    pub(crate) fn with(mut span: Span, key: &str, value: &str) -> Span {
        span.attributes.push(Attribute { key: key.to_owned(), value: value.to_owned() });
        span
    }

    #[test]
    fn the_last_of_two_counts_and_roots_come_first() {
        let again = with(span(2, Some(1), 3), "k", "1");
        let sent = vec![span(2, Some(1), 3), span(3, Some(1), 1), again.clone(), span(1, None, 9)];
        assert_eq!(in_order(sent), [span(1, None, 9), span(3, Some(1), 1), again]);
    }

    #[test]
    fn numbers_that_nobody_knows_have_a_meaning() {
        assert_eq!(SpanKind::numbered(3), SpanKind::Client);
        assert_eq!((SpanKind::numbered(0), SpanKind::numbered(99)), (SpanKind::Internal, SpanKind::Internal));
        assert_eq!(
            (StatusCode::numbered(2), StatusCode::numbered(-1)),
            (StatusCode::Error, StatusCode::Unset)
        );
    }
}
