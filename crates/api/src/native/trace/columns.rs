//! The spans of a trace, column by column: a number or a short text for each span, and each different name once.

use std::borrow::Cow;
use std::collections::HashMap;

use mainstay_core::error::StorageError;
use mainstay_core::text::clip;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::info::TraceInfo;
use mainstay_traces::span::{Span, StatusCode};
use mainstay_traces::span_text::write_span;
use mainstay_traces::stored::StoredSpans;
use serde::{Serialize, Serializer};

use super::SpanError;

/// The columns that there are.
pub(super) const NAMES: [&str; 7] = ["id", "parent", "start", "duration", "name", "type", "status"];
/// The place of the parent of a root.
const ROOT: i64 = -1;
/// The place of a parent that has not come.
const ABSENT: i64 = -2;

/// Which columns are wanted, in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns([bool; 7]);

impl Columns {
    /// Those that a query names; all if it names none.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, SpanError> {
        let Some(text) = text else { return Ok(Self([true; 7])) };
        let mut wanted = [false; 7];
        for name in text.split(',') {
            let known = NAMES.iter().zip(&mut wanted).find(|(known, _)| **known == name);
            *known.ok_or_else(|| SpanError::Column(clip(name)))?.1 = true;
        }
        Ok(Self(wanted))
    }

    /// What is made of a column, if it is wanted.
    fn made<T>(self, name: &str, make: impl FnOnce() -> T) -> Option<T> {
        let is_wanted = NAMES.iter().zip(self.0).any(|(known, wanted)| wanted && *known == name);
        is_wanted.then(make)
    }
}

/// All spans on the wire. Times are nanoseconds.
#[derive(Debug, Serialize)]
pub(super) struct SpanList<'a> {
    trace: &'a TraceId,
    experiment: String,
    count: usize,
    is_complete: bool,
    origin_ns: String,
    columns: Listed<'a>,
    /// The places of the spans whose text was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<Vec<usize>>,
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Vec<Id>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<Vec<Option<u64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Coded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<Coded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Coded<'a>>,
}

/// The name of a span, written without a text of its own.
#[derive(Debug)]
struct Id(SpanId);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 16];
        // Eight bytes are sixteen digits.
        let _ = hex::encode_to_slice(self.0.0, &mut text);
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Texts, each different one once, and which one each span has; -1 for none.
#[derive(Debug, Default, Serialize)]
struct Coded<'a> {
    values: Vec<Cow<'a, str>>,
    codes: Vec<i64>,
}

impl<'a> Coded<'a> {
    fn of(texts: impl Iterator<Item = Option<Cow<'a, str>>>) -> Self {
        let (mut known, mut coded) = (HashMap::new(), Self::default());
        for text in texts {
            let code = match text {
                None => -1,
                Some(text) => *known.entry(text).or_insert_with_key(|text| {
                    coded.values.push(text.clone());
                    i64::try_from(coded.values.len()).unwrap_or(i64::MAX) - 1
                }),
            };
            coded.codes.push(code);
        }
        coded
    }

    fn statuses(spans: &[Span<&str>]) -> Self {
        let code = |span: &Span<&str>| i64::from(span.status.number());
        Self {
            values: StatusCode::ALL.iter().map(|status| Cow::Borrowed(status.short_name())).collect(),
            codes: spans.iter().map(code).collect(),
        }
    }
}

impl SpanList<'_> {
    /// Reads spans, and writes those columns as JSON.
    pub(super) fn read(
        info: &TraceInfo,
        spans: &StoredSpans,
        wanted: Columns,
        contains: Option<&str>,
    ) -> Result<Vec<u8>, StorageError> {
        let unpacked = spans.unpack()?;
        let spans: Vec<Span<&str>> = unpacked.read()?;
        let origin = spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
        let columns = Listed {
            id: wanted.made("id", || spans.iter().map(|span| Id(span.id)).collect()),
            parent: wanted.made("parent", || parents(&spans)),
            start: wanted.made("start", || spans.iter().map(|span| span.start_ns - origin).collect()),
            duration: wanted.made("duration", || spans.iter().map(duration).collect()),
            name: wanted.made("name", || Coded::of(spans.iter().map(|span| Some(span.name.into())))),
            r#type: wanted.made("type", || Coded::of(spans.iter().map(Span::span_type))),
            status: wanted.made("status", || Coded::statuses(&spans)),
        };
        let list = SpanList {
            trace: &info.id,
            experiment: info.experiment.to_string(),
            count: spans.len(),
            is_complete: info.is_complete(spans.len()),
            origin_ns: origin.to_string(),
            columns,
            matches: contains.map(|text| holding(&info.id, &spans, text)),
        };
        serde_json::to_vec(&list).map_err(|error| StorageError::Failed(error.into()))
    }
}

