//! How a log behaves, and what it says about itself.

use mainstay_core::time::DAY;

/// How safe a record shall be before the caller is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The disk has it: survives a power cut.
    Synced,
    /// The kernel has it: survives the death of the process.
    Written,
}

/// How safe a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// The disk has it.
    Synced,
    /// The kernel has it.
    Written,
    /// The log is full; nobody has it.
    Dropped,
}

impl Receipt {
    /// The word that stands in the answer to a prediction.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Written => "written",
            Self::Dropped => "dropped",
        }
    }
}

/// When a segment is closed, and how large the log may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// A segment is closed before it would grow beyond so many bytes; one record always fits.
    pub max_segment_bytes: u64,
    /// A segment is closed when it has so many records.
    pub max_segment_records: u64,
    /// A segment is closed when a record is so much later than its first, in µs of data time.
    pub max_segment_age_micros: i64,
    /// All segments together; what does not fit is dropped.
    pub max_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            max_segment_bytes: 64 << 20,
            max_segment_records: 250_000,
            max_segment_age_micros: DAY,
            max_bytes: 4 << 30,
        }
    }
}

/// Figures of a log since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Segments, the open one included.
    pub segments: usize,
    /// Records appended.
    pub appended: u64,
    /// Records dropped because the log was full.
    pub dropped: u64,
    /// Segments set aside because they do not check.
    pub set_aside: u64,
}

/// What was repaired when a log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Segments that were open and are closed now.
    pub closed: usize,
    /// Bytes of torn tails that were cut.
    pub cut_bytes: u64,
    /// Files set aside because their header or footer does not check.
    pub set_aside: usize,
}
