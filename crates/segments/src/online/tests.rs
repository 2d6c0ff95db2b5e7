//! The store against the rule, and against every place at which a process can die.

use std::fs;
use std::path::Path;

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::time::DataTime;
use mainstay_features::online::{EntityKey, OnlineRow, Resolution, Stamp, Value, pack};
use mainstay_features::plan::{Coverage, MaterialisationPlan};
use mainstay_features::rule::{Candidate, CreatedCutoff, point_in_time};
use mainstay_features::span::Span;
use proptest::prelude::*;

use super::recovery::{log_path, snapshot_path};
use super::*;

fn time(micros: i64) -> DataTime {
    DataTime::from_micros(micros)
}

fn key(number: i64) -> EntityKey {
    EntityKey::of(&[Value::Int(number)]).unwrap().unwrap()
}

fn spec(ttl: Option<i64>) -> ViewSpec {
    ViewSpec {
        name: "view".to_owned(),
        definition: Digest::of(b"definition"),
        ttl: ttl.and_then(Span::from_micros),
    }
}

fn row(number: i64, ts: i64, created: i64, value: i64) -> OnlineRow {
    OnlineRow {
        view: "view".to_owned(),
        key: key(number),
        stamp: Stamp { ts: time(ts), created: time(created) },
        values: vec![Value::Int(value), Value::Null],
    }
}

fn open(dir: &Path) -> (OnlineStore, Recovery) {
    OnlineStore::open(dir, Options::default()).unwrap()
}

fn value(store: &OnlineStore, number: i64, at: i64) -> Option<i64> {
    let reading = store.view("view")?.get(&key(number), time(at)).unwrap();
    match reading.values.first() {
        Some(Value::Int(value)) => Some(*value),
        _ => None,
    }
}

#[test]
fn a_request_is_answered_at_its_own_data_time() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.define(&spec(Some(100))).unwrap();
    // Run ahead: everything up to 50 is there before a request at 15 comes.
    let rows = [row(1, 10, 10, 1), row(1, 20, 20, 2), row(1, 20, 30, 3), row(1, 40, 40, 4)];
    store.put_batch(&rows, Durability::Written).unwrap();
    store.cover("view", Coverage { horizon: time(15), until: time(50) }).unwrap();
    let seen: Vec<_> = [15, 19, 20, 29, 30, 40, 140].iter().map(|at| value(&store, 1, *at)).collect();
    assert_eq!(seen, [Some(1), Some(1), Some(2), Some(2), Some(3), Some(4), Some(4)]);

    let view = store.view("view").unwrap();
    let reading = view.get(&key(1), time(50)).unwrap();
    assert_eq!(reading.stamp, Some(Stamp { ts: time(40), created: time(40) }));
    assert!(reading.complete);
    assert_eq!(reading.resolution.of(&reading.values[1]), Resolution::Null);
    let old = view.get(&key(1), time(141)).unwrap();
    assert_eq!((old.resolution, old.complete, old.values.len()), (Resolution::OutsideMaxAge, false, 0));
    assert_eq!(view.get(&key(2), time(50)).unwrap().resolution, Resolution::NotFound);
    let early = view.get(&key(1), time(14)).unwrap_err();
    assert_eq!(early.code(), ErrorCode::InvalidArgument);
}

#[test]
fn a_horizon_drops_only_what_cannot_answer_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.define(&spec(Some(100))).unwrap();
    let rows =
        [row(1, 10, 10, 1), row(1, 20, 20, 2), row(1, 30, 60, 3), row(1, 40, 40, 4), row(2, 10, 10, 9)];
    store.put_batch(&rows, Durability::Written).unwrap();
    let view = store.view("view").unwrap();
    let rows_at = |horizon| {
        store.cover("view", Coverage { horizon: time(horizon), until: time(500) }).unwrap();
        (view.stats().keys, view.stats().rows)
    };
    // 30 is hidden by 40 from the instant at which it is known.
    assert_eq!(rows_at(15), (2, 4));
    assert_eq!(rows_at(25), (2, 3));
    assert_eq!(rows_at(45), (2, 2));
    // Key 2 is kept one ttl longer than it answers, and then forgotten.
    assert_eq!(rows_at(210), (2, 2));
    assert_eq!(view.get(&key(2), time(210)).unwrap().resolution, Resolution::OutsideMaxAge);
    assert_eq!(rows_at(211), (1, 1));
    assert_eq!(view.get(&key(2), time(211)).unwrap().resolution, Resolution::NotFound);
    assert_eq!(rows_at(100), (1, 1), "a horizon never goes back");
    assert_eq!(view.coverage(), Some(Coverage { horizon: time(211), until: time(500) }));
}

