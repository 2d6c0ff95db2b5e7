//! The words that go with a person's act, and stay on the record.

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error as ThisError;

/// Longest reason, in bytes.
const MAX_REASON: usize = 2_000;

/// No reason, or a novel.
#[derive(Debug, PartialEq, Eq, ThisError)]
#[error("say why in 'reason', in at most {MAX_REASON} bytes; it goes on the record")]
pub(super) struct InvalidReason;

impl Coded for InvalidReason {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// Checks a reason. U+0000 is refused, as PostgreSQL keeps none.
pub(super) fn reason(text: String) -> Result<String, InvalidReason> {
    let sound = !text.trim().is_empty() && text.len() <= MAX_REASON && !text.contains('\0');
    if sound { Ok(text) } else { Err(InvalidReason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something() {
        assert_eq!(reason("too slow".to_owned()).as_deref(), Ok("too slow"));
        for bad in [String::new(), " \n".to_owned(), "a\0".to_owned(), "x".repeat(MAX_REASON + 1)] {
            assert_eq!(reason(bad), Err(InvalidReason));
        }
    }
}
