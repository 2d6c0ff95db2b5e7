//! The predictor's bounded local log: append-only segment files of checksummed frames.
//!
//! # On disk
//!
//! A log is a directory. `identity` names it, `lock` keeps a second process out, and each segment is
//! one file: `<sequence>.open` while it grows, `<sequence>.seg` once it is sealed. All integers are
//! little-endian.
//!
//! | part | bytes |
//! |---|---|
//! | header | magic 8, format u32, log id 16, sequence u64, CRC-32C u32 of the 36 bytes before |
//! | frame, repeated | length of the payload u32, CRC-32C u32 of everything else in the frame, data time i64 µs, payload |
//! | footer, once sealed | mark `ffffffff`, CRC-32C u32 of the rest, records u64, bytes u64, earliest i64, latest i64, SHA-256 32 |
//!
//! The footer's digest is of the first `bytes` bytes: header and frames. CRC-32C is that of RFC 3720.
//!
//! # Promises
//!
//! * An answer [`Receipt::Written`] means that the kernel has the whole frame: it survives the death
//!   of the process by any signal. [`Receipt::Synced`] means that the disk has it too.
//! * After a crash the torn tail of an open segment is cut behind its last whole frame; what was
//!   acknowledged stands before it.
//! * A full disk gives a typed error and leaves no half frame; appending works again once there is
//!   space. A full log (`max_bytes`) drops the record, says so and counts it.
//!
//! # Threads
//!
//! The log has none of its own. An append is one `write` under a mutex by the thread that calls: the
//! kernel only copies the frame (300 bytes: 1.2 µs CPU in all, from one thread as from eight), and
//! waking another thread to do it would cost more. Threads that ask for `Synced` share `fdatasync` calls. Sealing, which reads a whole
//! segment, is called by a maintenance task and holds no lock that an append needs.

mod disk;
mod error;
mod format;
mod frames;
mod options;
mod reader;
mod recovery;
mod seal;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use disk::{Disk, DiskFile, LocalDisk};
pub use error::LogError;
use mainstay_core::entropy::Entropy;
use mainstay_core::time::DataTime;
use mainstay_serving::segment::{LogId, SealedSegment};
pub use options::{Durability, LogOptions, LogStats, Receipt, Recovery};
pub use reader::{Cursor, LogReader, Record};
pub use seal::verify_sealed;
use writer::Writer;

/// Largest payload of one record, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// A log, open for appending, reading and sealing. Shared by all threads of one process.
#[derive(Debug)]
pub struct SegmentLog {
    place: Place,
    writer: Mutex<Writer>,
    /// Held while segments are sealed, so that two callers do not seal the same one.
    sealing: Mutex<()>,
    /// Locked as long as it is open.
    _lock: File,
}

/// Where a log lives, and how it writes there.
#[derive(Debug, Clone)]
struct Place {
    id: LogId,
    dir: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Place {
    fn open_path(&self, sequence: u64) -> PathBuf {
        self.dir.join(format::file_name(sequence, format::OPEN))
    }

    fn sealed_path(&self, sequence: u64) -> PathBuf {
        self.dir.join(format::file_name(sequence, format::SEALED))
    }
}

impl SegmentLog {
    /// Opens the log in `dir`, which is created if need be, and repairs what a crash left.
    ///
    /// Segments that were open are closed: they are readable at once, and sealed by the next
    /// [`SegmentLog::seal_closed`]. Fails with [`LogError::InUse`] if another process has it open.
    pub fn open(
        dir: &Path,
        options: LogOptions,
        disk: Arc<dyn Disk>,
        entropy: &dyn Entropy,
    ) -> Result<(Self, Recovery), LogError> {
        let lock = recovery::lock(dir)?;
        let id = recovery::identity(dir, &disk, entropy)?;
        let place = Place { id, dir: dir.to_owned(), disk };
        let (closed, next, report) = recovery::recover(&place)?;
        let writer = Mutex::new(Writer::new(place.clone(), options, closed, next));
        Ok((Self { place, writer, sealing: Mutex::new(()), _lock: lock }, report))
    }

    /// The log's id.
    pub const fn id(&self) -> LogId {
        self.place.id
    }

    /// Appends one record of data time `at`.
    ///
    /// `Ok` says how safe it is, or that it was dropped because the log is full. After an error
    /// nothing of it is visible; except that after a failed sync it may be, so that asking again may
    /// write it twice.
    pub fn append(&self, at: DataTime, payload: &[u8], durability: Durability) -> Result<Receipt, LogError> {
        let head = format::frame_head(at, payload)?;
        let Some(position) = self.writer().append(at, &head, payload)? else {
            return Ok(Receipt::Dropped);
        };
        match durability {
            Durability::Written => Ok(Receipt::Written),
            Durability::Synced => {
                let newest = || self.writer().end_of(position.segment.sequence());
                position.segment.sync(&self.place, position.end, newest)?;
                Ok(Receipt::Synced)
            }
        }
    }

    /// Closes the segment that is being written, so that it can be sealed; the next record opens
    /// another one. Does nothing if it is empty.
    pub fn rotate(&self) {
        self.writer().rotate();
    }

    /// Seals every closed segment: syncs and checks it, writes its footer, renames it. Returns those
    /// that are sealed now. What fails stays closed and readable, and is tried again next time; a
    /// segment whose frames do not check is set aside and reported in [`LogStats::set_aside`].
    pub fn seal_closed(&self) -> Result<Vec<SealedSegment>, LogError> {
        let _one = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self.writer().unsealed();
        let mut sealed = Vec::with_capacity(waiting.len());
        for (sequence, extent) in waiting {
            match seal::seal(&self.place, sequence, &extent) {
                Ok(segment) => {
                    self.writer().sealed(sequence, segment);
                    sealed.push(segment);
                }
                Err(LogError::Corrupt { path, .. }) => {
                    tracing::error!(?path, "a segment does not check; it is set aside");
                    recovery::set_aside(&self.place, &path)?;
                    self.writer().lost(sequence);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(sealed)
    }

    /// The sealed segments that are still here, oldest first.
    pub fn sealed_segments(&self) -> Vec<SealedSegment> {
        self.writer().sealed_segments()
    }

    /// The file of a sealed segment.
    pub fn sealed_path(&self, sequence: u64) -> PathBuf {
        self.place.sealed_path(sequence)
    }

    /// Deletes a sealed segment that nobody needs any more, which makes room. `false` if there is no
    /// such segment, or it is not sealed.
    pub fn release(&self, sequence: u64) -> Result<bool, LogError> {
        // The file goes outside of the lock: appends need not wait for it.
        let Some(segment) = self.writer().take_sealed(sequence) else { return Ok(false) };
        if let Err(error) = std::fs::remove_file(self.place.sealed_path(sequence)) {
            self.writer().put_back(sequence, segment);
            return Err(error.into());
        }
        Ok(true)
    }

    /// Figures for metrics.
    pub fn stats(&self) -> LogStats {
        self.writer().stats()
    }

    /// Behind everything that is appended now.
    pub fn end(&self) -> Cursor {
        self.writer().end()
    }

    /// Reads on from a cursor, through sealed, closed and open segments alike.
    pub fn read_from(self: &Arc<Self>, cursor: Cursor) -> LogReader {
        LogReader::new(Arc::clone(self), cursor)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while the lock is held leaves at worst a torn tail, which the next append cuts.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
