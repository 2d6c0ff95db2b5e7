//! A trace with its spans, as `traces/get` and `traces/batchGet` tell it: OpenTelemetry's span in protobuf's
//! JSON, ids in base64, names in snake case. Attributes are stored as JSON texts; each is written as the tagged
//! value that it stands for while it is read, without a tree in between.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstay_core::error::{Cause, StorageError};
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::span::{Attribute, Span, StatusCode};
use mainstay_traces::stored::StoredSpans;
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use crate::body::InfoBody;
use mainstay_mlflow::Error;

/// A trace with its spans in JSON. That takes a while for many spans, and whoever answers requests must not wait
/// for it.
pub(super) async fn trace_json(trace: AssessedTrace, spans: StoredSpans) -> Result<Vec<u8>, Error> {
    let writing = tokio::task::spawn_blocking(move || {
        let mut body = Vec::new();
        let unpacked = spans.unpack()?;
        write_trace(&mut body, trace, &unpacked.read::<&str>()?).map(|()| body)
    });
    writing.await.map_err(|error| StorageError::Failed(error.into()))?
}

/// Writes `{"trace_info": …, "spans": […]}`.
fn write_trace(out: &mut Vec<u8>, trace: AssessedTrace, spans: &[Span<&str>]) -> Result<(), Error> {
    let id = trace.info.id.otel().unwrap_or_default();
    out.extend_from_slice(b"{\"trace_info\":");
    serde_json::to_writer(&mut *out, &InfoBody::from(trace)).map_err(failed)?;
    out.extend_from_slice(b",\"spans\":[");
    for (at, span) in spans.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_span(out, &id, span);
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn failed(error: serde_json::Error) -> StorageError {
    StorageError::Failed(Cause::from(error))
}

fn write_span<T: AsRef<str>>(out: &mut Vec<u8>, trace: &[u8; 16], span: &Span<T>) {
    out.extend_from_slice(b"{\"trace_id\":");
    bytes(out, trace);
    out.extend_from_slice(b",\"span_id\":");
    bytes(out, &span.id.0);
    if let Some(parent) = span.parent {
        out.extend_from_slice(b",\"parent_span_id\":");
        bytes(out, &parent.0);
    }
    out.extend_from_slice(b",\"name\":");
    scalar(out, span.name.as_ref());
    out.extend_from_slice(b",\"kind\":");
    scalar(out, span.kind.as_str());
    time(out, "start_time_unix_nano", span.start_ns);
    time(out, "end_time_unix_nano", span.end_ns.unwrap_or(0));
    attributes(out, &span.attributes);
    list(out, "events", &span.events, |out, event| {
        out.extend_from_slice(b"{\"name\":");
        scalar(out, event.name.as_ref());
        time(out, "time_unix_nano", event.time_ns);
        attributes(out, &event.attributes);
        out.push(b'}');
    });
    list(out, "links", &span.links, |out, link| {
        out.extend_from_slice(b"{\"trace_id\":");
        bytes(out, &link.trace.otel().unwrap_or_default());
        out.extend_from_slice(b",\"span_id\":");
        bytes(out, &link.span.0);
        attributes(out, &link.attributes);
        out.push(b'}');
    });
    out.extend_from_slice(b",\"status\":{");
    if span.status != StatusCode::Unset {
        out.extend_from_slice(b"\"code\":");
        scalar(out, span.status.as_str());
    }
    if !span.message.as_ref().is_empty() {
        out.extend_from_slice(if span.status == StatusCode::Unset {
            b"\"message\":"
        } else {
            b",\"message\":"
        });
        scalar(out, span.message.as_ref());
    }
    out.extend_from_slice(b"}}");
}

/// What serde can write without fail: a text or a number.
fn scalar<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing to memory does not fail.
    drop(serde_json::to_writer(out, value));
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut text = [0; 24];
    // Ids have sixteen bytes at most.
    let length = STANDARD.encode_slice(bytes, &mut text).unwrap_or_default();
    out.push(b'"');
    out.extend_from_slice(text.get(..length).unwrap_or_default());
    out.push(b'"');
}

fn time(out: &mut Vec<u8>, name: &str, ns: u64) {
    if ns != 0 {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        scalar(out, &ns);
    }
}

/// A list, if there is anything in it.
fn list<T>(out: &mut Vec<u8>, name: &str, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    if items.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":[");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn attributes<T: AsRef<str>>(out: &mut Vec<u8>, attributes: &[Attribute<T>]) {
    list(out, "attributes", attributes, |out, attribute| {
        out.extend_from_slice(b"{\"key\":");
        scalar(out, attribute.key.as_ref());
        out.extend_from_slice(b",\"value\":");
        any_value(out, attribute.value.as_ref());
        out.push(b'}');
    });
}

/// The tagged value of a JSON text. A text that serde cannot read, since it is nested too deep, stays a text.
fn any_value(out: &mut Vec<u8>, json: &str) {
    if is_text(json) {
        out.extend_from_slice(b"{\"string_value\":");
        out.extend_from_slice(json.as_bytes());
        out.push(b'}');
        return;
    }
    let start = out.len();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let written = Tagged(&mut *out).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    if written.is_err() {
        out.truncate(start);
        out.extend_from_slice(b"{\"string_value\":");
        scalar(out, json);
        out.push(b'}');
    }
}

/// Whether a JSON text is a string that can be written as it stands. Surrogates, which come in pairs, only serde can
/// tell.
fn is_text(json: &str) -> bool {
    let Some(inner) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let is_plain = inner.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    is_plain || (!inner.contains("\\u") && serde_json::from_str::<IgnoredAny>(json).is_ok())
}

