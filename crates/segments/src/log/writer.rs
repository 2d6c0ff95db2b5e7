//! What is written now, and what has been.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::fault::{Fault, is_planted};
use mainstay_core::time::DataTime;
use mainstay_serving::segment::{SealedSegment, SegmentId};

use super::Place;
use super::disk::DiskFile;
use super::error::LogError;
use super::format::{self, FOOTER, FRAME_HEAD, HEADER};
use super::options::{LogOptions, LogStats};
use super::reader::Cursor;

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The offset behind its last frame.
    pub(super) end: u64,
    pub(super) records: u64,
    pub(super) earliest: DataTime,
    pub(super) latest: DataTime,
}

impl Extent {
    pub(super) const EMPTY: Self =
        Self { end: HEADER, records: 0, earliest: DataTime::MAX, latest: DataTime::MIN };

    pub(super) fn add(&mut self, at: DataTime, frame: u64) {
        self.end += frame;
        self.records += 1;
        self.earliest = self.earliest.min(at);
        self.latest = self.latest.max(at);
    }
}

/// A segment that is not written any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed {
    pub(super) extent: Extent,
    pub(super) sealed: Option<SealedSegment>,
}

impl Closed {
    const fn bytes(&self) -> u64 {
        self.extent.end + if self.sealed.is_some() { FOOTER as u64 } else { 0 }
    }
}

/// The file of a segment, shared with those who wait for its sync.
#[derive(Debug)]
pub(super) struct SegmentFile {
    sequence: u64,
    file: Box<dyn DiskFile>,
    /// How far it is durable. Held during a sync, so that waiters share the next one.
    durable: Mutex<Durable>,
    /// A sync failed: what the disk has is not known, and nothing more is written here.
    failed: AtomicBool,
}

#[derive(Debug, Default)]
struct Durable {
    end: u64,
    named: bool,
}

impl SegmentFile {
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns once the first `end` bytes are durable. `newest` gives the end as it is just before
    /// the sync, which then counts for everybody who has written by then.
    pub(super) fn sync(
        &self,
        place: &Place,
        end: u64,
        newest: impl FnOnce() -> Option<u64>,
    ) -> Result<(), LogError> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.end >= end {
            return Ok(());
        }
        let reached = newest().unwrap_or(end).max(end);
        let name = || if durable.named { Ok(()) } else { place.disk.sync_dir(&place.dir) };
        let synced = if is_planted(Fault::NoSync) { Ok(()) } else { self.file.sync().and_then(|()| name()) };
        if let Err(error) = synced {
            self.failed.store(true, Ordering::Release);
            return Err(error.into());
        }
        *durable = Durable { end: reached, named: true };
        Ok(())
    }
}

#[derive(Debug)]
struct Active {
    segment: Arc<SegmentFile>,
    extent: Extent,
    first: DataTime,
    /// A failed write may have left bytes behind the end.
    torn: bool,
}

/// Where an appended frame ends.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) segment: Arc<SegmentFile>,
    pub(super) end: u64,
}

/// The state behind the log's mutex.
#[derive(Debug)]
pub(super) struct Writer {
    place: Place,
    options: LogOptions,
    active: Option<Active>,
    closed: BTreeMap<u64, Closed>,
    next: u64,
    stats: LogStats,
    /// Head and payload side by side, so that one write takes them; kept for its capacity.
    scratch: Vec<u8>,
}

impl Writer {
    pub(super) fn new(place: Place, options: LogOptions, closed: BTreeMap<u64, Closed>, next: u64) -> Self {
        let bytes = closed.values().map(Closed::bytes).sum();
        let stats = LogStats { bytes, ..LogStats::default() };
        Self { place, options, active: None, closed, next, stats, scratch: Vec::new() }
    }

