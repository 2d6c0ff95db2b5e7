//! Spans at rest: append-only blocks, one for each trace and request, so that a span costs no row and a trace
//! is read in a few large values.
//!
//! # Format, version 1
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `SPNS` |
//! | 1 | the version, 1 |
//! | varint | the number of spans, at least 1 |
//! | for each span | its [outline](outline): what sums over a trace need, without unpacking the rest |
//! | varint | the length of the body before compression |
//! | varint, bytes | the body: its compressed length, and a frame of Zstandard (RFC 8878) |
//! | 4 | CRC-32C of all before, little-endian |
//!
//! An outline is a byte of flags (1: has a parent, 2: has a usage, 4: has a cost), the span's id (8 bytes),
//! the parent's (8), the usage and the cost (a text each), as far as the flags name them. The body has for each
//! span, in the same order: its name (text), OpenTelemetry's numbers of kind and status (a byte each), the
//! status message (text), the start (varint), the end (varint: 0 while it is open, else 1 more than the zigzag
//! of end − start), attributes, events and links, each list after its length (varint). An attribute is two texts,
//! of which the second is JSON; an event a name (text), a time (varint) and attributes; a link a trace id
//! (text), a span id (8) and attributes.
//!
//! A text is its length in bytes (varint) and UTF-8. A varint is LEB128 of at most 64 bits, zigzag as in
//! Protocol Buffers. Times are nanoseconds since the Unix epoch.

use std::cell::RefCell;
use std::io;

use mainstay_core::error::StorageError;
use thiserror::Error;
use zstd::bulk::{Compressor, Decompressor};

use crate::batch::Block;
use crate::derive;
use crate::id::{SpanId, TraceId};
use crate::span::{Attribute, Span, SpanEvent, SpanKind, SpanLink, StatusCode};
use crate::usage::{Amounts, Node};
use mainstay_columns::varint::{put_varint, take_varint, unzigzag, zigzag};

/// Most spans in one block.
pub const MAX_SPANS: usize = 16_384;
/// Longest body before compression, in bytes.
const MAX_BODY: usize = 1 << 30;

const MAGIC: &[u8; 4] = b"SPNS";
const VERSION: u8 = 1;
/// Little is gained by more on texts like these.
const LEVEL: i32 = 1;
/// A span has at least the flags and the id of its outline.
const MIN_SPAN: usize = 9;

const HAS_PARENT: u8 = 1;
const HAS_USAGE: u8 = 2;
const HAS_COST: u8 = 4;

/// Bytes that are not a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BlockError {
    /// Made by a later version of Mainstay.
    #[error("a block of spans has version {0}, which this version of Mainstay does not know")]
    Version(u8),
    /// Cut, changed, or something else.
    #[error("a block of spans is damaged")]
    Damaged,
}

impl From<BlockError> for StorageError {
    fn from(error: BlockError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// Writes spans, in the order given, as blocks of at most [`MAX_SPANS`] each.
pub fn encode(spans: &[Span]) -> Result<Vec<Block>, StorageError> {
    let one = |spans: &[Span]| Ok(Block { spans: spans.len(), bytes: encode_one(spans)? });
    spans.chunks(MAX_SPANS).map(one).collect()
}

fn encode_one(spans: &[Span]) -> Result<Vec<u8>, StorageError> {
    let mut body = Vec::with_capacity(spans.len() * 512);
    for span in spans {
        put_span(&mut body, span);
    }
    let packed = packed(&body).map_err(|error| StorageError::Failed(error.into()))?;
    let mut bytes = Vec::with_capacity(packed.len() + spans.len() * 18 + 32);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    put_varint(&mut bytes, spans.len() as u64);
    for span in spans {
        put_outline(&mut bytes, span);
    }
    put_varint(&mut bytes, body.len() as u64);
    put_varint(&mut bytes, packed.len() as u64);
    bytes.extend_from_slice(&packed);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

thread_local! {
    /// Making these costs more than packing the spans of a short trace does.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn packed(body: &[u8]) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        if packer.is_none() {
            *packer = Some(Compressor::new(LEVEL)?);
        }
        packer.as_mut().map_or_else(|| zstd::bulk::compress(body, LEVEL), |packer| packer.compress(body))
    })
}

fn unpacked(packed: &[u8], length: usize) -> io::Result<Vec<u8>> {
    UNPACKER.with_borrow_mut(|unpacker| {
        if unpacker.is_none() {
            *unpacker = Some(Decompressor::new()?);
        }
        let fresh = || zstd::bulk::decompress(packed, length);
        unpacker.as_mut().map_or_else(fresh, |unpacker| unpacker.decompress(packed, length))
    })
}

