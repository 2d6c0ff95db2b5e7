//! A span as the JSON text that a stock server keeps of it and clients store in files (`Span.to_dict`), spaced as
//! Python spaces it: what filters on `span.content` are written against. Attributes stay JSON texts, those of events
//! and links are values. What is not ASCII stays as it is, where Python would escape it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::id::TraceId;
use crate::span::{Attribute, Span};

/// Writes a span of a trace.
pub fn write_span<T: AsRef<str>>(out: &mut String, trace: &TraceId, span: &Span<T>) {
    out.push_str("{\"trace_id\": ");
    bytes(out, &trace.otel().unwrap_or_default());
    out.push_str(", \"span_id\": ");
    bytes(out, &span.id.0);
    out.push_str(", \"parent_span_id\": ");
    match span.parent {
        Some(parent) => bytes(out, &parent.0),
        None => out.push_str("null"),
    }
    out.push_str(", \"name\": ");
    text(out, span.name.as_ref());
    // Writing to a text does not fail.
    let _ = write!(
        out,
        ", \"kind\": \"{}\", \"start_time_unix_nano\": {}, \"end_time_unix_nano\": ",
        span.kind.as_str(),
        span.start_ns
    );
    match span.end_ns {
        Some(end) => drop(write!(out, "{end}")),
        None => out.push_str("null"),
    }
    out.push_str(", \"events\": ");
    list(out, &span.events, |out, event| {
        out.push_str("{\"name\": ");
        text(out, event.name.as_ref());
        let _ = write!(out, ", \"time_unix_nano\": {}, \"attributes\": ", event.time_ns);
        members(out, &event.attributes, value);
        out.push('}');
    });
    let _ = write!(out, ", \"status\": {{\"code\": \"{}\", \"message\": ", span.status.as_str());
    text(out, span.message.as_ref());
    out.push_str("}, \"attributes\": ");
    members(out, &span.attributes, text);
    out.push_str(", \"links\": ");
    list(out, &span.links, |out, link| {
        out.push_str("{\"trace_id\": ");
        text(out, link.trace.as_str());
        let _ = write!(out, ", \"span_id\": \"{}\", \"attributes\": ", link.span);
        members(out, &link.attributes, value);
        out.push('}');
    });
    out.push('}');
}

/// Writes a text in quotes.
pub fn text(out: &mut String, text: &str) {
    let is_plain = text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if is_plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        escaped(out, text);
    }
}

/// Writes a text in quotes, with what JSON escapes.
fn escaped(out: &mut String, text: &str) {
    out.reserve(text.len() + text.len() / 8 + 2);
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(text.get(plain..at).unwrap_or_default());
        if short.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(short);
        }
        plain = at + 1;
    }
    out.push_str(text.get(plain..).unwrap_or_default());
    out.push('"');
}

/// Writes the value of a JSON text; what is none is a text.
pub fn value(out: &mut String, json: &str) {
    if serde_json::from_str::<IgnoredAny>(json).is_ok() {
        out.push_str(json);
    } else {
        out.push_str(&Value::from(json).to_string());
    }
}

fn bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

fn list<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        write(out, item);
    }
    out.push(']');
}

/// Writes attributes as an object.
pub fn members<T: AsRef<str>>(out: &mut String, attributes: &[Attribute<T>], write: fn(&mut String, &str)) {
    out.push('{');
    for (at, attribute) in attributes.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        text(out, attribute.key.as_ref());
        out.push_str(": ");
        write(out, attribute.value.as_ref());
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::super::id::SpanId;
    use super::super::span::{SpanEvent, SpanKind, SpanLink, StatusCode};
    use super::*;

    #[test]
    fn attributes_stay_texts_and_those_of_events_are_values() {
        let attribute = |key: &str, value: &str| Attribute { key: key.into(), value: value.into() };
        let span = Span {
            id: SpanId([0; 8]),
            parent: None,
            name: "n".to_owned(),
            kind: SpanKind::Internal,
            start_ns: 1,
            end_ns: None,
            status: StatusCode::Ok,
            message: String::new(),
            attributes: vec![attribute("level", "10"), attribute("fruit", "\"apple\"")],
            events: vec![SpanEvent {
                name: "e".into(),
                time_ns: 2,
                attributes: vec![attribute("a", r#"{"b": 1}"#), attribute("broken", "{")],
            }],
            links: vec![SpanLink {
                trace: TraceId::from_otel([1; 16]),
                span: SpanId([2; 8]),
                attributes: Vec::new(),
            }],
        };
        let mut shown = String::new();
        write_span(&mut shown, &TraceId::from_otel([0; 16]), &span);
        // Made with `json.dumps` of Python 3 on the dictionary of such a span.
        let expected = concat!(
            r#"{"trace_id": "AAAAAAAAAAAAAAAAAAAAAA==", "span_id": "AAAAAAAAAAA=", "parent_span_id": null, "#,
            r#""name": "n", "kind": "SPAN_KIND_INTERNAL", "start_time_unix_nano": 1, "end_time_unix_nano": null, "#,
            r#""events": [{"name": "e", "time_unix_nano": 2, "attributes": {"a": {"b": 1}, "broken": "{"}}], "#,
            r#""status": {"code": "STATUS_CODE_OK", "message": ""}, "#,
            r#""attributes": {"level": "10", "fruit": "\"apple\""}, "#,
            r#""links": [{"trace_id": "tr-01010101010101010101010101010101", "span_id": "0202020202020202", "#,
            r#""attributes": {}}]}"#,
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn texts_are_escaped_as_json_has_it() {
        for odd in ["", "a", "é\u{1f600}", "a\"b\\c\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}z", "\"", "\\"] {
            let mut out = String::new();
            text(&mut out, odd);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), odd, "{out}");
        }
    }
}
