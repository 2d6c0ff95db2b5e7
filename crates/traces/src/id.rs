//! Names of traces and spans.

use std::fmt;
use std::str::FromStr;

use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::text::{clip, exceeds};
use serde::{Deserialize, Serialize};

use crate::error::TraceError;

/// Longest trace id, in characters (`SqlTraceInfo.request_id`).
pub const MAX_TRACE_ID: usize = 50;

/// What OpenTelemetry's ids are prefixed with.
const PREFIX: &str = "tr-";

/// The name of a trace: `tr-` and 32 hexadecimal characters where it came as spans, any text that can stand
/// in a path where a client chose it (`_validate_trace_id`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceId(Box<str>);

impl TraceId {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let is_path = !matches!(text, "" | "." | "..") && !text.ends_with([' ', '.']);
        let odd = |c: char| c.is_control() || matches!(c, '/' | '%' | '?' | '#');
        if !is_path || text.contains(odd) || exceeds(text, MAX_TRACE_ID).is_some() {
            return Err(TraceError::InvalidId(clip(text)));
        }
        Ok(Self(text.into()))
    }

    /// The trace that OpenTelemetry names so.
    pub fn from_otel(bytes: [u8; 16]) -> Self {
        Self(format!("{PREFIX}{}", hex::encode(bytes)).into())
    }

    /// A trace that is named by the server, as the second version of the API has it: no prefix.
    pub fn drawn(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes).into())
    }

    /// How OpenTelemetry names it, if its name is one of theirs.
    pub fn otel(&self) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(self.0.strip_prefix(PREFIX)?, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TraceId {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        Self::parse(text)
    }
}

/// The name of a span within its trace. All zeros is a name like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// How the record names a trace.
pub fn trace_subject(id: &TraceId) -> Subject {
    Subject::new(ResourceKind::Trace, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_texts_that_can_stand_in_a_path() {
        for good in ["tr-1234", "x", "a b", "é", &"a".repeat(50)] {
            assert!(TraceId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a.", "a ", "a%20", "a?", "a#", "a\n", "a\0", &"a".repeat(51)] {
            assert!(TraceId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_of_opentelemetry_go_both_ways() {
        let id = TraceId::from_otel([0xab; 16]);
        assert_eq!(id.as_str(), format!("tr-{}", "ab".repeat(16)));
        assert_eq!(id.otel(), Some([0xab; 16]));
        for other in ["tr-1234", &"ab".repeat(16), &format!("tr-{}", "x".repeat(32))] {
            assert_eq!(TraceId::parse(other).unwrap().otel(), None, "{other}");
        }
    }
}
