//! The revision that a change is made against: `If-Match: "7"`, or `expected` in the query or body.
//!
//! Revisions are shown as entity tags (RFC 9110, section 8.8.3): quoted, strong. A change against another
//! revision than the present one is refused with `revision-conflict`, whichever way it was stated.

use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};
use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error as ThisError;

/// The statement cannot be read.
#[derive(Debug, PartialEq, Eq, ThisError)]
pub(super) enum PreconditionError {
    /// No tag of ours.
    #[error("If-Match holds one revision number in quotes, such as If-Match: \"7\"")]
    Tag,
    /// Header and `expected` differ.
    #[error("If-Match says revision {header}, and 'expected' says {expected}; send one of them")]
    Differ {
        /// The header's.
        header: u64,
        /// The other.
        expected: u64,
    },
}

impl Coded for PreconditionError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// The revision that the caller states, if any.
pub(super) fn expected(headers: &HeaderMap, expected: Option<u64>) -> Result<Option<u64>, PreconditionError> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(expected) };
    let text = value.to_str().ok().map(str::trim);
    let number = text.and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    let header = number.ok_or(PreconditionError::Tag)?;
    match expected {
        Some(expected) if expected != header => Err(PreconditionError::Differ { header, expected }),
        _ => Ok(Some(header)),
    }
}

/// The header that shows a revision.
pub(super) fn etag(revision: u64) -> [(HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::try_from(format!("\"{revision}\""));
    // Digits in quotes are always a header's value.
    [(ETAG, tag.unwrap_or_else(|_| HeaderValue::from_static("\"\"")))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: Option<&'static str>, body: Option<u64>) -> Result<Option<u64>, PreconditionError> {
        let mut headers = HeaderMap::new();
        if let Some(tag) = tag {
            headers.insert(IF_MATCH, HeaderValue::from_static(tag));
        }
        expected(&headers, body)
    }

    #[test]
    fn header_and_field_say_the_same_or_one_of_them_speaks() {
        assert_eq!(read(None, None), Ok(None));
        assert_eq!(read(None, Some(3)), Ok(Some(3)));
        assert_eq!(read(Some("\"3\""), None), Ok(Some(3)));
        assert_eq!(read(Some("\"3\""), Some(3)), Ok(Some(3)));
        assert_eq!(read(Some("\"3\""), Some(4)), Err(PreconditionError::Differ { header: 3, expected: 4 }));
        for bad in ["3", "*", "W/\"3\"", "\"3\", \"4\"", "\"x\""] {
            assert_eq!(read(Some(bad), None), Err(PreconditionError::Tag), "{bad}");
        }
        assert_eq!(etag(7)[0].1, "\"7\"");
    }
}
