//! The files of the online store, version 2. All numbers are little-endian.
//!
//! A directory holds `snapshot-<generation>` (absent for generation 0) and `log-<generation>`, both with
//! the same inside: a header of 16 bytes (`MSONLINE`, the version as four bytes, the CRC-32C of these
//! twelve) and frames. A frame is the length of its payload and the payload's CRC-32C, four bytes each,
//! then the payload: a kind byte and
//!
//! | kind | content |
//! |---|---|
//! | 1 view | number (4), digest of the definition (32), ttl in µs or 0 (8), name (rest) |
//! | 2 rows | number of the view (4), then per row: key length (2), key, row length (4), packed row |
//! | 3 coverage | number of the view (4), horizon in µs (8), until in µs (8), version of the source's table or 0 (8) |
//! | 4 end | number of frames before it (8); the last frame of a snapshot |
//!
//! A later view frame of the same name begins another view beside the one there is; with its first coverage
//! it takes the name, and what had it before is gone. Unknown kinds are an error of a later version, which the
//! header would have said, so they count as damage.
//!
//! Version 1 is read too: its coverage has no source. A directory with such a file is compacted when it is
//! opened.

use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use mainstay_features::online::EntityKey;
use mainstay_features::plan::Coverage;
use mainstay_features::span::Span;

use super::view::ViewSpec;

/// The version that is written; earlier ones are read.
pub(super) const VERSION: u32 = 2;
/// Length of a file's header.
pub(super) const HEADER: usize = 16;
/// Length of a frame before its payload.
const PREFIX: usize = 8;
/// Longest payload that is read; a frame of rows is closed at [`ROWS_FRAME`].
const MAX_PAYLOAD: usize = 64 << 20;
/// A frame of rows takes no further row beyond this length.
pub(super) const ROWS_FRAME: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"MSONLINE";

/// The header of a new file.
pub(super) fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (head, crc) = header.split_at_mut(12);
    let (magic, version) = head.split_at_mut(8);
    magic.copy_from_slice(MAGIC);
    version.copy_from_slice(&VERSION.to_le_bytes());
    crc.copy_from_slice(&crc32c::crc32c(head).to_le_bytes());
    header
}

/// The version that a header names; `None` if it is no header.
pub(super) fn version_of(bytes: &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_at_checked(12)?;
    let crc = u32::from_le_bytes(*rest.first_chunk()?);
    if !head.starts_with(MAGIC) || crc32c::crc32c(head) != crc {
        return None;
    }
    head.last_chunk().map(|version| u32::from_le_bytes(*version))
}

/// A key and a packed row of it.
pub type PackedEntry = (EntityKey, Box<[u8]>);

/// What a frame says.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    View { number: u32, spec: ViewSpec },
    Rows { view: u32, rows: Vec<PackedEntry> },
    Coverage { view: u32, coverage: Coverage, source: Option<u64> },
    End { frames: u64 },
}

/// Appends a frame whose payload `write` makes.
fn frame(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; PREFIX]);
    out.push(kind);
    write(out);
    close(out, start);
}

/// Fills in length and checksum of the frame that began at `start`.
fn close(out: &mut [u8], start: usize) {
    let Some((prefix, payload)) = out.get_mut(start..).and_then(|frame| frame.split_at_mut_checked(PREFIX))
    else {
        return;
    };
    let (length, crc) = prefix.split_at_mut(4);
    // Rows frames are closed at ROWS_FRAME plus one row, far below 4 GiB.
    length.copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    crc.copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
}

pub(super) fn write_view(out: &mut Vec<u8>, number: u32, spec: &ViewSpec) {
    frame(out, 1, |out| {
        out.extend(number.to_le_bytes());
        out.extend(spec.definition.as_bytes());
        out.extend(spec.ttl.map_or(0, Span::micros).to_le_bytes());
        out.extend(spec.name.as_bytes());
    });
}

