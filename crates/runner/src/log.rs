//! Reading the log of a step while it grows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::RunnerError;

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where to go on, in bytes from the start.
    pub next: u64,
}

/// Reads at most `limit` bytes from `offset` on. Nothing, if the log is not there yet or not longer.
pub fn read_log(path: &Path, offset: u64, limit: u64) -> Result<LogChunk, RunnerError> {
    let nothing = LogChunk { bytes: Vec::new(), next: offset };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(nothing),
        Err(error) => return Err(RunnerError::Log(error)),
    };
    file.seek(SeekFrom::Start(offset)).map_err(RunnerError::Log)?;
    let mut bytes = Vec::new();
    let read = file.take(limit).read_to_end(&mut bytes).map_err(RunnerError::Log)?;
    Ok(LogChunk { bytes, next: offset + u64::try_from(read).unwrap_or(u64::MAX) })
}
