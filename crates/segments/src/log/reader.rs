//! Reading a log from a cursor on, while it grows.

use std::fs::File;
use std::io;
use std::sync::Arc;

use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};

use super::SegmentLog;
use super::error::LogError;
use super::format::HEADER;
use super::frames::Frames;

/// A place in a log: behind the last record that was read. Kept by whoever folds the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The segment.
    pub sequence: u64,
    /// The offset within its file.
    pub offset: u64,
}

impl Cursor {
    /// Before everything.
    pub const START: Self = Self { sequence: 0, offset: 0 };
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'b> {
    /// Its data time.
    pub at: DataTime,
    /// Its bytes.
    pub payload: &'b [u8],
}

/// Reads records in the order in which they were appended.
#[derive(Debug)]
pub struct LogReader {
    log: Arc<SegmentLog>,
    cursor: Cursor,
    frames: Option<Frames>,
}

impl LogReader {
    pub(super) const fn new(log: Arc<SegmentLog>, cursor: Cursor) -> Self {
        Self { log, cursor, frames: None }
    }

    /// Behind the last record that [`LogReader::next_record`] gave.
    pub const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The next record; `None` where there is none yet, so that asking again later may give one.
    ///
    /// Segments that were released meanwhile are passed over. A frame that does not check gives
    /// [`LogError::Corrupt`]; [`LogReader::skip_segment`] goes on behind its segment.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, LogError> {
        if !self.find()? {
            return Ok(None);
        }
        let Some(frames) = &mut self.frames else { return Ok(None) };
        let offset = frames.offset();
        let path = || self.log.place.open_path(self.cursor.sequence);
        let Some(frame) = frames.next_frame()? else {
            return Err(LogError::Corrupt { path: path(), offset });
        };
        self.cursor.offset = offset + frame.raw.len() as u64;
        Ok(Some(Record { at: frame.at, payload: frame.payload }))
    }

    /// Leaves the present segment for the next one.
    pub fn skip_segment(&mut self) {
        self.cursor = Cursor { sequence: self.cursor.sequence.saturating_add(1), offset: 0 };
        self.frames = None;
    }

    /// Goes on behind the segment in which a damaged part was found, with a warning; any other error is
    /// given back.
    pub fn skip_damage(&mut self, error: LogError) -> Result<(), LogError> {
        let LogError::Corrupt { path, offset } = error else { return Err(error) };
        tracing::warn!(?path, offset, "a part of a log is damaged; what follows its segment is read");
        self.skip_segment();
        Ok(())
    }

    /// Goes to where the next frame begins; `false` if there is none yet.
    fn find(&mut self) -> Result<bool, LogError> {
        loop {
            if self.frames.as_ref().is_some_and(|frames| frames.offset() < frames.limit()) {
                return Ok(true);
            }
            let Some(found) = self.log.writer().segment_from(self.cursor.sequence) else { return Ok(false) };
            if found.sequence > self.cursor.sequence {
                self.cursor = Cursor { sequence: found.sequence, offset: HEADER };
                self.frames = None;
            }
            let offset = self.cursor.offset.max(HEADER);
            if offset < found.end {
                match &mut self.frames {
                    Some(frames) => frames.extend(found.end),
                    None => self.frames = self.open(found.sequence, offset, found.end)?,
                }
            } else if found.growing {
                return Ok(false);
            } else {
                self.skip_segment();
            }
        }
    }

    /// Opens a segment under whichever name it has now; `None` if it was released since the look at
    /// the index.
    fn open(&self, sequence: u64, offset: u64, end: u64) -> Result<Option<Frames>, LogError> {
        let place = &self.log.place;
        // Sealing renames in one direction only, so after the open name the sealed one is certain.
        for path in [place.open_path(sequence), place.sealed_path(sequence)] {
            match File::open(path) {
                Ok(file) => return Ok(Some(Frames::new(file, offset, end))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        let known = self.log.writer().segment_from(sequence).is_some_and(|s| s.sequence == sequence);
        let path = place.open_path(sequence);
        if known { Err(LogError::Corrupt { path, offset: 0 }) } else { Ok(None) }
    }
}
