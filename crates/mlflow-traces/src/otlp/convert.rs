//! From the messages to the spans of traces.

use std::collections::{HashMap, HashSet};

use mainstay_traces::batch::SpanBatch;
use mainstay_traces::derive::accepted_tag;
use mainstay_traces::error::TraceError;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::info::Pairs;
use mainstay_traces::span::{Attribute, Span, SpanEvent, SpanKind, SpanLink, StatusCode};

use super::attribute::{plain, tag_text, unwrapped};
use super::message::{self, ExportTraceServiceRequest, KeyValue, Resource};

/// The attribute that names a span's trace. Clients refuse spans without it.
const TRACE_ATTRIBUTE: &str = "mlflow.traceRequestId";
/// The attribute that names a program.
const SERVICE_NAME: &str = "service.name";
/// Programs whose name is put on their root spans (`_KNOWN_SERVICE_NAMES`).
const KNOWN_SERVICES: [&str; 5] = ["claude-code", "codex_cli_rs", "codex_vscode", "gemini-cli", "qwen-code"];
/// What of a program does not become a tag.
const NO_TAGS: [&str; 2] = ["telemetry.sdk.", "mlflow."];

/// Most traces in one request: each takes its time of the one writer, which others wait for.
const MAX_TRACES: usize = 10_000;
/// Most bytes of tags that a request may give to its traces: what a program says of itself goes to each of them.
const MAX_TAGS: usize = 64 << 20;

/// So many attributes are few.
const FEW: usize = 24;

/// Why spans cannot be taken.
#[derive(Debug)]
pub(super) enum Unconvertible {
    /// An id is missing or too long.
    Id,
    /// There is too much of something.
    TooMany(String),
    /// What traces refuse.
    Refused(TraceError),
}

impl From<TraceError> for Unconvertible {
    fn from(error: TraceError) -> Self {
        Self::Refused(error)
    }
}

/// The spans of one trace, as they are gathered.
struct Gathered {
    trace: TraceId,
    spans: Vec<Span>,
    tags: Pairs,
}

/// The spans of a request, trace by trace in the order of their first spans.
pub(super) fn batches(request: ExportTraceServiceRequest) -> Result<Vec<SpanBatch>, Unconvertible> {
    let mut at: HashMap<[u8; 16], usize> = HashMap::new();
    let mut traces: Vec<Gathered> = Vec::new();
    let mut tag_bytes = 0;
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        let (tags, service) = (resource_tags(&resource), known_service(&resource));
        let size: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
        // The traces that have been given these tags.
        let mut tagged: HashSet<usize> = HashSet::new();
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let id = padded::<16>(&span.trace_id)?;
            let place = *at.entry(id).or_insert_with(|| {
                let trace = TraceId::from_otel(id);
                traces.push(Gathered { trace, spans: Vec::new(), tags: Pairs::new() });
                traces.len() - 1
            });
            let Some(gathered) = traces.get_mut(place) else { continue };
            if tagged.insert(place) {
                tag_bytes += size;
                gathered.tags.extend(tags.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            if place >= MAX_TRACES {
                let told = format!("The request has spans of more than {MAX_TRACES} traces; split it");
                return Err(Unconvertible::TooMany(told));
            }
            if tag_bytes > MAX_TAGS {
                let told =
                    format!("The request gives its traces more than {MAX_TAGS} bytes of tags; split it");
                return Err(Unconvertible::TooMany(told));
            }
            gathered.spans.push(converted(span, &gathered.trace, service)?);
        }
    }
    let batch = |Gathered { trace, spans, tags }| Ok(SpanBatch::new(trace, spans, tags)?);
    traces.into_iter().map(batch).collect()
}

fn resource_tags(resource: &Resource) -> Pairs {
    let told = resource.attributes.iter().filter(|pair| !NO_TAGS.iter().any(|no| pair.key.starts_with(no)));
    told.filter_map(|pair| accepted_tag(pair.key.clone(), tag_text(pair.value.as_ref()))).collect()
}

fn known_service(resource: &Resource) -> Option<&'static str> {
    let named = resource.attributes.iter().find(|pair| pair.key == SERVICE_NAME)?;
    let name = tag_text(named.value.as_ref());
    KNOWN_SERVICES.into_iter().find(|known| *known == name)
}

