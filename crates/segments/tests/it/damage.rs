//! Torn tails, changed bytes and foreign files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::time::DataTime;
use mainstay_segments::log::{Cursor, Durability, LogError, SegmentLog, verify_sealed};
use proptest::prelude::*;

use crate::scratch::{SMALL, files, numbers, open, write};

fn first_open(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("00000000000000000001.open")
}

#[test]
fn a_torn_tail_of_any_length_is_cut_behind_the_last_whole_frame() {
    let origin = tempfile::tempdir().unwrap();
    let (log, _) = open(origin.path(), SMALL);
    let mut ends = vec![40];
    for n in 0..4 {
        write(&log, n..n + 1);
        ends.push(fs::metadata(first_open(&origin)).unwrap().len());
    }
    let bytes = fs::read(first_open(&origin)).unwrap();
    for length in 0..bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::copy(origin.path().join("identity"), dir.path().join("identity")).unwrap();
        fs::write(first_open(&dir), &bytes[..length]).unwrap();
        let (log, report) = open(dir.path(), SMALL);
        let whole = ends.iter().filter(|end| **end <= length as u64).count().saturating_sub(1) as u64;
        assert_eq!(numbers(&log, Cursor::START).0, (0..whole).collect::<Vec<_>>(), "cut at {length}");
        let kept = if whole == 0 && length < 40 { 0 } else { ends[usize::try_from(whole).unwrap()] };
        assert_eq!(report.cut_bytes, length as u64 - kept);
        write(&log, 10..12);
        let expected: Vec<u64> = (0..whole).chain(10..12).collect();
        assert_eq!(numbers(&log, Cursor::START).0, expected);
    }
}

#[test]
fn a_seal_that_was_cut_short_is_done_again_with_the_same_digest() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    write(&log, 0..10);
    log.rotate();
    let [segment] = log.seal_closed().unwrap().try_into().unwrap();
    let sealed = log.sealed_path(1);
    drop(log);
    for footer in [72, 71, 8, 1] {
        let bytes = fs::read(&sealed).unwrap();
        let length = usize::try_from(segment.bytes).unwrap() + footer;
        fs::remove_file(&sealed).unwrap();
        fs::write(first_open(&dir), &bytes[..length]).unwrap();
        let (log, report) = open(dir.path(), SMALL);
        assert_eq!(report.closed, 1);
        assert_eq!(log.seal_closed().unwrap(), [segment]);
        assert_eq!(fs::read(&sealed).unwrap(), bytes);
    }
}

#[test]
fn a_segment_that_changes_before_it_is_sealed_is_set_aside_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    write(&log, 0..20);
    log.rotate();
    let mut bytes = fs::read(first_open(&dir)).unwrap();
    bytes[60] ^= 1;
    fs::write(first_open(&dir), bytes).unwrap();
    assert_eq!(log.seal_closed().unwrap().len(), 1);
    assert_eq!(log.stats().set_aside, 1);
    assert!(files(dir.path()).contains(&"00000000000000000001.open.bad".to_owned()));
    assert_eq!(numbers(&log, Cursor::START).0, (10..20).collect::<Vec<_>>());
}

#[test]
fn a_changed_byte_in_a_sealed_segment_is_found_and_can_be_passed() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    write(&log, 0..20);
    log.rotate();
    log.seal_closed().unwrap();
    let path = log.sealed_path(1);
    let sound = fs::read(&path).unwrap();
    for at in (0..sound.len()).step_by(13) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let error = verify_sealed(&path, log.id(), 1).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Corrupt, "{at}");
    }
    let mut bytes = sound;
    bytes[60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut reader = log.read_from(Cursor::START);
    assert!(matches!(reader.next_record(), Err(LogError::Corrupt { offset: 40, .. })));
    assert!(reader.next_record().is_err(), "it does not go on by itself");
    reader.skip_segment();
    assert_eq!(reader.next_record().unwrap().unwrap().at.micros(), 10);
}

#[test]
fn segments_of_another_log_are_not_taken_for_ours() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, _) = open(theirs.path(), SMALL);
    write(&log, 0..10);
    log.rotate();
    log.seal_closed().unwrap();
    write(&log, 10..12);
    fs::write(ours.path().join("identity"), "0123456789abcdef0123456789abcdef\n").unwrap();
    for name in files(theirs.path()) {
        fs::copy(theirs.path().join(&name), ours.path().join(&name)).unwrap();
    }
    let (log, report) = open(ours.path(), SMALL);
    assert_eq!((report.set_aside, numbers(&log, Cursor::START).0), (2, vec![]));
    write(&log, 0..3);
    assert_eq!(numbers(&log, Cursor::START).0, [0, 1, 2], "and their numbers are not used again");
}

#[test]
fn no_payload_can_pass_for_a_frame_after_a_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), SMALL);
    log.append(DataTime::from_micros(1), b"forged", Durability::Written).unwrap();
    let forged = fs::read(first_open(&dir)).unwrap()[40..].to_vec();
    log.append(DataTime::from_micros(2), &forged.repeat(3), Durability::Written).unwrap();
    drop(log);
    let length = fs::metadata(first_open(&dir)).unwrap().len();
    fs::OpenOptions::new().write(true).open(first_open(&dir)).unwrap().set_len(length - 1).unwrap();
    let (log, _) = open(dir.path(), SMALL);
    let mut reader = log.read_from(Cursor::START);
    assert_eq!(reader.next_record().unwrap().map(|record| record.at.micros()), Some(1));
    assert_eq!(reader.next_record().unwrap(), None);
}

/// Reads and seals whatever is there; errors are fine.
fn exercise(log: &Arc<SegmentLog>, from: Cursor) {
    let mut reader = log.read_from(from);
    let mut errors = 0;
    while errors < 5 {
        match reader.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => {
                errors += 1;
                reader.skip_segment();
            }
        }
    }
    drop(log.seal_closed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mutated_files_never_panic(
        flips in proptest::collection::vec((0..3_usize, any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::of((0..3_usize, any::<prop::sample::Index>())),
        cursor in (0..5_u64, 0..5_000_u64),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path(), SMALL);
        write(&log, 0..25);
        log.seal_closed().unwrap();
        drop(log);
        let names = files(dir.path());
        prop_assert_eq!(names.len(), 3);
        for (file, at, byte) in flips {
            let path = dir.path().join(&names[file]);
            let mut bytes = fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            fs::write(path, bytes).unwrap();
        }
        if let Some((file, length)) = cut {
            let path = dir.path().join(&names[file]);
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..length.index(bytes.len())]).unwrap();
        }
        let (log, _) = open(dir.path(), SMALL);
        exercise(&log, Cursor::START);
        exercise(&log, Cursor { sequence: cursor.0, offset: cursor.1 });
        write(&log, 100..105);
        let last = log.stats();
        prop_assert_eq!(last.appended, 5);
    }
}
