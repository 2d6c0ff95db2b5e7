//! The spans of a trace at rest, and how they are read: unpacked once, with texts that are never copied.

use std::collections::HashSet;

use mainstay_core::error::StorageError;

use crate::block::{self, Unpacked};
use crate::id::SpanId;
use crate::span::{Span, in_order};

/// The blocks of a trace, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredSpans(Vec<Vec<u8>>);

impl StoredSpans {
    /// Blocks as they were [encoded](block::encode).
    pub fn new(blocks: Vec<Vec<u8>>) -> Self {
        Self(blocks)
    }

    /// How many spans there are, each counted once, without unpacking them.
    pub fn count(&self) -> Result<usize, StorageError> {
        let mut nodes = Vec::new();
        for bytes in &self.0 {
            block::outline(bytes, &mut nodes)?;
        }
        let ids: HashSet<SpanId> = nodes.iter().map(|node| node.span).collect();
        Ok(ids.len())
    }

    /// Unpacks them.
    pub fn unpack(&self) -> Result<UnpackedSpans, StorageError> {
        let blocks = self.0.iter().map(|bytes| block::unpack(bytes)).collect::<Result<_, _>>()?;
        Ok(UnpackedSpans(blocks))
    }

    /// All spans as they are shown: see [`in_order`].
    pub fn owned(&self) -> Result<Vec<Span>, StorageError> {
        self.unpack()?.read()
    }
}

/// The spans of a trace, unpacked.
#[derive(Debug, Clone, PartialEq)]
pub struct UnpackedSpans(Vec<Unpacked>);

impl UnpackedSpans {
    /// All spans as they are shown: see [`in_order`]. With `T = &str` they lend their texts.
    pub fn read<'a, T: From<&'a str>>(&'a self) -> Result<Vec<Span<T>>, StorageError> {
        let mut spans = Vec::with_capacity(self.0.iter().map(Unpacked::len).sum());
        for block in &self.0 {
            block.spans(&mut spans)?;
        }
        Ok(in_order(spans))
    }
}

#[cfg(test)]
mod tests {
    use super::super::span::tests::{span, with};
    use super::*;

    fn stored(requests: &[&[Span]]) -> StoredSpans {
        let blocks = requests.iter().flat_map(|spans| block::encode(spans).unwrap());
        StoredSpans::new(blocks.map(|block| block.bytes).collect())
    }

    #[test]
    fn spans_of_several_requests_are_read_as_one() {
        let again = with(span(2, Some(1), 3), "k", "1");
        let spans =
            stored(&[&[span(2, Some(1), 3), span(3, Some(1), 1)], &[again.clone(), span(1, None, 9)]]);
        assert_eq!(spans.count().unwrap(), 3);
        let expected = [span(1, None, 9), span(3, Some(1), 1), again];
        assert_eq!(spans.owned().unwrap(), expected);
        let unpacked = spans.unpack().unwrap();
        let lent: Vec<Span<&str>> = unpacked.read().unwrap();
        let names: Vec<&str> = lent.iter().map(|span| span.name).collect();
        assert_eq!(names, ["span 1", "span 3", "span 2"]);
        assert_eq!(lent[2].attribute("k"), Some("1"));
        assert!(StoredSpans::new(vec![vec![1]]).count().is_err());
        assert_eq!(StoredSpans::default().count().unwrap(), 0);
    }
}
