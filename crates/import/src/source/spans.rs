//! `spans.content`: a span as `mlflow.entities.Span.to_dict` writes it, of today and since 3.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::span::{Attribute, Span, SpanEvent, SpanKind, SpanLink, StatusCode};
use serde_json::{Map, Value};

/// Reads a span; `None` if it is none.
pub(super) fn read(content: &str) -> Option<Span> {
    let content: Value = serde_json::from_str(content).ok()?;
    let parent = content.get("parent_span_id").filter(|id| !id.is_null() && *id != "");
    let kind = content.get("kind").and_then(Value::as_str);
    let status = content.get("status")?;
    let code = status.get("code").and_then(Value::as_str).unwrap_or_default();
    Some(Span {
        id: id(content.get("span_id")?)?,
        parent: parent.map(|parent| id(parent).ok_or(())).transpose().ok()?,
        name: content.get("name")?.as_str()?.to_owned(),
        kind: kind
            .and_then(|name| SpanKind::ALL.into_iter().find(|kind| kind.as_str() == name))
            .unwrap_or_default(),
        start_ns: nanos(content.get("start_time_unix_nano")?)?,
        end_ns: content.get("end_time_unix_nano").and_then(nanos),
        // 3.5.0 wrote the short name.
        status: StatusCode::ALL
            .into_iter()
            .find(|status| {
                status.as_str() == code || status.as_str().strip_prefix("STATUS_CODE_") == Some(code)
            })
            .unwrap_or_default(),
        message: status.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        attributes: dumped(content.get("attributes")),
        events: each(content.get("events"), |event| {
            Some(SpanEvent {
                name: event.get("name")?.as_str()?.to_owned(),
                time_ns: nanos(event.get("time_unix_nano")?)?,
                attributes: raw(event.get("attributes")),
            })
        })?,
        links: each(content.get("links"), |link| {
            Some(SpanLink {
                trace: TraceId::parse(link.get("trace_id")?.as_str()?).ok()?,
                span: id(link.get("span_id")?)?,
                attributes: raw(link.get("attributes")),
            })
        })?,
    })
}

/// An id in base64, or in hexadecimal as 3.5.0 wrote it.
fn id(value: &Value) -> Option<SpanId> {
    let text = value.as_str()?;
    let mut bytes = [0; 8];
    if hex::decode_to_slice(text, &mut bytes).is_ok() {
        return Some(SpanId(bytes));
    }
    Some(SpanId(STANDARD.decode(text).ok()?.try_into().ok()?))
}

fn nanos(value: &Value) -> Option<u64> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(number).filter(|number| *number > 0)
}

/// Attributes whose values are JSON texts already.
fn dumped(attributes: Option<&Value>) -> Vec<Attribute> {
    pairs(attributes, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Attributes whose values are what they are.
fn raw(attributes: Option<&Value>) -> Vec<Attribute> {
    pairs(attributes, Value::to_string)
}

fn pairs(attributes: Option<&Value>, text: fn(&Value) -> String) -> Vec<Attribute> {
    let attributes: Option<&Map<String, Value>> = attributes.and_then(Value::as_object);
    let attribute = |(key, value): (&String, &Value)| Attribute { key: key.clone(), value: text(value) };
    attributes.into_iter().flatten().map(attribute).collect()
}

fn each<T>(list: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    list.and_then(Value::as_array).map_or(Some(Vec::new()), |list| list.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_a_stock_server_writes_them() {
        let content = r#"{"trace_id": "qrvM3e7/ABEiM0RVZneImQ==", "span_id": "AAAAAAAAAAE=", "parent_span_id": null,
            "name": "ask", "kind": "SPAN_KIND_CLIENT", "start_time_unix_nano": 1700000000000000001,
            "end_time_unix_nano": 1700000000000000009, "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
            "events": [{"name": "exception", "time_unix_nano": 5, "attributes": {"exception.type": "E", "n": 1}}],
            "attributes": {"mlflow.traceRequestId": "\"tr-1\"", "mlflow.spanInputs": "{\"q\": 1}"},
            "links": [{"trace_id": "tr-2", "span_id": "0000000000000002", "attributes": {"a": "b"}}]}"#;
        let span = read(content).unwrap();
        assert_eq!((span.id, span.parent), (SpanId([0, 0, 0, 0, 0, 0, 0, 1]), None));
        assert_eq!(
            (span.kind, span.status, span.message.as_str()),
            (SpanKind::Client, StatusCode::Error, "no")
        );
        assert_eq!(
            (span.start_ns, span.end_ns),
            (1_700_000_000_000_000_001, Some(1_700_000_000_000_000_009))
        );
        assert_eq!(span.attribute("mlflow.traceRequestId"), Some("\"tr-1\""));
        assert_eq!(span.events[0].attributes[0].value, "\"E\"");
        assert_eq!(span.events[0].attributes[1].value, "1");
        assert_eq!(span.links[0].span, SpanId([0, 0, 0, 0, 0, 0, 0, 2]));

        let older = r#"{"span_id": "0000000000000001", "parent_span_id": "0000000000000003", "name": "x",
            "start_time_unix_nano": 7, "end_time_unix_nano": null, "status": {"code": "OK"}, "attributes": {}}"#;
        let span = read(older).unwrap();
        assert_eq!((span.status, span.end_ns, span.kind), (StatusCode::Ok, None, SpanKind::Internal));
        assert!(read("{}").is_none() && read("x").is_none());
    }
}
