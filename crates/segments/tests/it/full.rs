//! A disk that fills up, fails to sync, and gets better.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_segments::log::{Cursor, Disk, DiskFile, Durability, LocalDisk, LogOptions, Receipt};

use crate::scratch::{SMALL, append, files, numbers, open, try_open, write};

/// Lets `room` bytes through, the last write in part, and then reports a full disk.
#[derive(Debug, Clone, Default)]
struct Limited {
    room: Arc<AtomicUsize>,
    syncs_fail: Arc<AtomicBool>,
    cuts_fail: Arc<AtomicBool>,
    syncs: Arc<AtomicUsize>,
    /// Holds up the next sync.
    gate: Arc<Mutex<Option<Gate>>>,
}

#[derive(Debug)]
struct Gate {
    started: mpsc::Sender<()>,
    may_go: mpsc::Receiver<()>,
}

impl Limited {
    fn with_room(room: usize) -> Self {
        Self { room: Arc::new(AtomicUsize::new(room)), ..Self::default() }
    }

    fn wrap(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(LimitedFile { disk: self.clone(), file })
    }
}

#[derive(Debug)]
struct LimitedFile {
    disk: Limited,
    file: Box<dyn DiskFile>,
}

impl Disk for Limited {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.wrap(LocalDisk.create(path)?))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.wrap(LocalDisk.open(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }
}

impl DiskFile for LimitedFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let room = self.disk.room.load(Ordering::SeqCst);
        let through = bytes.len().min(room);
        self.file.write_all_at(&bytes[..through], offset)?;
        self.disk.room.store(room - through, Ordering::SeqCst);
        if through < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        if self.disk.cuts_fail.load(Ordering::SeqCst) {
            return Err(io::Error::other("no"));
        }
        self.file.truncate(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.syncs.fetch_add(1, Ordering::SeqCst);
        let gate = self.disk.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.started.send(()).unwrap();
            gate.may_go.recv().unwrap();
        }
        if self.disk.syncs_fail.load(Ordering::SeqCst) {
            return Err(io::Error::other("no"));
        }
        self.file.sync()
    }
}

#[test]
fn wherever_the_disk_fills_up_nothing_half_is_visible_and_it_heals() {
    // The identity takes 33 bytes, a header 40; then frames of 24 and more bytes.
    for room in (33..900).step_by(7) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Limited::with_room(room);
        let (log, _) = try_open(dir.path(), SMALL, Arc::new(disk.clone())).unwrap();
        let mut kept = Vec::new();
        for n in 0..30 {
            match append(&log, n, Durability::Written) {
                Ok(_) => kept.push(n),
                Err(error) => assert_eq!(error.code(), ErrorCode::StorageFull),
            }
        }
        assert!(kept.len() < 30);
        assert_eq!(numbers(&log, Cursor::START).0, kept);
        disk.room.store(usize::MAX, Ordering::SeqCst);
        for n in 30..45 {
            append(&log, n, Durability::Written).unwrap();
            kept.push(n);
        }
        assert_eq!(numbers(&log, Cursor::START).0, kept);
        drop(log);
        let (log, report) = open(dir.path(), SMALL);
        assert_eq!((numbers(&log, Cursor::START).0, report.cut_bytes), (kept, 0));
    }
}

#[test]
fn a_tail_that_cannot_be_cut_at_once_is_cut_before_the_next_record() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Limited::with_room(33 + 40 + 30);
    let (log, _) = try_open(dir.path(), SMALL, Arc::new(disk.clone())).unwrap();
    write(&log, 0..1);
    disk.cuts_fail.store(true, Ordering::SeqCst);
    assert!(append(&log, 200, Durability::Written).is_err());
    disk.room.store(usize::MAX, Ordering::SeqCst);
    assert!(append(&log, 2, Durability::Written).is_err(), "not on top of a torn frame");
    disk.cuts_fail.store(false, Ordering::SeqCst);
    write(&log, 3..5);
    assert_eq!(numbers(&log, Cursor::START).0, [0, 3, 4]);
    drop(log);
    assert_eq!(numbers(&open(dir.path(), SMALL).0, Cursor::START).0, [0, 3, 4]);
}

