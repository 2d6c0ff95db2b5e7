//! A child process that appends and seals is killed twenty times; nothing it acknowledged is lost or
//! doubled.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mainstay_core::entropy::{Entropy as _, SeededEntropy};
use mainstay_segments::log::{Cursor, Durability, LogOptions, SegmentLog, verify_sealed};

use crate::scratch::{append, numbers, open};

const DIR: &str = "MAINSTAY_TEST_KILL_DIR";
const KILLS: u64 = 20;
/// One of these on standard output for each acknowledged record; the harness prints no such byte.
const ACKNOWLEDGED: u8 = 1;

const OPTIONS: LogOptions = LogOptions {
    max_segment_bytes: 1 << 20,
    max_segment_records: 40,
    max_segment_age_micros: i64::MAX,
    max_bytes: 1 << 30,
};

/// The part of the child: appends numbers from where it says until it is killed. What is acknowledged
/// goes to a file of its own, by a `write` that a kill cannot take back either.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let (log, _) = open(&dir.join("log"), OPTIONS);
    let first: u64 = fs::read_to_string(dir.join("first")).unwrap().parse().unwrap();
    let mut acks = fs::OpenOptions::new().append(true).create(true).open(dir.join("acks")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                log.seal_closed().unwrap();
            }
        });
        for n in first.. {
            let durability = if n % 16 == 0 { Durability::Synced } else { Durability::Written };
            append(&log, n, durability).unwrap();
            acks.write_all(&n.to_le_bytes()).unwrap();
            std::io::stdout().write_all(&[ACKNOWLEDGED]).unwrap();
            std::io::stdout().flush().unwrap();
        }
    });
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the child has acknowledged `count` records, and kills it wherever it is by then.
fn kill_after(mut child: Child, count: usize) {
    let mut stdout = child.stdout.take().unwrap();
    let mut seen = 0;
    let mut buffer = [0; 512];
    while seen < count {
        let read = stdout.read(&mut buffer).unwrap();
        assert!(read > 0, "the child died by itself");
        seen += buffer[..read].iter().map(|byte| usize::from(*byte == ACKNOWLEDGED)).sum::<usize>();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn acknowledged(dir: &Path) -> Vec<u64> {
    let bytes = fs::read(dir.join("acks")).unwrap();
    // A torn last entry was not acknowledged to anybody.
    bytes.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap())).collect()
}

/// Every sealed file checks, whether it was sealed before a kill or after.
fn check_sealed(log: &SegmentLog) -> usize {
    let sealed = log.sealed_segments();
    for segment in &sealed {
        let path = log.sealed_path(segment.id.sequence);
        assert_eq!(verify_sealed(&path, log.id(), segment.id.sequence).unwrap(), *segment);
    }
    sealed.len()
}

#[test]
fn twenty_kills_lose_nothing_that_was_acknowledged_and_double_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let random = SeededEntropy::new(7);
    let mut sealed = 0;
    for round in 0..KILLS {
        fs::write(dir.join("first"), (round * 1_000_000).to_string()).unwrap();
        let count = 1 + usize::from(random.bytes16()[0]);
        kill_after(spawn(dir), count);
        let (log, report) = open(&dir.join("log"), OPTIONS);
        assert_eq!(report.set_aside, 0);
        let mut times: HashMap<u64, u32> = HashMap::new();
        for n in numbers(&log, Cursor::START).0 {
            *times.entry(n).or_default() += 1;
        }
        assert!(times.values().all(|count| *count == 1), "a record is doubled");
        let acknowledged = acknowledged(dir);
        let missing: Vec<_> = acknowledged.iter().filter(|n| !times.contains_key(n)).collect();
        assert!(missing.is_empty(), "round {round}: {missing:?} were acknowledged and are gone");
        assert!(acknowledged.len() >= count);
        // At most the one record of each round that was written and not yet acknowledged.
        let rounds = usize::try_from(round).unwrap() + 1;
        assert!(times.len() <= acknowledged.len() + rounds, "records that nobody wrote");
        sealed = check_sealed(&log);
    }
    assert!(sealed > 20, "the kills must hit a log that seals: {sealed}");
}
