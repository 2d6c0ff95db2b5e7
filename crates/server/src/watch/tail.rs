//! Reading a log in the order in which it was written, and remembering from where it must be read again.

use std::collections::VecDeque;
use std::sync::Arc;

use mainstay_core::time::DataTime;
use mainstay_segments::log::{Cursor, LogError, LogReader, SegmentLog};

/// Records between two marks.
const STRIDE: u64 = 1_000;

/// A place in the log, and the greatest data time between it and the next one.
#[derive(Debug, Clone, Copy)]
struct Mark {
    cursor: Cursor,
    latest: DataTime,
}

/// The end of a log, followed as it grows.
#[derive(Debug)]
pub(super) struct Tail {
    reader: LogReader,
    marks: VecDeque<Mark>,
    read: u64,
}

impl Tail {
    /// Reads from a cursor on.
    pub(super) fn new(log: &Arc<SegmentLog>, from: Cursor) -> Self {
        Self { reader: log.read_from(from), marks: VecDeque::new(), read: 0 }
    }

    /// Gives the next records to `take`, at most `limit`; returns how many there were. `take` tells the
    /// data time by which a record will be known to be no longer needed.
    pub(super) fn read(
        &mut self,
        limit: usize,
        mut take: impl FnMut(&[u8], DataTime) -> DataTime,
    ) -> Result<usize, LogError> {
        let mut count = 0;
        while count < limit {
            let cursor = self.reader.cursor();
            let record = match self.reader.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    self.reader.skip_damage(error)?;
                    continue;
                }
            };
            let latest = take(record.payload, record.at);
            if self.read.is_multiple_of(STRIDE) || self.marks.is_empty() {
                self.marks.push_back(Mark { cursor, latest });
            } else if let Some(mark) = self.marks.back_mut() {
                mark.latest = mark.latest.max(latest);
            }
            self.read += 1;
            count += 1;
        }
        Ok(count)
    }

    /// From where the log must be read again so that every record from `needed` on is seen.
    pub(super) fn restart(&mut self, needed: DataTime) -> Cursor {
        while self.marks.front().is_some_and(|mark| mark.latest < needed) {
            self.marks.pop_front();
        }
        self.marks.front().map_or_else(|| self.reader.cursor(), |mark| mark.cursor)
    }
}