#[test]
fn sealing_on_a_full_disk_fails_leaves_all_readable_and_works_later() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Limited::with_room(usize::MAX);
    let (log, _) = try_open(dir.path(), SMALL, Arc::new(disk.clone())).unwrap();
    write(&log, 0..12);
    for room in [0, 1, 71] {
        disk.room.store(room, Ordering::SeqCst);
        assert_eq!(log.seal_closed().unwrap_err().code(), ErrorCode::StorageFull);
        assert_eq!(numbers(&log, Cursor::START).0, (0..12).collect::<Vec<_>>());
    }
    disk.room.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(log.seal_closed().unwrap().len(), 1);
    assert_eq!(files(dir.path()), ["00000000000000000001.seg", "00000000000000000002.open"]);
}

/// Whoever reads `.seg` takes the segment for durable.
#[test]
fn what_cannot_be_synced_is_not_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Limited::with_room(usize::MAX);
    let (log, _) = try_open(dir.path(), SMALL, Arc::new(disk.clone())).unwrap();
    write(&log, 0..10);
    log.rotate();
    disk.syncs_fail.store(true, Ordering::SeqCst);
    assert_eq!(log.seal_closed().unwrap_err().code(), ErrorCode::Internal);
    assert_eq!(files(dir.path()), ["00000000000000000001.open"]);
    disk.syncs_fail.store(false, Ordering::SeqCst);
    assert_eq!(log.seal_closed().unwrap().len(), 1);
    assert_eq!(files(dir.path()), ["00000000000000000001.seg"]);
}

#[test]
fn after_a_failed_sync_nothing_is_called_synced_that_may_not_be() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Limited::with_room(usize::MAX);
    let (log, _) = try_open(dir.path(), SMALL, Arc::new(disk.clone())).unwrap();
    assert_eq!(append(&log, 1, Durability::Synced).unwrap(), Receipt::Synced);
    disk.syncs_fail.store(true, Ordering::SeqCst);
    assert_eq!(append(&log, 2, Durability::Synced).unwrap_err().code(), ErrorCode::Internal);
    disk.syncs_fail.store(false, Ordering::SeqCst);
    assert_eq!(append(&log, 3, Durability::Synced).unwrap(), Receipt::Synced);
    assert_eq!(
        files(dir.path()),
        ["00000000000000000001.open", "00000000000000000002.open"],
        "another file, as the first one's state on disk is not known"
    );
    assert_eq!(numbers(&log, Cursor::START).0, [1, 2, 3]);
}

#[test]
fn threads_that_wait_for_a_sync_share_the_next_one() {
    const FOLLOWERS: u64 = 8;
    let dir = tempfile::tempdir().unwrap();
    let disk = Limited::with_room(usize::MAX);
    let options = LogOptions { max_segment_records: 1_000, ..SMALL };
    let (log, _) = try_open(dir.path(), options, Arc::new(disk.clone())).unwrap();
    let before = disk.syncs.load(Ordering::SeqCst);
    let (started, has_started) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    *disk.gate.lock().unwrap() = Some(Gate { started, may_go });
    std::thread::scope(|scope| {
        let log = &log;
        scope.spawn(move || append(log, 0, Durability::Synced).unwrap());
        has_started.recv_timeout(Duration::from_mins(1)).unwrap();
        for n in 1..=FOLLOWERS {
            scope.spawn(move || append(log, n, Durability::Synced).unwrap());
        }
        // The first sync has begun and may not count for those who write now.
        while log.stats().appended < 1 + FOLLOWERS {
            std::thread::yield_now();
        }
        go.send(()).unwrap();
    });
    assert_eq!(disk.syncs.load(Ordering::SeqCst) - before, 2);
}