/// A row as drawn: key, ts, lateness, value.
type Drawn = (i64, i64, i64, i64);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((0_i64..3, 0_i64..40, 0_i64..12, 0_i64..4), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// In any order, in any batches, with a horizon that moves, after a restart and after a compaction:
    /// every request at or after the horizon gets the answer of the rule over all rows.
    #[test]
    fn every_answer_is_the_rules(
        rows in drawn(),
        shuffled in any::<u64>(),
        horizons in prop::collection::vec(0_i64..60, 0..3),
        ttl in prop::option::of(1_i64..30),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(dir.path());
        store.define(&spec(ttl)).unwrap();
        let mut order: Vec<&Drawn> = rows.iter().collect();
        order.sort_by_key(|row| crc32c::crc32c(format!("{shuffled}{row:?}").as_bytes()));
        let mut horizons = horizons.into_iter();
        let mut horizon = 0;
        for batch in order.chunks(7) {
            let batch: Vec<OnlineRow> =
                batch.iter().map(|(k, ts, late, v)| row(*k, *ts, ts + late, *v)).collect();
            store.put_batch(&batch, Durability::Written).unwrap();
            if let Some(next) = horizons.next() {
                horizon = horizon.max(next);
                store.cover("view", Coverage { horizon: time(next), until: time(next) }).unwrap();
            }
        }
        let check = |store: &OnlineStore| {
            for at in horizon..70 {
                for k in 0..3 {
                    let all: Vec<Candidate> = rows
                        .iter()
                        .filter(|row| row.0 == k)
                        .map(|(_, ts, late, v)| Candidate {
                            ts: time(*ts),
                            created: Some(time(ts + late)),
                            values: vec![Value::Int(*v), Value::Null],
                        })
                        .collect();
                    let expected = point_in_time(&all, time(at), ttl.and_then(Span::from_micros), CreatedCutoff::On);
                    // The greatest value of fully tied rows, as bytes order it: values here are one byte.
                    let tied = expected.map(|row| all.iter().filter(|r| r.ts == row.ts && r.created == row.created));
                    let greatest = tied.and_then(|tied| {
                        tied.filter_map(|r| if let Value::Int(v) = r.values[0] { Some(v) } else { None }).max()
                    });
                    assert_eq!(value(store, k, at), greatest, "key {k} at {at}");
                }
            }
        };
        check(&store);
        drop(store);
        let (store, recovery) = open(dir.path());
        prop_assert_eq!(recovery.truncated, 0);
        check(&store);
        store.compact().unwrap();
        check(&store);
        drop(store);
        check(&open(dir.path()).0);
    }
}

