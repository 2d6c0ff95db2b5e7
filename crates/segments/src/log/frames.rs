//! Reads frame after frame of one segment, in chunks, within a limit.

use std::fs::File;
use std::io;

use mainstay_core::time::DataTime;

use super::disk::read_at;
use super::format::{FRAME_HEAD, Head};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// One checked frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'b> {
    pub(super) at: DataTime,
    pub(super) payload: &'b [u8],
    /// Head and payload.
    pub(super) raw: &'b [u8],
}

/// A position within a segment. Holds at most a chunk, or one frame where that is larger.
#[derive(Debug)]
pub(super) struct Frames {
    file: File,
    buffer: Vec<u8>,
    /// The file's offset of the buffer's first byte.
    base: u64,
    /// The next frame's place in the buffer.
    next: usize,
    limit: u64,
}

impl Frames {
    /// Reads from `offset` up to `limit`.
    pub(super) const fn new(file: File, offset: u64, limit: u64) -> Self {
        Self { file, buffer: Vec::new(), base: offset, next: 0, limit }
    }

    /// The offset behind the last frame read.
    pub(super) const fn offset(&self) -> u64 {
        self.base + self.next as u64
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// Lets it read further, as the segment has grown.
    pub(super) const fn extend(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The next whole and sound frame; `None` where there is none, be it the end or damage.
    pub(super) fn next_frame(&mut self) -> io::Result<Option<Frame<'_>>> {
        if !self.fill(FRAME_HEAD)? {
            return Ok(None);
        }
        let Some(bytes) = self.buffer.get(self.next..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        let head = Head::read(*bytes);
        let Some(length) = head.length() else { return Ok(None) };
        let total = FRAME_HEAD + length;
        if !self.fill(total)? {
            return Ok(None);
        }
        let start = self.next;
        let Some(raw) = self.buffer.get(start..start + total) else { return Ok(None) };
        let Some(payload) = raw.get(FRAME_HEAD..).filter(|payload| head.fits(payload)) else {
            return Ok(None);
        };
        self.next += total;
        Ok(Some(Frame { at: head.at(), payload, raw }))
    }

    /// Makes `needed` bytes available from the next frame on; `false` if the limit or the file ends
    /// before.
    fn fill(&mut self, needed: usize) -> io::Result<bool> {
        if self.buffer.len() - self.next >= needed {
            return Ok(true);
        }
        if self.limit.saturating_sub(self.offset()) < needed as u64 {
            return Ok(false);
        }
        self.buffer.drain(..self.next);
        self.base += self.next as u64;
        self.next = 0;
        let have = self.buffer.len();
        let wanted = (needed.max(CHUNK) as u64).min(self.limit - self.base);
        self.buffer.resize(usize::try_from(wanted).unwrap_or(needed), 0);
        let target = self.buffer.get_mut(have..).unwrap_or_default();
        let read = read_at(&self.file, target, self.base + have as u64)?;
        self.buffer.truncate(have + read);
        Ok(self.buffer.len() >= needed)
    }
}