    /// Writes one frame; `None` if the log is full.
    pub(super) fn append(
        &mut self,
        at: DataTime,
        head: &[u8; FRAME_HEAD],
        payload: &[u8],
    ) -> Result<Option<Position>, LogError> {
        let frame = (FRAME_HEAD + payload.len()) as u64;
        if self.active.as_ref().is_some_and(|active| is_due(active, &self.options, at, frame)) {
            self.rotate();
        }
        let opening = if self.active.is_none() { HEADER } else { 0 };
        if self.stats.bytes.saturating_add(opening + frame) > self.options.max_bytes {
            self.stats.dropped += 1;
            return Ok(None);
        }
        if self.active.is_none() {
            self.active = Some(self.start(at)?);
        }
        let Some(active) = &mut self.active else { return Ok(None) };
        if active.torn {
            active.segment.file.truncate(active.extent.end)?;
            active.torn = false;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(head);
        self.scratch.extend_from_slice(payload);
        // Until the write is done, whatever lies behind the end is not part of the log.
        active.torn = true;
        if let Err(error) = active.segment.file.write_all_at(&self.scratch, active.extent.end) {
            active.torn = active.segment.file.truncate(active.extent.end).is_err();
            return Err(error.into());
        }
        active.torn = false;
        active.extent.add(at, frame);
        self.stats.bytes += frame;
        self.stats.appended += 1;
        Ok(Some(Position { segment: Arc::clone(&active.segment), end: active.extent.end }))
    }

    /// Starts a segment. Its number is used up even if that fails.
    fn start(&mut self, at: DataTime) -> Result<Active, LogError> {
        let sequence = self.next;
        self.next += 1;
        let path = self.place.open_path(sequence);
        let file = self.place.disk.create(&path)?;
        let header = format::header(SegmentId { log: self.place.id, sequence });
        if let Err(error) = file.write_all_at(&header, 0) {
            // A file without a whole header holds nothing; if it stays, the next start removes it.
            drop(std::fs::remove_file(&path));
            return Err(error.into());
        }
        self.stats.bytes += HEADER;
        let (durable, failed) = (Mutex::default(), AtomicBool::new(false));
        let segment = Arc::new(SegmentFile { sequence, file, durable, failed });
        Ok(Active { segment, extent: Extent::EMPTY, first: at, torn: false })
    }

    pub(super) fn rotate(&mut self) {
        if let Some(active) = self.active.take_if(|active| active.extent.records > 0) {
            let closed = Closed { extent: active.extent, sealed: None };
            self.closed.insert(active.segment.sequence, closed);
        }
    }

    /// The end of a segment, if it is the one being written.
    pub(super) fn end_of(&self, sequence: u64) -> Option<u64> {
        self.active.as_ref().filter(|active| active.segment.sequence == sequence).map(|a| a.extent.end)
    }

    /// The first segment from `sequence` on that has frames: its number, its end, whether it is
    /// sealed, and whether it may still grow.
    pub(super) fn segment_from(&self, sequence: u64) -> Option<Readable> {
        let closed = self.closed.range(sequence..).next();
        let active = || {
            let active = self.active.as_ref().filter(|active| active.segment.sequence >= sequence)?;
            let (sequence, end) = (active.segment.sequence, active.extent.end);
            Some(Readable { sequence, end, growing: true })
        };
        // The active segment has the highest number of all.
        closed.map_or_else(active, |(sequence, closed)| {
            Some(Readable { sequence: *sequence, end: closed.extent.end, growing: false })
        })
    }

    /// Behind the last record.
    pub(super) fn end(&self) -> Cursor {
        let next = Cursor { sequence: self.next, offset: 0 };
        self.active
            .as_ref()
            .map_or(next, |active| Cursor { sequence: active.segment.sequence, offset: active.extent.end })
    }

    pub(super) fn unsealed(&self) -> Vec<(u64, Extent)> {
        let waiting = self.closed.iter().filter(|(_, closed)| closed.sealed.is_none());
        waiting.map(|(sequence, closed)| (*sequence, closed.extent)).collect()
    }

    pub(super) fn sealed(&mut self, sequence: u64, segment: SealedSegment) {
        if let Some(closed) = self.closed.get_mut(&sequence) {
            closed.sealed = Some(segment);
            self.stats.bytes += FOOTER as u64;
        }
    }

    pub(super) fn sealed_segments(&self) -> Vec<SealedSegment> {
        self.closed.values().filter_map(|closed| closed.sealed).collect()
    }

    /// Forgets a sealed segment, whose file may go then.
    pub(super) fn take_sealed(&mut self, sequence: u64) -> Option<Closed> {
        self.closed.get(&sequence).and_then(|closed| closed.sealed)?;
        self.forget(sequence)
    }

    pub(super) fn put_back(&mut self, sequence: u64, segment: Closed) {
        self.stats.bytes += segment.bytes();
        self.closed.insert(sequence, segment);
    }

    /// Forgets a segment that was set aside.
    pub(super) fn lost(&mut self, sequence: u64) {
        self.forget(sequence);
        self.stats.set_aside += 1;
    }

    fn forget(&mut self, sequence: u64) -> Option<Closed> {
        let segment = self.closed.remove(&sequence)?;
        self.stats.bytes = self.stats.bytes.saturating_sub(segment.bytes());
        Some(segment)
    }

    pub(super) fn stats(&self) -> LogStats {
        LogStats { segments: self.closed.len() + usize::from(self.active.is_some()), ..self.stats }
    }
}

/// Whether a segment must be closed before that frame.
fn is_due(active: &Active, options: &LogOptions, at: DataTime, frame: u64) -> bool {
    active.segment.failed.load(Ordering::Acquire)
        || active.extent.records > 0
            && (active.extent.end + frame > options.max_segment_bytes
                || active.extent.records >= options.max_segment_records
                || at.since(active.first) >= options.max_segment_age_micros)
}

/// A segment as a reader sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Readable {
    pub(super) sequence: u64,
    pub(super) end: u64,
    pub(super) growing: bool,
}