fn put_outline(bytes: &mut Vec<u8>, span: &Span) {
    let node = derive::node(span);
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    bytes.push(
        flag(node.parent.is_some(), HAS_PARENT)
            | flag(node.usage.is_some(), HAS_USAGE)
            | flag(node.cost.is_some(), HAS_COST),
    );
    bytes.extend_from_slice(&node.span.0);
    if let Some(parent) = node.parent {
        bytes.extend_from_slice(&parent.0);
    }
    if let Some(usage) = node.usage {
        put_text(bytes, &usage.to_text());
    }
    if let Some(cost) = node.cost {
        put_text(bytes, &cost.to_text());
    }
}

fn put_span(body: &mut Vec<u8>, span: &Span) {
    put_text(body, &span.name);
    body.extend_from_slice(&[span.kind.number(), span.status.number()]);
    put_text(body, &span.message);
    put_varint(body, span.start_ns);
    let length = |end: u64| zigzag(end.wrapping_sub(span.start_ns).cast_signed()).wrapping_add(1);
    put_varint(body, span.end_ns.map_or(0, length));
    put_attributes(body, &span.attributes);
    put_varint(body, span.events.len() as u64);
    for event in &span.events {
        put_text(body, &event.name);
        put_varint(body, event.time_ns);
        put_attributes(body, &event.attributes);
    }
    put_varint(body, span.links.len() as u64);
    for link in &span.links {
        put_text(body, link.trace.as_str());
        body.extend_from_slice(&link.span.0);
        put_attributes(body, &link.attributes);
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_varint(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

fn put_attributes(body: &mut Vec<u8>, attributes: &[Attribute]) {
    put_varint(body, attributes.len() as u64);
    for attribute in attributes {
        put_text(body, &attribute.key);
        put_text(body, &attribute.value);
    }
}

/// Reads the outlines of one block, adding them to `nodes`.
pub fn outline(bytes: &[u8], nodes: &mut Vec<Node>) -> Result<(), BlockError> {
    let (mut rest, count) = opened(bytes)?;
    for _ in 0..count {
        nodes.push(take_outline(&mut rest).ok_or(BlockError::Damaged)?);
    }
    Ok(())
}

/// A block whose body is unpacked, from which spans lend their texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Unpacked {
    nodes: Vec<Node>,
    body: Vec<u8>,
}

/// Unpacks one block.
pub fn unpack(bytes: &[u8]) -> Result<Unpacked, BlockError> {
    let (mut rest, count) = opened(bytes)?;
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(take_outline(&mut rest).ok_or(BlockError::Damaged)?);
    }
    let length = take_length(&mut rest).filter(|length| *length <= MAX_BODY).ok_or(BlockError::Damaged)?;
    let packed = take_length(&mut rest).filter(|packed| *packed == rest.len()).map(|_| rest);
    let body = unpacked(packed.ok_or(BlockError::Damaged)?, length);
    let body = body.map_err(|_| BlockError::Damaged)?;
    Ok(Unpacked { nodes, body })
}

impl Unpacked {
    /// How many spans there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none, which no block that was written has.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Reads the spans, adding them to `spans`.
    pub fn spans<'a, T: From<&'a str>>(&'a self, spans: &mut Vec<Span<T>>) -> Result<(), BlockError> {
        let mut rest = self.body.as_slice();
        spans.reserve(self.nodes.len());
        for node in &self.nodes {
            spans.push(take_span(&mut rest, node).ok_or(BlockError::Damaged)?);
        }
        if rest.is_empty() { Ok(()) } else { Err(BlockError::Damaged) }
    }
}

/// What follows the number of spans, and that number.
fn opened(bytes: &[u8]) -> Result<(&[u8], usize), BlockError> {
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(BlockError::Damaged)?;
    let (magic, rest) = body.split_first_chunk::<4>().ok_or(BlockError::Damaged)?;
    let (version, mut rest) = rest.split_first().ok_or(BlockError::Damaged)?;
    if magic != MAGIC || crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(BlockError::Damaged);
    }
    if *version != VERSION {
        return Err(BlockError::Version(*version));
    }
    let count = take_length(&mut rest).ok_or(BlockError::Damaged)?;
    if count == 0 || count > MAX_SPANS || count > rest.len() / MIN_SPAN {
        return Err(BlockError::Damaged);
    }
    Ok((rest, count))
}

