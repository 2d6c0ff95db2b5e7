//! A stand-in for time: the order of the rows, spread over made-up days.

use std::path::{Path, PathBuf};

use mainstay_core::failed::Failed;
use mainstay_core::time::{DAY, DataTime};

/// The column that is added.
pub(super) const COLUMN: &str = "made_up_arrival";
/// The copy's name in the folder.
pub(super) const FILE: &str = "rows.csv";
/// How many days the rows are spread over: enough for days to be compared.
pub(super) const DAYS: i64 = 60;

/// Writes a copy with the column of instants in front, evenly spread from 2000-01-01. Rows with too few or too
/// many fields are copied as they are: it is for the import to put them aside.
pub(super) fn write(csv: &Path, delimiter: Option<char>, folder: &Path) -> Result<PathBuf, Failed> {
    let delimiter = delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(b',');
    let unreadable = |error: csv::Error| Failed::outside(format!("reading {}", csv.display()), error);
    let open = || csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_path(csv);
    let rows = open().map_err(unreadable)?.byte_records().count();
    let mut reader = open().map_err(unreadable)?;
    let path = folder.join(FILE);
    let unwritable = |error: csv::Error| Failed::outside(format!("writing {}", path.display()), error);
    let writer = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_path(&path);
    let mut writer = writer.map_err(unwritable)?;
    let headers = reader.byte_headers().map_err(unreadable)?.clone();
    writer.write_record(std::iter::once(COLUMN.as_bytes()).chain(headers.iter())).map_err(unwritable)?;
    let start = DataTime::parse("2000-01-01T00:00:00Z").unwrap_or(DataTime::MIN);
    let step = DAYS * DAY / i64::try_from(rows.max(1)).unwrap_or(i64::MAX);
    for (number, record) in (0_i64..).zip(reader.byte_records()) {
        let record = record.map_err(unreadable)?;
        let at = start.plus(number * step).to_string();
        writer.write_record(std::iter::once(at.as_bytes()).chain(record.iter())).map_err(unwritable)?;
    }
    writer.flush().map_err(|error| Failed::file(&path, error))?;
    std::fs::canonicalize(&path).map_err(|error| Failed::file(&path, error))
}