pub(super) fn write_coverage(out: &mut Vec<u8>, view: u32, coverage: Coverage, source: Option<u64>) {
    frame(out, 3, |out| {
        out.extend(view.to_le_bytes());
        out.extend(coverage.horizon.micros().to_le_bytes());
        out.extend(coverage.until.micros().to_le_bytes());
        out.extend(source.unwrap_or(0).to_le_bytes());
    });
}

pub(super) fn write_end(out: &mut Vec<u8>, frames: u64) {
    frame(out, 4, |out| out.extend(frames.to_le_bytes()));
}

/// Writes rows of one view as frames of bounded length, and counts the frames.
pub(super) struct RowsWriter<'a> {
    out: &'a mut Vec<u8>,
    view: u32,
    start: Option<usize>,
    pub(super) frames: u64,
}

impl<'a> RowsWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, view: u32) -> Self {
        Self { out, view, start: None, frames: 0 }
    }

    pub(super) fn row(&mut self, key: &EntityKey, row: &[u8]) {
        let start = *self.start.get_or_insert_with(|| {
            let start = self.out.len();
            self.out.extend([0; PREFIX]);
            self.out.push(2);
            self.out.extend(self.view.to_le_bytes());
            start
        });
        // Keys have at most 4,096 bytes; the length of a row was checked when it was taken.
        self.out.extend(u16::try_from(key.as_bytes().len()).unwrap_or(u16::MAX).to_le_bytes());
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend(u32::try_from(row.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.out.extend_from_slice(row);
        if self.out.len() - start > ROWS_FRAME {
            self.finish();
        }
    }

    /// Hands over and forgets what was written, if that is at least `size` bytes of whole frames.
    pub(super) fn drain(
        &mut self,
        size: usize,
        write: impl FnOnce(&[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        if self.start.is_none() && self.out.len() >= size {
            write(self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    /// Closes the open frame; to be called after the last row.
    pub(super) fn finish(&mut self) {
        if let Some(start) = self.start.take() {
            close(self.out, start);
            self.frames += 1;
        }
    }
}

/// The frame at the beginning of `bytes`, and its length; `None` if it is not whole, or damaged.
pub(super) fn read(bytes: &[u8]) -> Option<(Frame, usize)> {
    let length = usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let crc = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    if length > MAX_PAYLOAD {
        return None;
    }
    let payload = bytes.get(PREFIX..PREFIX + length)?;
    (crc32c::crc32c(payload) == crc).then_some(())?;
    let (kind, rest) = payload.split_first()?;
    let mut rest = Rest(rest);
    let frame = match kind {
        1 => Frame::View { number: rest.u32()?, spec: rest.spec()? },
        2 => Frame::Rows { view: rest.u32()?, rows: rest.rows()? },
        3 => Frame::Coverage {
            view: rest.u32()?,
            coverage: Coverage { horizon: rest.time()?, until: rest.time()? },
            source: match rest.0 {
                [] => None,
                _ => Some(u64::from_le_bytes(rest.take()?)).filter(|version| *version != 0),
            },
        },
        4 => Frame::End { frames: u64::from_le_bytes(rest.take()?) },
        _ => return None,
    };
    rest.0.is_empty().then_some((frame, PREFIX + length))
}

/// What is left of a payload.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn time(&mut self) -> Option<DataTime> {
        self.take().map(|bytes| DataTime::from_micros(i64::from_le_bytes(bytes)))
    }

    fn spec(&mut self) -> Option<ViewSpec> {
        let definition = Digest::from_bytes(self.take()?);
        let ttl = Span::from_micros(i64::from_le_bytes(self.take()?));
        let name = String::from_utf8(std::mem::take(&mut self.0).to_vec()).ok()?;
        Some(ViewSpec { name, definition, ttl })
    }

    fn rows(&mut self) -> Option<Vec<PackedEntry>> {
        let mut rows = Vec::new();
        while !self.0.is_empty() {
            let length = usize::from(u16::from_le_bytes(self.take()?));
            let key = EntityKey::from_bytes(self.bytes(length)?);
            let length = usize::try_from(self.u32()?).ok()?;
            rows.push((key, self.bytes(length)?.into()));
        }
        Some(rows)
    }
}