fn take_outline(rest: &mut &[u8]) -> Option<Node> {
    let flags = take_byte(rest)?;
    if flags > (HAS_PARENT | HAS_USAGE | HAS_COST) {
        return None;
    }
    let span = take_id(rest)?;
    let parent = if flags & HAS_PARENT == 0 { None } else { Some(take_id(rest)?) };
    let usage = if flags & HAS_USAGE == 0 { None } else { Some(Amounts::parse(take_text(rest)?)?) };
    let cost = if flags & HAS_COST == 0 { None } else { Some(Amounts::parse(take_text(rest)?)?) };
    Some(Node { span, parent, usage, cost })
}

fn take_span<'a, T: From<&'a str>>(rest: &mut &'a [u8], node: &Node) -> Option<Span<T>> {
    let name = take_text(rest)?.into();
    let (kind, status) = (take_byte(rest)?, take_byte(rest)?);
    let message = take_text(rest)?.into();
    let start_ns = take_varint(rest)?;
    let length = take_varint(rest)?;
    let end_ns = length.checked_sub(1).map(|zigzag| start_ns.wrapping_add(unzigzag(zigzag).cast_unsigned()));
    Some(Span {
        id: node.span,
        parent: node.parent,
        name,
        kind: SpanKind::ALL.into_iter().find(|known| known.number() == kind)?,
        start_ns,
        end_ns,
        status: StatusCode::ALL.into_iter().find(|known| known.number() == status)?,
        message,
        attributes: take_attributes(rest)?,
        events: take_list(rest, |rest| {
            let name = take_text(rest)?.into();
            Some(SpanEvent { name, time_ns: take_varint(rest)?, attributes: take_attributes(rest)? })
        })?,
        links: take_list(rest, |rest| {
            let trace = TraceId::parse(take_text(rest)?).ok()?;
            Some(SpanLink { trace, span: take_id(rest)?, attributes: take_attributes(rest)? })
        })?,
    })
}

fn take_attributes<'a, T: From<&'a str>>(rest: &mut &'a [u8]) -> Option<Vec<Attribute<T>>> {
    take_list(rest, |rest| {
        let (key, value) = (take_text(rest)?.into(), take_text(rest)?.into());
        Some(Attribute { key, value })
    })
}

fn take_list<'a, T>(rest: &mut &'a [u8], item: impl Fn(&mut &'a [u8]) -> Option<T>) -> Option<Vec<T>> {
    // Each item has two bytes at least, so a length that lies costs no more than the bytes that there are.
    let length = take_length(rest).filter(|length| *length <= rest.len() / 2)?;
    let mut items = Vec::with_capacity(length);
    for _ in 0..length {
        items.push(item(rest)?);
    }
    Some(items)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(take_varint(rest)?).ok()
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}

