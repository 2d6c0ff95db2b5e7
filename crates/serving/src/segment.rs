//! Sealed segments of bulk data: many predictions or labels, one event.

use std::fmt;

use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use serde::{Deserialize, Serialize};

mainstay_core::id_type! {
    /// Names one local log of one predictor.
    pub struct LogId;
}

/// One segment of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    /// The log.
    pub log: LogId,
    /// 1, 2, 3 … within it; numbers may be left out.
    pub sequence: u64,
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.log, self.sequence)
    }
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Predictions.
    Predictions,
    /// Labels.
    Labels,
}

impl SegmentKind {
    /// The name used in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Predictions => "predictions",
            Self::Labels => "labels",
        }
    }
}

/// A segment that will never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSegment {
    /// Which.
    pub id: SegmentId,
    /// Records in it.
    pub records: u64,
    /// Bytes that the digest is of.
    pub bytes: u64,
    /// SHA-256 of those bytes.
    pub digest: Digest,
    /// The earliest data time in it.
    pub earliest: DataTime,
    /// The latest data time in it.
    pub latest: DataTime,
}