/// Dies at every byte of the log: what is read is a prefix of the batches, whole ones alone, and the store
/// goes on from there.
#[test]
fn a_log_cut_at_any_byte_gives_whole_batches_and_goes_on() {
    let full = tempfile::tempdir().unwrap();
    let log = log_path(full.path(), 0);
    let mut ends = Vec::new();
    {
        let (store, _) = open(full.path());
        store.define(&spec(None)).unwrap();
        ends.push(fs::metadata(&log).unwrap().len());
        for batch in 0..3 {
            let rows: Vec<OnlineRow> = (1..3).map(|k| row(k, batch, batch, 100 * batch + k)).collect();
            store.put_batch(&rows, Durability::Synced).unwrap();
            ends.push(fs::metadata(&log).unwrap().len());
        }
    }
    let bytes = fs::read(&log).unwrap();
    for cut in 0..=bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(log_path(dir.path(), 0), &bytes[..cut]).unwrap();
        let (store, recovery) = open(dir.path());
        let whole = ends.iter().filter(|end| **end <= cut as u64).count();
        assert_eq!(recovery.frames, whole as u64, "cut at {cut}");
        let expected = i64::try_from(whole).unwrap().checked_sub(2).filter(|batch| *batch >= 0);
        assert_eq!(value(&store, 2, 99), expected.map(|batch| 100 * batch + 2), "cut at {cut}");
        if cut % 32 == 0 {
            store.define(&spec(None)).unwrap();
            store.put_batch(&[row(2, 50, 50, 7)], Durability::Written).unwrap();
            drop(store);
            let (store, again) = open(dir.path());
            assert_eq!((value(&store, 2, 99), again.truncated), (Some(7), 0), "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_byte_in_the_log_hides_what_follows_and_in_a_snapshot_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_path(dir.path(), 0);
    let (store, _) = open(dir.path());
    store.define(&spec(None)).unwrap();
    store.put_batch(&[row(1, 1, 1, 1)], Durability::Written).unwrap();
    let first = usize::try_from(fs::metadata(&log).unwrap().len()).unwrap();
    store.put_batch(&[row(1, 2, 2, 2)], Durability::Written).unwrap();
    drop(store);
    let mut bytes = fs::read(&log).unwrap();
    bytes[first + 20] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let (store, recovery) = open(dir.path());
    assert_eq!(recovery.truncated, (bytes.len() - first) as u64);
    assert_eq!(value(&store, 1, 9), Some(1));

    store.compact().unwrap();
    drop(store);
    assert!(!log.exists(), "the old generation is gone");
    let snapshot = snapshot_path(dir.path(), 1);
    let whole = fs::read(&snapshot).unwrap();
    for damage in [0, 9, 13, 30, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[damage] ^= 1;
        fs::write(&snapshot, &bytes).unwrap();
        let error = OnlineStore::open(dir.path(), Options::default()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Corrupt, "byte {damage}");
    }
    fs::write(&snapshot, &whole[..whole.len() - 17]).unwrap();
    assert_eq!(OnlineStore::open(dir.path(), Options::default()).unwrap_err().code(), ErrorCode::Corrupt);
    fs::write(&snapshot, &whole).unwrap();
    assert_eq!(value(&open(dir.path()).0, 1, 9), Some(1));
}

#[test]
fn an_interrupted_compaction_leaves_the_old_state_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.define(&spec(None)).unwrap();
    store.put_batch(&[row(1, 1, 1, 1)], Durability::Written).unwrap();
    let old_log = fs::read(log_path(dir.path(), 0)).unwrap();
    store.compact().unwrap();
    drop(store);
    let snapshot = fs::read(snapshot_path(dir.path(), 1)).unwrap();
    for (name, length) in [("tmp", 10), ("tmp", snapshot.len()), ("", snapshot.len())] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(log_path(dir.path(), 0), &old_log).unwrap();
        fs::write(snapshot_path(dir.path(), 1).with_extension(name), &snapshot[..length]).unwrap();
        let (store, _) = open(dir.path());
        assert_eq!(value(&store, 1, 9), Some(1));
        drop(store);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), if name.is_empty() { 3 } else { 2 });
    }
}

#[test]
fn a_long_log_is_compacted_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = OnlineStore::open(dir.path(), Options { compact_at: 2_000 }).unwrap();
    store.define(&spec(None)).unwrap();
    for batch in 0..60 {
        store.put_batch(&[row(batch % 5, batch, batch, batch)], Durability::Written).unwrap();
        store.cover("view", Coverage { horizon: time(batch), until: time(batch) }).unwrap();
    }
    assert!(!log_path(dir.path(), 0).exists());
    assert_eq!(store.view("view").unwrap().stats().rows, 5);
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!((value(&store, 4, 59), store.view("view").unwrap().stats().rows), (Some(59), 5));
}