/// The places of the spans whose [text](mainstay_traces::span_text) holds another, whatever the case.
fn holding(trace: &TraceId, spans: &[Span<&str>], text: &str) -> Vec<usize> {
    let (text, mut whole) = (text.to_lowercase(), String::new());
    let mut holds = |span: &Span<&str>| {
        whole.clear();
        write_span(&mut whole, trace, span);
        whole.to_lowercase().contains(&text)
    };
    spans.iter().enumerate().filter(|(_, span)| holds(span)).map(|(at, _)| at).collect()
}

/// The places of the parents.
fn parents(spans: &[Span<&str>]) -> Vec<i64> {
    let places: HashMap<SpanId, i64> = spans.iter().map(|span| span.id).zip(0..).collect();
    let place = |parent: SpanId| places.get(&parent).copied().unwrap_or(ABSENT);
    spans.iter().map(|span| span.parent.map_or(ROOT, place)).collect()
}

fn duration(span: &Span<&str>) -> Option<u64> {
    span.end_ns.map(|end| end.saturating_sub(span.start_ns))
}

#[cfg(test)]
mod tests {
    use mainstay_traces::block;
    use mainstay_traces::info::{Pairs, TraceState};
    use mainstay_traces::span::{Attribute, SpanKind};
    use mainstay_tracking::experiment::ExperimentId;
    use serde_json::{Value, json};

    use super::*;

    fn span(id: u8, parent: Option<u8>, start_ns: u64, name: &str) -> Span {
        Span {
            id: SpanId([id; 8]),
            parent: parent.map(|id| SpanId([id; 8])),
            name: name.to_owned(),
            kind: SpanKind::Internal,
            start_ns,
            end_ns: Some(start_ns + 7),
            status: StatusCode::Ok,
            message: String::new(),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
        }
    }

    #[test]
    fn spans_are_told_column_by_column() {
        let kind = Attribute { key: "mlflow.spanType".into(), value: "\"AGENT\"".into() };
        let root = Span { attributes: vec![kind], ..span(1, None, 5_000, "agent") };
        let open = Span { end_ns: None, status: StatusCode::Error, ..span(2, Some(1), 5_100, "llm") };
        let lost = Span { status: StatusCode::Unset, ..span(3, Some(9), 5_200, "llm") };
        let stored = StoredSpans::new(vec![block::encode(&[open, lost, root]).unwrap().remove(0).bytes]);
        let info = TraceInfo {
            id: TraceId::parse("tr-1").unwrap(),
            experiment: ExperimentId(7),
            request_ms: 0,
            duration_ms: None,
            state: TraceState::Ok,
            client_request_id: None,
            request_preview: None,
            response_preview: None,
            root_name: None,
            tags: Pairs::new(),
            metadata: Pairs::new(),
        };
        let told = |columns| -> Value {
            let written = SpanList::read(&info, &stored, Columns::parse(columns).unwrap(), None).unwrap();
            serde_json::from_slice(&written).unwrap()
        };
        let expected = json!({
            "trace": "tr-1", "experiment": "7", "count": 3, "is_complete": true, "origin_ns": "5000",
            "columns": {
                "id": ["0101010101010101", "0202020202020202", "0303030303030303"],
                "parent": [-1, 0, -2],
                "start": [0, 100, 200],
                "duration": [7, null, 7],
                "name": {"values": ["agent", "llm"], "codes": [0, 1, 1]},
                "type": {"values": ["AGENT"], "codes": [0, -1, -1]},
                "status": {"values": ["UNSET", "OK", "ERROR"], "codes": [1, 2, 0]},
            },
        });
        assert_eq!(told(None), expected);
        let some = told(Some("start,parent"));
        assert_eq!(some["columns"], json!({"parent": [-1, 0, -2], "start": [0, 100, 200]}));
        let looked = SpanList::read(&info, &stored, Columns::parse(None).unwrap(), Some("Agent")).unwrap();
        let looked: Value = serde_json::from_slice(&looked).unwrap();
        assert_eq!(looked["matches"], json!([0]));
        assert!(Columns::parse(Some("start,end")).is_err() && Columns::parse(Some("")).is_err());
    }
}
