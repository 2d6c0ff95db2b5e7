//! Spans as a stock server keeps them, and as the files are written that clients load traces from
//! (`Span.to_dict`): attributes stay JSON texts, those of events and links are values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstay_tracking::trace::id::TraceId;
use mainstay_tracking::trace::span::{Attribute, Span};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// `{"spans": […]}`.
#[derive(Serialize)]
pub(super) struct StoredTrace<'a> {
    spans: Vec<StoredSpan<'a>>,
}

#[derive(Serialize)]
struct StoredSpan<'a> {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    name: &'a str,
    kind: &'static str,
    start_time_unix_nano: u64,
    end_time_unix_nano: Option<u64>,
    events: Vec<StoredEvent<'a>>,
    status: StoredStatus<'a>,
    #[serde(serialize_with = "texts")]
    attributes: &'a [Attribute],
    links: Vec<StoredLink<'a>>,
}

#[derive(Serialize)]
struct StoredEvent<'a> {
    name: &'a str,
    time_unix_nano: u64,
    #[serde(serialize_with = "values")]
    attributes: &'a [Attribute],
}

#[derive(Serialize)]
struct StoredStatus<'a> {
    code: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct StoredLink<'a> {
    trace_id: &'a str,
    span_id: String,
    #[serde(serialize_with = "values")]
    attributes: &'a [Attribute],
}

impl<'a> StoredTrace<'a> {
    /// The spans of a trace.
    pub(super) fn new(trace: &TraceId, spans: &'a [Span]) -> Self {
        let trace = STANDARD.encode(trace.otel().unwrap_or_default());
        Self { spans: spans.iter().map(|span| stored(&trace, span)).collect() }
    }
}

fn stored<'a>(trace: &str, span: &'a Span) -> StoredSpan<'a> {
    StoredSpan {
        trace_id: trace.to_owned(),
        span_id: STANDARD.encode(span.id.0),
        parent_span_id: span.parent.map(|parent| STANDARD.encode(parent.0)),
        name: &span.name,
        kind: span.kind.as_str(),
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns,
        events: span
            .events
            .iter()
            .map(|event| StoredEvent {
                name: &event.name,
                time_unix_nano: event.time_ns,
                attributes: &event.attributes,
            })
            .collect(),
        status: StoredStatus { code: span.status.as_str(), message: &span.message },
        attributes: &span.attributes,
        links: span
            .links
            .iter()
            .map(|link| StoredLink {
                trace_id: link.trace.as_str(),
                span_id: link.span.to_string(),
                attributes: &link.attributes,
            })
            .collect(),
    }
}

/// The texts, by key.
fn texts<S: Serializer>(attributes: &&[Attribute], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|attribute| (&attribute.key, &attribute.value)))
}

/// What the texts stand for, by key.
fn values<S: Serializer>(attributes: &&[Attribute], serializer: S) -> Result<S::Ok, S::Error> {
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    serializer.collect_map(attributes.iter().map(|attribute| (&attribute.key, value(&attribute.value))))
}

#[cfg(test)]
mod tests {
    use mainstay_tracking::trace::id::SpanId;
    use mainstay_tracking::trace::span::{SpanEvent, SpanKind, SpanLink, StatusCode};
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_stay_texts_and_those_of_events_are_values() {
        let attribute = |key: &str, value: &str| Attribute { key: key.into(), value: value.into() };
        let span = Span {
            id: SpanId([0; 8]),
            parent: None,
            name: "n".into(),
            kind: SpanKind::Internal,
            start_ns: 1,
            end_ns: None,
            status: StatusCode::Ok,
            message: String::new(),
            attributes: vec![attribute("level", "10"), attribute("fruit", "\"apple\"")],
            events: vec![SpanEvent {
                name: "e".into(),
                time_ns: 2,
                attributes: vec![attribute("a", r#"{"b": 1}"#)],
            }],
            links: vec![SpanLink {
                trace: TraceId::from_otel([1; 16]),
                span: SpanId([2; 8]),
                attributes: Vec::new(),
            }],
        };
        let spans = [span];
        let shown = serde_json::to_value(StoredTrace::new(&TraceId::from_otel([0; 16]), &spans)).unwrap();
        let expected = json!({"spans": [{
            "trace_id": "AAAAAAAAAAAAAAAAAAAAAA==",
            "span_id": "AAAAAAAAAAA=",
            "parent_span_id": null,
            "name": "n",
            "kind": "SPAN_KIND_INTERNAL",
            "start_time_unix_nano": 1,
            "end_time_unix_nano": null,
            "events": [{"name": "e", "time_unix_nano": 2, "attributes": {"a": {"b": 1}}}],
            "status": {"code": "STATUS_CODE_OK", "message": ""},
            "attributes": {"level": "10", "fruit": "\"apple\""},
            "links": [{"trace_id": "tr-01010101010101010101010101010101", "span_id": "0202020202020202",
                       "attributes": {}}],
        }]});
        assert_eq!(shown, expected);
    }
}
