//! One span, whole.

use std::fmt::Write as _;

use mainstay_core::error::StorageError;
use mainstay_traces::id::SpanId;
use mainstay_traces::span::Span;
use mainstay_traces::span_text::{members, text, value};
use mainstay_traces::stored::StoredSpans;

/// Reads a span, and writes it as JSON.
pub(super) fn read(spans: &StoredSpans, id: SpanId) -> Result<Option<String>, StorageError> {
    let unpacked = spans.unpack()?;
    let spans: Vec<Span<&str>> = unpacked.read()?;
    Ok(spans.iter().find(|span| span.id == id).map(written))
}

fn written(span: &Span<&str>) -> String {
    let mut out = format!("{{\"id\": \"{}\", \"parent\": ", span.id);
    match span.parent {
        // Writing to a text does not fail.
        Some(parent) => drop(write!(out, "\"{parent}\"")),
        None => out.push_str("null"),
    }
    out.push_str(", \"name\": ");
    text(&mut out, span.name);
    let _ = write!(out, ", \"kind\": \"{}\", \"type\": ", span.kind.as_str());
    match span.span_type() {
        Some(kind) => text(&mut out, &kind),
        None => out.push_str("null"),
    }
    let _ = write!(out, ", \"start_ns\": \"{}\", \"end_ns\": ", span.start_ns);
    match span.end_ns {
        Some(end) => drop(write!(out, "\"{end}\"")),
        None => out.push_str("null"),
    }
    let _ = write!(out, ", \"status\": \"{}\", \"message\": ", span.status.short_name());
    text(&mut out, span.message);
    out.push_str(", \"attributes\": ");
    members(&mut out, &span.attributes, value);
    out.push_str(", \"events\": [");
    for (at, event) in span.events.iter().enumerate() {
        out.push_str(if at == 0 { "{\"name\": " } else { ", {\"name\": " });
        text(&mut out, event.name);
        let _ = write!(out, ", \"time_ns\": \"{}\", \"attributes\": ", event.time_ns);
        members(&mut out, &event.attributes, value);
        out.push('}');
    }
    out.push_str("], \"links\": [");
    for (at, link) in span.links.iter().enumerate() {
        out.push_str(if at == 0 { "{\"trace\": " } else { ", {\"trace\": " });
        text(&mut out, link.trace.as_str());
        let _ = write!(out, ", \"span\": \"{}\", \"attributes\": ", link.span);
        members(&mut out, &link.attributes, value);
        out.push('}');
    }
    out.push_str("]}");
    out
}

#[cfg(test)]
mod tests {
    use mainstay_traces::block;
    use mainstay_traces::id::TraceId;
    use mainstay_traces::span::{Attribute, SpanEvent, SpanKind, SpanLink, StatusCode};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_span_is_told_whole() {
        let attribute = |key: &str, value: &str| Attribute { key: key.into(), value: value.into() };
        let span = Span {
            id: SpanId([1; 8]),
            parent: Some(SpanId([2; 8])),
            name: "a \"b\"".to_owned(),
            kind: SpanKind::Client,
            start_ns: 1_763_769_600_000_000_001,
            end_ns: None,
            status: StatusCode::Error,
            message: "no".into(),
            attributes: vec![attribute("mlflow.spanType", "\"LLM\""), attribute("in", r#"{"q": [1]}"#)],
            events: vec![SpanEvent { name: "e".into(), time_ns: 2, attributes: vec![attribute("n", "7")] }],
            links: vec![SpanLink {
                trace: TraceId::from_otel([3; 16]),
                span: SpanId([4; 8]),
                attributes: Vec::new(),
            }],
        };
        let stored = StoredSpans::new(vec![block::encode(&[span]).unwrap().remove(0).bytes]);
        let told: Value = serde_json::from_str(&read(&stored, SpanId([1; 8])).unwrap().unwrap()).unwrap();
        let expected = json!({
            "id": "0101010101010101", "parent": "0202020202020202", "name": "a \"b\"", "kind": "SPAN_KIND_CLIENT",
            "type": "LLM", "start_ns": "1763769600000000001", "end_ns": null, "status": "ERROR", "message": "no",
            "attributes": {"mlflow.spanType": "LLM", "in": {"q": [1]}},
            "events": [{"name": "e", "time_ns": "2", "attributes": {"n": 7}}],
            "links": [{"trace": format!("tr-{}", "03".repeat(16)), "span": "0404040404040404", "attributes": {}}],
        });
        assert_eq!(told, expected);
        assert_eq!(read(&stored, SpanId([9; 8])).unwrap(), None);
    }
}
