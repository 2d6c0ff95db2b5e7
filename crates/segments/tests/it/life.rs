//! Appending, reading, rotating, sealing, releasing.

use std::sync::Arc;

use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use mainstay_segments::log::{Cursor, Durability, LocalDisk, LogError, LogOptions, Receipt, verify_sealed};

use crate::scratch::{SMALL, append, files, numbers, open, try_open, write};

#[test]
fn records_come_back_in_order_through_open_closed_and_sealed_segments() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    write(&log, 0..25);
    assert_eq!(numbers(&log, Cursor::START).0, (0..25).collect::<Vec<_>>());
    let sealed = log.seal_closed().unwrap();
    assert_eq!(sealed.iter().map(|s| s.records).collect::<Vec<_>>(), [10, 10]);
    let (all, end) = numbers(&log, Cursor::START);
    assert_eq!(all, (0..25).collect::<Vec<_>>());
    write(&log, 25..47);
    let (more, end) = numbers(&log, end);
    assert_eq!(more, (25..47).collect::<Vec<_>>());
    assert!(numbers(&log, end).0.is_empty());
    assert_eq!((log.stats().appended, log.stats().dropped, log.stats().segments), (47, 0, 5));
}

#[test]
fn a_reader_follows_a_growing_log_from_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    let mut reader = log.read_from(Cursor::START);
    assert_eq!(reader.next_record().unwrap(), None);
    for n in 0..35 {
        write(&log, n..n + 1);
        if n % 7 == 0 {
            log.seal_closed().unwrap();
        }
        assert_eq!(reader.next_record().unwrap().unwrap().at.micros(), n.cast_signed());
        assert_eq!(reader.next_record().unwrap(), None);
        let rest = numbers(&log, reader.cursor());
        assert!(rest.0.is_empty());
    }
}

#[test]
fn a_sealed_segment_says_what_it_holds_and_checks() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    for at in [7, 3, 9] {
        log.append(DataTime::from_micros(at), b"record", Durability::Written).unwrap();
    }
    assert_eq!(log.seal_closed().unwrap(), []);
    log.rotate();
    let [segment] = log.seal_closed().unwrap().try_into().unwrap();
    assert_eq!((segment.records, segment.earliest.micros(), segment.latest.micros()), (3, 3, 9));
    let path = log.sealed_path(segment.id.sequence);
    let bytes = std::fs::read(&path).unwrap();
    let content = &bytes[..usize::try_from(segment.bytes).unwrap()];
    assert_eq!(segment.digest, Digest::of(content));
    assert_eq!(verify_sealed(&path, log.id(), segment.id.sequence).unwrap(), segment);
    assert_eq!(log.stats().bytes, bytes.len() as u64);
    drop(log);
    let (log, report) = open(dir.path(), SMALL);
    assert_eq!((log.sealed_segments(), report.closed), (vec![segment], 0));
}

#[test]
fn segments_are_closed_by_size_and_by_age_too() {
    let count = |options: LogOptions, payload: usize| {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), options);
        for n in 0..10 {
            log.append(DataTime::from_micros(n), &vec![1; payload], Durability::Written).unwrap();
        }
        log.stats().segments
    };
    assert_eq!(count(LogOptions { max_segment_age_micros: 5, ..SMALL }, 1), 2);
    // A header of 40 and two frames of 116 bytes fit into 300.
    assert_eq!(count(LogOptions { max_segment_bytes: 300, ..SMALL }, 100), 5);
    assert_eq!(count(LogOptions { max_segment_bytes: 0, ..SMALL }, 100), 10);
}

#[test]
fn a_full_log_drops_counts_and_takes_again_after_a_release() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), LogOptions { max_bytes: 3_000, max_segment_records: 5, ..SMALL });
    let record = |n| log.append(DataTime::from_micros(n), &[7; 100], Durability::Written).unwrap();
    let dropped = (0..40).filter(|n| record(*n) == Receipt::Dropped).count();
    assert!(dropped > 0 && log.stats().bytes <= 3_000);
    assert_eq!(log.stats().dropped, dropped as u64);
    assert!(!log.release(1).unwrap(), "not sealed yet");
    log.seal_closed().unwrap();
    assert!(log.release(1).unwrap());
    assert!(!log.release(1).unwrap(), "released already");
    assert_eq!(record(41), Receipt::Written);
    assert!(!files(dir.path()).contains(&"00000000000000000001.seg".to_owned()));
    let on_disk: u64 = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| !matches!(entry.file_name().to_str().unwrap(), "lock" | "identity"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert_eq!(log.stats().bytes, on_disk);
    let first = log.read_from(Cursor::START).next_record().unwrap().unwrap().at.micros();
    assert_eq!(first, 5, "a reader passes over what was released");
}

#[test]
fn one_process_at_a_time_and_the_log_keeps_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    let second = try_open(dir.path(), SMALL, Arc::new(LocalDisk));
    assert!(matches!(second, Err(LogError::InUse)));
    let id = log.id();
    drop(log);
    assert_eq!(open(dir.path(), SMALL).0.id(), id);
}

#[test]
fn synced_records_are_there_and_threads_share() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), LogOptions { max_segment_records: 50, ..SMALL });
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..40 {
                    let durability = if n % 4 == 0 { Durability::Synced } else { Durability::Written };
                    let receipt = append(log, thread * 1_000 + n, durability).unwrap();
                    assert_eq!(receipt == Receipt::Synced, durability == Durability::Synced);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                log.seal_closed().unwrap();
            }
        });
    });
    let (mut found, _) = numbers(&log, Cursor::START);
    for thread in 0..4 {
        let own: Vec<u64> = found.iter().copied().filter(|n| n / 1_000 == thread).collect();
        assert!(own.is_sorted(), "each thread's records keep their order");
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 160);
}
