//! The spans of one trace in one request, made ready for the writer.

use crate::block;
use crate::derive::{Facts, tags_of_root};
use crate::error::TraceError;
use crate::id::TraceId;
use crate::info::{Pairs, few};
use crate::span::Span;
use crate::translate::translate;

/// Encoded spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// How many.
    pub spans: usize,
    /// As they are stored: see [`block`].
    pub bytes: Vec<u8>,
}

/// The spans of one trace in one request, encoded, with what follows from them: all the work that the writer
/// need not do.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanBatch {
    /// The trace.
    pub(super) trace: TraceId,
    /// What follows.
    pub(super) facts: Facts,
    /// Tags that came with them.
    pub(super) tags: Pairs,
    /// The spans.
    pub(super) blocks: Vec<Block>,
}

impl SpanBatch {
    /// Translates and encodes the spans of a trace, of which there is at least one. The tags are those of the
    /// sender, those of roots are added; more than [`MAX_PAIRS`](super::info::MAX_PAIRS) are refused.
    pub fn new(trace: TraceId, mut spans: Vec<Span>, mut tags: Pairs) -> Result<Self, TraceError> {
        spans.iter_mut().for_each(translate);
        let facts = Facts::of(&spans)?;
        tags.extend(spans.iter().filter(|span| span.parent.is_none()).flat_map(tags_of_root));
        let blocks = block::encode(&spans)?;
        Ok(Self { trace, facts, tags: few(tags)?, blocks })
    }

    /// The trace.
    pub fn trace(&self) -> &TraceId {
        &self.trace
    }

    /// How many spans.
    pub fn spans(&self) -> usize {
        self.blocks.iter().map(|block| block.spans).sum()
    }
}
