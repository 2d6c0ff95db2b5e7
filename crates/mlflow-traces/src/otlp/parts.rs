//! How many parts a request has, counted before any of them is built: two bytes can stand for a span, which takes
//! some hundred in memory, so a limit on bytes alone does not bound what a request costs.

/// Most parts of a request: spans, attributes, events, links and values, with what holds them. A span of ten
/// attributes has 21.
pub(super) const MAX_PARTS: usize = 1 << 20;

/// As deep as messages are read; deeper ones are refused by those who read them.
const MAX_DEPTH: usize = 100;

/// A message, as far as others are in it.
#[derive(Debug, Clone, Copy)]
enum Holder {
    Request,
    ResourceSpans,
    /// `Resource` and `KeyValueList`, which both have attributes in the first field.
    Attributes,
    ScopeSpans,
    Span,
    Event,
    Link,
    KeyValue,
    AnyValue,
    ArrayValue,
}

impl Holder {
    /// What is in the field of that number, if it is a part.
    const fn field(self, number: usize) -> Option<Self> {
        Some(match (self, number) {
            (Self::Request, 1) => Self::ResourceSpans,
            (Self::ResourceSpans, 1) | (Self::AnyValue, 6) => Self::Attributes,
            (Self::ResourceSpans, 2) => Self::ScopeSpans,
            (Self::ScopeSpans, 2) => Self::Span,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Span, 9) | (Self::Event, 3) | (Self::Link, 4) | (Self::Attributes, 1) => Self::KeyValue,
            (Self::KeyValue, 2) | (Self::ArrayValue, 1) => Self::AnyValue,
            (Self::AnyValue, 5) => Self::ArrayValue,
            _ => return None,
        })
    }
}

/// The parts of a request in protobuf. What is broken is counted as far as it can be read, which is as far as
/// anything is built of it.
pub(super) fn of_protobuf(body: &[u8]) -> usize {
    let mut open = vec![(Holder::Request, body)];
    let mut parts = 0;
    while let Some((holder, rest)) = open.last_mut() {
        match next_part(*holder, rest) {
            Some(part) => {
                parts += 1;
                if open.len() < MAX_DEPTH {
                    open.push(part);
                }
            }
            None => drop(open.pop()),
        }
    }
    parts
}

/// The next part of a message, taken off its front with all before it.
fn next_part<'a>(holder: Holder, rest: &mut &'a [u8]) -> Option<(Holder, &'a [u8])> {
    loop {
        let key = varint(rest)?;
        let skipped = match key & 7 {
            0 => varint(rest).map(|_| 0)?,
            1 => 8,
            2 => varint(rest)?,
            // A group is a pair of marks around fields, which are counted as if they stood without it.
            3 | 4 => 0,
            5 => 4,
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(skipped)?;
        *rest = after;
        if key & 7 == 2
            && let Some(part) = holder.field(key >> 3)
        {
            return Some((part, content));
        }
    }
}

fn varint(rest: &mut &[u8]) -> Option<usize> {
    prost::decode_length_delimiter(rest).ok()
}

/// The parts of a request in JSON: objects and lists, outside of texts.
pub(super) fn of_json(body: &[u8]) -> usize {
    let (mut parts, mut in_text, mut is_escaped) = (0, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => parts += 1,
            _ => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::message::{
        AnyValue, ArrayValue, Event, ExportTraceServiceRequest, KeyValue, KeyValueList, Link, Resource,
        ResourceSpans, ScopeSpans, Span, Value,
    };
    use super::*;

    fn pair(value: Option<Value>) -> KeyValue {
        KeyValue { key: "k".into(), value: value.map(|value| AnyValue { value: Some(value) }) }
    }

    #[test]
    fn every_kind_of_part_is_counted() {
        let list = ArrayValue { values: vec![AnyValue { value: None }, AnyValue { value: None }] };
        let map = KeyValueList { values: vec![pair(None)] };
        let span = Span {
            name: "{[".into(),
            start_time_unix_nano: 7,
            kind: 3,
            // Pair, value, list, two values; pair, value, map, pair; pair, value.
            attributes: vec![
                pair(Some(Value::Array(list))),
                pair(Some(Value::Map(map))),
                pair(Some(Value::Double(1.0))),
            ],
            events: vec![Event { attributes: vec![pair(None)], ..Event::default() }],
            links: vec![Link { attributes: vec![pair(None)], ..Link::default() }],
            ..Span::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource { attributes: vec![pair(None)] }),
                scope_spans: vec![ScopeSpans { spans: vec![span, Span::default()] }],
            }],
        };
        assert_eq!(of_protobuf(&request.encode_to_vec()), 4 + 2 + 11 + 2 + 2);
    }

    #[test]
    fn what_is_broken_or_deep_ends() {
        for broken in
            [&b"\x0a"[..], b"\x0a\x05\x12", b"\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert_eq!(of_protobuf(broken), 0, "{broken:?}");
        }
        // Marks of groups hide nothing.
        assert_eq!(of_protobuf(b"\x13\x0a\x00\x14\x0a\x00"), 2);
        let mut value = AnyValue { value: None };
        for _ in 0..200 {
            value = AnyValue { value: Some(Value::Array(ArrayValue { values: vec![value] })) };
        }
        let deep = Resource { attributes: vec![KeyValue { key: String::new(), value: Some(value) }] };
        let spans = ResourceSpans { resource: Some(deep), scope_spans: Vec::new() };
        let request = ExportTraceServiceRequest { resource_spans: vec![spans] };
        assert_eq!(of_protobuf(&request.encode_to_vec()), MAX_DEPTH);
    }

    #[test]
    fn braces_in_texts_are_none() {
        assert_eq!(of_json(br#"{"a": [{}, "{[\"{\\"], "b\\": {}}"#), 4);
        assert_eq!(of_json(b"\"{"), 0);
    }
}