#[test]
fn refusals_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let unknown = store.put_batch(&[row(1, 1, 1, 1)], Durability::Written).unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::NotFound);
    store.define(&spec(None)).unwrap();
    store.put_batch(&[row(1, 1, 1, 1)], Durability::Written).unwrap();
    store.define(&spec(None)).unwrap();
    assert_eq!(value(&store, 1, 9), Some(1));
    let mut without_created = Vec::new();
    pack(&mut without_created, time(5), None, &[]).unwrap();
    let bad = [(b"garbage".to_vec(), ErrorCode::Corrupt), (without_created, ErrorCode::InvalidData)];
    for (bytes, code) in bad {
        let error = store.put_packed("view", vec![(key(1), bytes.into())], Durability::Written).unwrap_err();
        assert_eq!(error.code(), code);
    }
    let taken = store.define(&another()).unwrap_err();
    assert_eq!(taken.code(), ErrorCode::WrongState);
    drop(store);
    assert_eq!(value(&open(dir.path()).0, 1, 9), Some(1));
}

fn another() -> ViewSpec {
    ViewSpec { definition: Digest::of(b"another"), ..spec(None) }
}

fn plan(after: Option<i64>, horizon: i64, until: i64) -> MaterialisationPlan {
    MaterialisationPlan { after: after.map(time), horizon: time(horizon), until: time(until) }
}

/// Carries each row in a batch of its own.
fn carry(
    store: &OnlineStore,
    spec: &ViewSpec,
    plan: MaterialisationPlan,
    source: u64,
    rows: &[OnlineRow],
) -> Result<(), OnlineError> {
    let mut rows = rows.iter();
    store.carry(spec, plan, source, || {
        let Some(row) = rows.next() else { return Ok(None) };
        let mut packed = Vec::new();
        pack(&mut packed, row.stamp.ts, Some(row.stamp.created), &row.values)?;
        Ok::<_, OnlineError>(Some(vec![(row.key.clone(), packed.into())]))
    })
}

/// The view of the old definition answers until the new one is covered, wherever the process dies.
#[test]
fn another_definition_takes_the_name_once_it_is_covered() {
    let full = tempfile::tempdir().unwrap();
    let log = log_path(full.path(), 0);
    let (store, _) = open(full.path());
    carry(&store, &spec(None), plan(None, 10, 20), 1, &[row(1, 5, 5, 1), row(2, 5, 5, 2)]).unwrap();
    let old = store.view("view").unwrap();
    let mut rows = [row(1, 4, 4, 7)].into_iter();
    let answers_meanwhile = store.carry(&another(), plan(None, 8, 20), 1, || {
        assert_eq!((value(&store, 1, 15), value(&store, 2, 15)), (Some(1), Some(2)));
        let Some(row) = rows.next() else { return Ok(None) };
        let mut packed = Vec::new();
        pack(&mut packed, row.stamp.ts, Some(row.stamp.created), &row.values)?;
        Ok::<_, OnlineError>(Some(vec![(row.key.clone(), packed.into())]))
    });
    answers_meanwhile.unwrap();
    assert_eq!((value(&store, 1, 9), value(&store, 2, 15)), (Some(7), None));
    assert_eq!(
        old.get(&key(1), time(15)).unwrap().values[0],
        Value::Int(1),
        "who holds it goes on reading it"
    );
    drop(store);
    let bytes = fs::read(&log).unwrap();
    let first = frames(&bytes)[3];
    for cut in first..=bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(log_path(dir.path(), 0), &bytes[..cut]).unwrap();
        let (store, _) = open(dir.path());
        let expected = if cut == bytes.len() { Some(7) } else { Some(1) };
        assert_eq!(value(&store, 1, 15), expected, "cut at {cut}");
        if cut % 16 == 0 {
            carry(&store, &another(), plan(None, 8, 30), 2, &[row(1, 4, 4, 8)]).unwrap();
            store.compact().unwrap();
            drop(store);
            assert_eq!(value(&open(dir.path()).0, 1, 15), Some(8), "cut at {cut}");
        }
    }
}

/// Where each frame of a log ends.
fn frames(log: &[u8]) -> Vec<usize> {
    let mut at = format::HEADER;
    let mut ends = Vec::new();
    while let Some((_, length)) = format::read(&log[at..]) {
        at += length;
        ends.push(at);
    }
    ends
}