/// Writes what is read as an `AnyValue`.
struct Tagged<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Tagged<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Tagged<'_> {
    fn one<T: Serialize + ?Sized>(self, tag: &str, value: &T) {
        self.0.extend_from_slice(b"{\"");
        self.0.extend_from_slice(tag.as_bytes());
        self.0.extend_from_slice(b"\":");
        scalar(self.0, value);
        self.0.push(b'}');
    }
}

impl<'de> Visitor<'de> for Tagged<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.extend_from_slice(b"{}");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.one("bool_value", &value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.one("int_value", &value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.one("int_value", &value),
            Err(_) => self.one("double_value", &(value as f64)),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.one("double_value", &value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.one("string_value", value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let out = self.0;
        out.extend_from_slice(b"{\"array_value\":{\"values\":[");
        let start = out.len();
        loop {
            let before = out.len();
            if before > start {
                out.push(b',');
            }
            if items.next_element_seed(Tagged(&mut *out))?.is_none() {
                out.truncate(before);
                break;
            }
        }
        out.extend_from_slice(b"]}}");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let out = self.0;
        out.extend_from_slice(b"{\"kvlist_value\":{\"values\":[");
        let start = out.len();
        while let Some(key) = members.next_key::<String>()? {
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"key\":");
            scalar(out, key.as_str());
            out.extend_from_slice(b",\"value\":");
            members.next_value_seed(Tagged(&mut *out))?;
            out.push(b'}');
        }
        out.extend_from_slice(b"]}}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_traces::id::{SpanId, TraceId};
    use mainstay_traces::span::{SpanEvent, SpanKind, SpanLink};
    use serde_json::{Value, json};

    fn tagged(text: &str) -> Value {
        let mut out = Vec::new();
        any_value(&mut out, text);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn json_texts_become_tagged_values() {
        for (text, value) in [
            (r#""apple""#, json!({"string_value": "apple"})),
            (r#""a\"\\\nb""#, json!({"string_value": "a\"\\\nb"})),
            (r#""\ud83d\ude00""#, json!({"string_value": "\u{1f600}"})),
            ("7", json!({"int_value": 7})),
            ("-7", json!({"int_value": -7})),
            ("18446744073709551615", json!({"double_value": 18_446_744_073_709_551_615_f64})),
            ("0.5", json!({"double_value": 0.5})),
            ("true", json!({"bool_value": true})),
            ("null", json!({})),
            ("[]", json!({"array_value": {"values": []}})),
            ("[1, null]", json!({"array_value": {"values": [{"int_value": 1}, {}]}})),
            (
                r#"{"a": {"b": []}, "c": "d"}"#,
                json!({"kvlist_value": {"values": [
                    {"key": "a", "value": {"kvlist_value": {"values": [
                        {"key": "b", "value": {"array_value": {"values": []}}}]}}},
                    {"key": "c", "value": {"string_value": "d"}}]}}),
            ),
        ] {
            assert_eq!(tagged(text), value, "{text}");
        }
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        for text in [&deep, "{\"a\": ", "1 2", r#""\ud800""#, r#""a"b""#, r#"""#, "\"\n\""] {
            assert_eq!(tagged(text), json!({"string_value": text}));
        }
    }

    #[test]
    fn spans_are_written_as_protobuf_does() {
        let attribute = |key: &str, value: &str| Attribute { key: key.into(), value: value.into() };
        let mut span = Span {
            id: SpanId([0, 0, 0, 0, 0, 0, 0, 1]),
            parent: Some(SpanId([0; 8])),
            name: "\"test\"".into(),
            kind: SpanKind::Client,
            start_ns: 5,
            end_ns: None,
            status: StatusCode::Error,
            message: "no".into(),
            attributes: vec![attribute("fruit", r#""apple""#)],
            events: vec![SpanEvent { name: "e".into(), time_ns: 9, attributes: Vec::new() }],
            links: vec![SpanLink {
                trace: TraceId::from_otel([1; 16]),
                span: SpanId([2; 8]),
                attributes: vec![attribute("n", "1")],
            }],
        };
        let shown = |span: &Span| {
            let mut out = Vec::new();
            write_span(&mut out, &[0; 16], span);
            serde_json::from_slice::<Value>(&out).unwrap()
        };
        let full = json!({
            "trace_id": "AAAAAAAAAAAAAAAAAAAAAA==",
            "span_id": "AAAAAAAAAAE=",
            "parent_span_id": "AAAAAAAAAAA=",
            "name": "\"test\"",
            "kind": "SPAN_KIND_CLIENT",
            "start_time_unix_nano": 5,
            "attributes": [{"key": "fruit", "value": {"string_value": "apple"}}],
            "events": [{"name": "e", "time_unix_nano": 9}],
            "links": [{
                "trace_id": "AQEBAQEBAQEBAQEBAQEBAQ==",
                "span_id": "AgICAgICAgI=",
                "attributes": [{"key": "n", "value": {"int_value": 1}}],
            }],
            "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
        });
        assert_eq!(shown(&span), full);
        span =
            Span { parent: None, end_ns: Some(6), status: StatusCode::Unset, message: String::new(), ..span };
        let root = shown(&span);
        assert_eq!((&root["status"], &root["end_time_unix_nano"]), (&json!({}), &json!(6)));
        assert!(root.get("parent_span_id").is_none());
    }
}
