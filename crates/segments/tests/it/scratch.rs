//! A log in a scratch directory.

use std::path::Path;
use std::sync::Arc;

use mainstay_core::entropy::SeededEntropy;
use mainstay_core::time::DataTime;
use mainstay_segments::log::{
    Cursor, Disk, Durability, LocalDisk, LogError, LogOptions, Receipt, Recovery, SegmentLog,
};

/// Segments of ten records.
pub(crate) const SMALL: LogOptions = LogOptions {
    max_segment_bytes: 1 << 20,
    max_segment_records: 10,
    max_segment_age_micros: i64::MAX,
    max_bytes: 1 << 30,
};

pub(crate) fn try_open(
    dir: &Path,
    options: LogOptions,
    disk: Arc<dyn Disk>,
) -> Result<(Arc<SegmentLog>, Recovery), LogError> {
    let (log, report) = SegmentLog::open(dir, options, disk, &SeededEntropy::new(1))?;
    Ok((Arc::new(log), report))
}

pub(crate) fn open(dir: &Path, options: LogOptions) -> (Arc<SegmentLog>, Recovery) {
    try_open(dir, options, Arc::new(LocalDisk)).unwrap()
}

/// Appends number `n` at `n` µs, padded so that records differ in length.
pub(crate) fn append(log: &SegmentLog, n: u64, durability: Durability) -> Result<Receipt, LogError> {
    let mut payload = n.to_le_bytes().to_vec();
    payload.resize(8 + usize::try_from(n % 300).unwrap(), 0xab);
    log.append(DataTime::from_micros(n.cast_signed()), &payload, durability)
}

pub(crate) fn write(log: &SegmentLog, numbers: std::ops::Range<u64>) {
    for n in numbers {
        assert_eq!(append(log, n, Durability::Written).unwrap(), Receipt::Written);
    }
}

/// The numbers in a log from a cursor on, and the cursor behind them.
pub(crate) fn numbers(log: &Arc<SegmentLog>, from: Cursor) -> (Vec<u64>, Cursor) {
    let mut reader = log.read_from(from);
    let mut found = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        let n = u64::from_le_bytes(record.payload[..8].try_into().unwrap());
        assert_eq!(record.at.micros(), n.cast_signed());
        assert_eq!(record.payload.len() as u64, 8 + n % 300);
        found.push(n);
    }
    (found, reader.cursor())
}

pub(crate) fn files(dir: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !matches!(name.as_str(), "lock" | "identity")).collect();
    names.sort();
    names
}
