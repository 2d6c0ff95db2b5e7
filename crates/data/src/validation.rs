//! Verdicts of suites on table versions, bound to the digests of both.

use mainstay_core::digest::Digest;
use mainstay_core::name::Name;
use mainstay_core::time::MachineTime;
use serde_json::Value;

mainstay_core::id_type! {
    /// Names one validation of a table version.
    pub struct ValidationId;
}

/// What a suite found in one table version.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Its id.
    pub id: ValidationId,
    /// Of which dataset.
    pub dataset: Name,
    /// Of which version.
    pub version: u64,
    /// The digest of that version.
    pub table_digest: Digest,
    /// The suite's name.
    pub suite: String,
    /// The digest of the suite's document.
    pub suite_digest: Digest,
    /// Whether every expectation was met.
    pub success: bool,
    /// Whether an expectation that was not met forbids using the version.
    pub blocking: bool,
    /// The whole result, in Great Expectations' shape.
    pub result: Value,
    /// When it was recorded.
    pub recorded_at: MachineTime,
}