/// An id, filled up with zeros from the left.
fn padded<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Unconvertible> {
    let mut id = [0; N];
    let place = N.checked_sub(bytes.len()).filter(|_| !bytes.is_empty()).and_then(|from| id.get_mut(from..));
    place.ok_or(Unconvertible::Id)?.copy_from_slice(bytes);
    Ok(id)
}

fn converted(
    span: message::Span,
    trace: &TraceId,
    service: Option<&'static str>,
) -> Result<Span, Unconvertible> {
    let is_root = span.parent_span_id.iter().all(|byte| *byte == 0);
    let status = span.status.unwrap_or_default();
    let mut attributes: Vec<Attribute> = Vec::with_capacity(span.attributes.len() + 1);
    attributes.extend(
        span.attributes.into_iter().map(|KeyValue { key, value }| Attribute { key, value: unwrapped(value) }),
    );
    let own = |key: &str, value: &str| Attribute { key: key.to_owned(), value: format!("\"{value}\"") };
    attributes.push(own(TRACE_ATTRIBUTE, trace.as_str()));
    if let Some(service) = service.filter(|_| is_root) {
        attributes.push(own(SERVICE_NAME, service));
    }
    Ok(Span {
        id: SpanId(padded(&span.span_id)?),
        parent: if is_root { None } else { Some(SpanId(padded(&span.parent_span_id)?)) },
        name: span.name,
        kind: SpanKind::numbered(span.kind.into()),
        start_ns: span.start_time_unix_nano,
        end_ns: Some(span.end_time_unix_nano).filter(|end| *end != 0),
        status: StatusCode::numbered(status.code.into()),
        message: status.message,
        attributes: last_of_each(attributes),
        events: span.events.into_iter().map(event).collect(),
        links: span.links.into_iter().filter_map(link).collect(),
    })
}

/// Of attributes with one key, the last value in the place of the first.
fn last_of_each(attributes: Vec<Attribute>) -> Vec<Attribute> {
    if !has_twins(&attributes) {
        return attributes;
    }
    let mut kept: Vec<Attribute> = Vec::with_capacity(attributes.len());
    let mut at: HashMap<String, usize> = HashMap::with_capacity(attributes.len());
    for attribute in attributes {
        if let Some(place) = at.get(&attribute.key).and_then(|at| kept.get_mut(*at)) {
            *place = attribute;
        } else {
            at.insert(attribute.key.clone(), kept.len());
            kept.push(attribute);
        }
    }
    kept
}

/// Whether two have the same key. Most spans have few, which are sooner compared than hashed.
fn has_twins(attributes: &[Attribute]) -> bool {
    if attributes.len() <= FEW {
        let mut rest = attributes;
        while let Some((one, others)) = rest.split_first() {
            if others.iter().any(|other| other.key == one.key) {
                return true;
            }
            rest = others;
        }
        return false;
    }
    let mut known = HashSet::with_capacity(attributes.len());
    !attributes.iter().all(|attribute| known.insert(attribute.key.as_str()))
}

fn event(event: message::Event) -> SpanEvent {
    SpanEvent { name: event.name, time_ns: event.time_unix_nano, attributes: as_they_are(event.attributes) }
}

/// A link; one to ids that are too long is dropped.
fn link(link: message::Link) -> Option<SpanLink> {
    let trace = TraceId::from_otel(padded(&link.trace_id).ok()?);
    let span = SpanId(padded(&link.span_id).ok()?);
    Some(SpanLink { trace, span, attributes: as_they_are(link.attributes) })
}

fn as_they_are(attributes: Vec<KeyValue>) -> Vec<Attribute> {
    let kept = attributes.into_iter().map(|pair| {
        let value = plain(pair.value.as_ref());
        Attribute { key: pair.key, value }
    });
    last_of_each(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(key: &str, value: &str) -> Attribute {
        Attribute { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn short_ids_are_filled_up_and_long_ones_refused() {
        assert_eq!(padded::<4>(&[1, 2]).unwrap(), [0, 0, 1, 2]);
        assert_eq!(padded::<2>(&[1, 2]).unwrap(), [1, 2]);
        assert!(padded::<2>(&[]).is_err() && padded::<2>(&[1, 2, 3]).is_err());
    }

    #[test]
    fn no_key_stands_twice() {
        let twice = vec![attribute("a", "1"), attribute("b", "2"), attribute("a", "3")];
        assert_eq!(last_of_each(twice), [attribute("a", "3"), attribute("b", "2")]);
    }
}
