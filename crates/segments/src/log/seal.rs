//! Sealing a segment, and checking a sealed one.

use std::fs::File;
use std::path::Path;

use mainstay_core::digest::Digest;
use mainstay_core::fault::{Fault, is_planted};
use mainstay_serving::segment::{LogId, SealedSegment, SegmentId};
use sha2::{Digest as _, Sha256};

use super::Place;
use super::disk::read_at;
use super::error::LogError;
use super::format::{self, FOOTER, HEADER, HEADER_SIZE};
use super::frames::Frames;
use super::writer::Extent;

/// Seals a closed segment. Each step can be cut short by a crash and is done again then: the same
/// frames give the same footer.
pub(super) fn seal(place: &Place, sequence: u64, extent: &Extent) -> Result<SealedSegment, LogError> {
    let id = SegmentId { log: place.id, sequence };
    let path = place.open_path(sequence);
    let (found, digest) = digest_frames(&path, id, extent.end)?;
    if found != *extent {
        return Err(LogError::Corrupt { path, offset: found.end });
    }
    let segment = SealedSegment {
        id,
        records: extent.records,
        bytes: extent.end,
        digest,
        earliest: extent.earliest,
        latest: extent.latest,
    };
    let file = place.disk.open(&path)?;
    file.truncate(extent.end)?;
    file.write_all_at(&format::footer(&segment), extent.end)?;
    if !is_planted(Fault::NoSync) {
        file.sync()?;
    }
    place.disk.rename(&path, &place.sealed_path(sequence))?;
    place.disk.sync_dir(&place.dir)?;
    Ok(segment)
}

/// Checks a sealed segment from end to end: header, every frame, footer and digest.
pub fn verify_sealed(path: &Path, log: LogId, sequence: u64) -> Result<SealedSegment, LogError> {
    let corrupt = |offset| LogError::Corrupt { path: path.to_owned(), offset };
    let segment = read_sealed(path, log, sequence)?.ok_or_else(|| corrupt(0))?;
    let (found, digest) = digest_frames(path, segment.id, segment.bytes)?;
    let expected = (segment.bytes, segment.records, segment.earliest, segment.latest, segment.digest);
    let sound = (found.end, found.records, found.earliest, found.latest, digest) == expected;
    if sound { Ok(segment) } else { Err(corrupt(found.end)) }
}

/// What the footer of a sealed segment says; `None` if header or footer do not check.
pub(super) fn read_sealed(path: &Path, log: LogId, sequence: u64) -> Result<Option<SealedSegment>, LogError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let Some(start) = length.checked_sub(FOOTER as u64) else { return Ok(None) };
    let (mut header, mut footer) = ([0; HEADER_SIZE], [0; FOOTER]);
    let read = read_at(&file, &mut header, 0)? + read_at(&file, &mut footer, start)?;
    let whole = read == header.len() + footer.len();
    if !whole || !format::is_header(&header, SegmentId { log, sequence }) {
        return Ok(None);
    }
    Ok(format::read_footer(&footer, log, sequence, length))
}

/// Reads header and frames up to `limit`, or to where they stop checking.
fn digest_frames(path: &Path, id: SegmentId, limit: u64) -> Result<(Extent, Digest), LogError> {
    let file = File::open(path)?;
    let mut header = [0; HEADER_SIZE];
    let read = read_at(&file, &mut header, 0)?;
    if read < header.len() || !format::is_header(&header, id) {
        return Err(LogError::Corrupt { path: path.to_owned(), offset: 0 });
    }
    let mut hasher = Sha256::new();
    hasher.update(header);
    let mut extent = Extent::EMPTY;
    let mut frames = Frames::new(file, HEADER, limit);
    while let Some(frame) = frames.next_frame()? {
        hasher.update(frame.raw);
        extent.add(frame.at, frame.raw.len() as u64);
    }
    Ok((extent, Digest::from_bytes(hasher.finalize().into())))
}