fn take_id(rest: &mut &[u8]) -> Option<SpanId> {
    let (id, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    Some(SpanId(*id))
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = take_length(rest)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::span::tests::{span, with};
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<Span>, BlockError> {
        let mut spans = Vec::new();
        unpack(bytes)?.spans(&mut spans).map(|()| spans)
    }

    fn encoded(spans: &[Span]) -> Vec<u8> {
        let mut blocks = encode(spans).unwrap();
        assert_eq!((blocks.len(), blocks[0].spans), (1, spans.len()));
        blocks.remove(0).bytes
    }

    fn fixture_spans() -> Vec<Span> {
        let attribute = |key: &str, value: &str| Attribute { key: key.into(), value: value.into() };
        let root = with(span(1, None, 5), "mlflow.spanInputs", r#"{"q": "é"}"#);
        let root = with(root, "mlflow.chat.tokenUsage", r#"{"input_tokens": 3, "output_tokens": 4}"#);
        let child = Span {
            kind: SpanKind::Client,
            end_ns: None,
            status: StatusCode::Error,
            message: "no".into(),
            events: vec![SpanEvent {
                name: "exception".into(),
                time_ns: u64::MAX,
                attributes: vec![attribute("n", "1.5")],
            }],
            links: vec![SpanLink {
                trace: TraceId::from_otel([7; 16]),
                span: SpanId([9; 8]),
                attributes: vec![attribute("a", "[null]")],
            }],
            ..with(span(2, Some(1), 6), "mlflow.llm.cost", r#"{"total_cost": 0.25}"#)
        };
        // A clock that went backwards.
        let odd = Span { start_ns: u64::MAX, end_ns: Some(0), ..span(0, Some(2), 0) };
        vec![root, child, odd]
    }

    /// Blocks written by version 1 must be read for ever. Made once; `tests/reference/span_block.py` decodes it
    /// from the table above.
    #[test]
    fn blocks_of_version_1_are_read() {
        let bytes = hex::decode(include_str!("../tests/reference/span-block-v1.hex").trim()).unwrap();
        assert_eq!(decoded(&bytes).unwrap(), fixture_spans());
    }

    #[test]
    fn outlines_are_read_without_the_body() {
        let mut nodes = Vec::new();
        outline(&encoded(&fixture_spans()), &mut nodes).unwrap();
        let expected: Vec<Node> = fixture_spans().iter().map(derive::node).collect();
        assert_eq!(nodes, expected);
        assert!(nodes[0].usage.is_some() && nodes[1].cost.is_some());
    }

    fn any_attributes() -> impl Strategy<Value = Vec<Attribute>> {
        let attribute = (".{0,8}", ".{0,20}").prop_map(|(key, value)| Attribute { key, value });
        proptest::collection::vec(attribute, 0..4)
    }

    prop_compose! {
        fn any_span()(
            id in any::<[u8; 8]>(),
            parent in any::<Option<[u8; 8]>>(),
            (name, message) in (".{0,20}", ".{0,20}"),
            (kind, status) in (0_usize..5, 0_usize..3),
            (start_ns, end_ns) in (any::<u64>(), any::<Option<u64>>()),
            attributes in any_attributes(),
            events in proptest::collection::vec((".{0,8}", any::<u64>(), any_attributes()), 0..3),
            links in proptest::collection::vec((any::<[u8; 16]>(), any::<[u8; 8]>(), any_attributes()), 0..3),
        ) -> Span {
            // One length stands for an open span; no clock can measure it.
            let end_ns = end_ns.filter(|end| end.wrapping_sub(start_ns) != 1 << 63);
            Span {
                id: SpanId(id),
                parent: parent.map(SpanId),
                name,
                kind: SpanKind::ALL[kind],
                start_ns,
                end_ns,
                status: StatusCode::ALL[status],
                message,
                attributes,
                events: events
                    .into_iter()
                    .map(|(name, time_ns, attributes)| SpanEvent { name, time_ns, attributes })
                    .collect(),
                links: links
                    .into_iter()
                    .map(|(trace, span, attributes)| SpanLink {
                        trace: TraceId::from_otel(trace),
                        span: SpanId(span),
                        attributes,
                    })
                    .collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn every_span_survives(spans in proptest::collection::vec(any_span(), 1..20)) {
            prop_assert_eq!(decoded(&encoded(&spans)).unwrap(), spans);
        }

        #[test]
        fn any_change_is_noticed(at in 0_usize..1_000, flip in 1_u8..) {
            let mut bytes = encoded(&fixture_spans());
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(decoded(&bytes).is_err());
            prop_assert!(outline(&bytes, &mut Vec::new()).is_err());
        }

        /// Even bytes whose checksum is right are read or refused, never more.
        #[test]
        fn garbage_is_refused(at in 5_usize..1_000, garbage in proptest::collection::vec(any::<u8>(), 0..40)) {
            let bytes = encoded(&fixture_spans());
            let (body, _) = bytes.split_last_chunk::<4>().unwrap();
            let mut body = body.to_vec();
            let at = at % body.len();
            body.splice(at..body.len().min(at + garbage.len()), garbage);
            let sealed = [&body[..], &crc32c::crc32c(&body).to_le_bytes()].concat();
            drop(decoded(&sealed));
            let _ = outline(&sealed, &mut Vec::new());
        }
    }

    #[test]
    fn lying_counts_and_later_versions_are_refused() {
        let sealed = |body: &[u8]| [body, &crc32c::crc32c(body).to_le_bytes()].concat();
        assert_eq!(decoded(&sealed(b"SPNS\x02\x01")), Err(BlockError::Version(2)));
        for body in [
            &b"SPNS\x01\x00"[..],
            b"SPNS\x01\xff\xff\xff\xff\x0f",
            b"SPNS\x01\x01\x08abcdefgh\x00\x00",
            b"SPNS\x01\x01\x00abcdefgh\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00",
            b"SPNS\x01\x01\x02abcdefgh\x02{}\x00\x00",
            b"NOPE\x01\x01\x00abcdefgh\x00\x00",
        ] {
            assert_eq!(decoded(&sealed(body)), Err(BlockError::Damaged), "{body:?}");
        }
    }

    #[test]
    fn long_traces_are_split() {
        let spans = vec![span(1, None, 1); MAX_SPANS + 1];
        let blocks = encode(&spans).unwrap();
        assert_eq!(blocks.iter().map(|block| block.spans).collect::<Vec<_>>(), [MAX_SPANS, 1]);
        assert_eq!(encode(&[]).unwrap(), []);
    }
}
