//! The log file of one step, bounded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use mainstay_core::time::MachineTime;

/// What the log says where output was dropped.
const NOTICE: &[u8] = b"\n[the log has reached its limit; further output is dropped]\n";

/// Appends output until the limit.
pub(super) struct LogFile {
    file: File,
    left: u64,
    written: u64,
    truncated: bool,
    stamps: bool,
    at_line_start: bool,
}

impl LogFile {
    pub(super) fn open(path: &Path, limit: u64, stamps: bool) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file, left: limit, written: 0, truncated: false, stamps, at_line_start: true })
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }

    /// Appends output that came at `now`. What cannot be written is dropped: a full disk must not block
    /// the step's output.
    pub(super) fn append(&mut self, output: &[u8], now: MachineTime) {
        if !self.stamps {
            return self.put(output);
        }
        let mut stamped = Vec::with_capacity(output.len() + 32);
        for line in output.split_inclusive(|byte| *byte == b'\n') {
            if self.at_line_start {
                stamped.extend_from_slice(format!("{now} ").as_bytes());
            }
            stamped.extend_from_slice(line);
            self.at_line_start = line.ends_with(b"\n");
        }
        self.put(&stamped);
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.truncated || bytes.is_empty() {
            return;
        }
        let fits = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let kept = bytes.get(..fits).unwrap_or_default();
        let mut failed = self.file.write_all(kept).is_err();
        if fits < bytes.len() {
            failed = self.file.write_all(NOTICE).is_err() || failed;
            self.truncated = true;
        }
        let kept = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(kept);
        self.written += kept;
        self.truncated |= failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_stamped_by_line_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let now = MachineTime::from_micros(0);
        let mut log = LogFile::open(&path, 1_000, true).unwrap();
        for part in ["a", "b\nc", "\n", "\nd"] {
            log.append(part.as_bytes(), now);
        }
        let stamp = "1970-01-01T00:00:00Z";
        let expected = format!("{stamp} ab\n{stamp} c\n{stamp} \n{stamp} d");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);

        let mut log = LogFile::open(&dir.path().join("short"), 5, false).unwrap();
        log.append(b"1234", now);
        assert!(!log.truncated());
        log.append(b"567", now);
        log.append(b"89", now);
        assert_eq!((log.written(), log.truncated()), (5, true));
        let text = std::fs::read_to_string(dir.path().join("short")).unwrap();
        assert_eq!(text, format!("12345{}", String::from_utf8_lossy(NOTICE)));
    }
}