/// Rows of the same stamp as those that were there, with other values, replace them: what is carried anew is
/// all that there is.
#[test]
fn a_view_that_is_filled_anew_forgets_rows_that_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    carry(&store, &spec(None), plan(None, 10, 20), 1, &[row(1, 5, 5, 9), row(2, 5, 5, 2)]).unwrap();
    carry(&store, &spec(None), plan(None, 10, 30), 2, &[row(1, 5, 5, 3)]).unwrap();
    let seen = |store: &OnlineStore| {
        let view = store.view("view").unwrap();
        (value(store, 1, 15), value(store, 2, 15), view.source(), view.stats().rows)
    };
    assert_eq!(seen(&store), (Some(3), None, Some(2), 1));
    drop(store);
    assert_eq!(seen(&open(dir.path()).0), (Some(3), None, Some(2), 1));
}

#[test]
fn a_plan_that_was_overtaken_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let carry = |spec: &ViewSpec, plan, source| {
        carry(&store, spec, plan, source, &[row(1, 25, 25, 5)]).map_err(|error| error.code())
    };
    let refused = Err(ErrorCode::RevisionConflict);
    assert_eq!(carry(&spec(None), plan(Some(20), 10, 30), 1), refused, "there is nothing to go on from");
    assert_eq!(carry(&spec(None), plan(None, 10, 20), 1), Ok(()));
    assert_eq!(carry(&spec(None), plan(Some(20), 10, 30), 2), Ok(()));
    assert_eq!(carry(&spec(None), plan(Some(20), 10, 40), 2), Ok(()), "two went on from the same");
    assert_eq!(carry(&spec(None), plan(Some(20), 10, 40), 3), refused, "of another version since");
    assert_eq!(carry(&spec(None), plan(Some(50), 10, 60), 2), refused, "rows between would be missing");
    assert_eq!(carry(&spec(None), plan(None, 10, 30), 3), refused, "it would go back");
    assert_eq!(carry(&another(), plan(Some(40), 10, 50), 2), refused, "of another definition");
    assert_eq!(store.view("view").unwrap().coverage(), Some(Coverage { horizon: time(10), until: time(40) }));
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let second = OnlineStore::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(second, OnlineError::InUse(_)));
    drop(store);
    open(dir.path());
}

/// Both versions as they lie on disks: a log with a view, two rows and a coverage, which must stay readable.
#[test]
fn files_of_each_version_stay_readable_and_later_ones_are_refused() {
    let fixture = include_bytes!("fixtures/log-v2.bin");
    let logs = [(include_bytes!("fixtures/log-v1.bin").as_slice(), None), (fixture.as_slice(), Some(7))];
    let covered = Some(Coverage { horizon: time(10), until: time(30) });
    for (log, source) in logs {
        let dir = tempfile::tempdir().unwrap();
        fs::write(log_path(dir.path(), 0), log).unwrap();
        let (store, recovery) = open(dir.path());
        assert_eq!(recovery, Recovery { frames: 4, truncated: 0 });
        let check = |store: &OnlineStore| {
            let view = store.view("view").unwrap();
            assert_eq!((value(store, 1, 10), value(store, 1, 20)), (Some(5), Some(6)));
            assert_eq!((view.coverage(), view.source()), (covered, source));
        };
        check(&store);
        drop(store);
        check(&open(dir.path()).0);
        let is_kept = log_path(dir.path(), 0).exists();
        assert_eq!(is_kept, source.is_some(), "an earlier version is written anew when it is opened");
    }

    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let rows = [row(1, 10, 10, 5), row(1, 20, 20, 6)];
    carry(&store, &spec(Some(1_000)), plan(None, 10, 30), 7, &rows).unwrap();
    drop(store);
    assert_eq!(fs::read(log_path(dir.path(), 0)).unwrap(), fixture, "version 2 is written as ever");

    let mut later = fixture.to_vec();
    later[8] = 3;
    let crc = crc32c::crc32c(&later[..12]).to_le_bytes();
    later[12..16].copy_from_slice(&crc);
    fs::write(log_path(dir.path(), 0), later).unwrap();
    let error = OnlineStore::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OnlineError::Version { found: 3, known: 2 }));
}
