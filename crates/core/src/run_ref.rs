//! Runs as clients name them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::{Coded, ErrorCode};
use crate::id::RunId;
use crate::text::exceeds;

/// Longest name of a run, in characters.
pub const MAX_RUN_REF: usize = 256;

/// The text cannot name a run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "a run is named by 1 to {MAX_RUN_REF} characters, none of them a control character; give its id or leave it out"
)]
pub struct InvalidRunRef;

impl Coded for InvalidRunRef {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// The run that made something, as the client says: any text without control characters, from 1 to
/// [`MAX_RUN_REF`] characters. What was made elsewhere comes with the ids of elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunRef(String);

impl RunRef {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidRunRef> {
        let text = text.into();
        let is_one = !text.is_empty() && exceeds(&text, MAX_RUN_REF).is_none();
        if is_one && !text.contains(char::is_control) { Ok(Self(text)) } else { Err(InvalidRunRef) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The run of ours that it can be, whether there is one or not.
    pub fn id(&self) -> Option<RunId> {
        self.0.parse().ok()
    }
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RunId> for RunRef {
    fn from(id: RunId) -> Self {
        Self(id.to_string())
    }
}

impl TryFrom<String> for RunRef {
    type Error = InvalidRunRef;

    fn try_from(text: String) -> Result<Self, InvalidRunRef> {
        Self::new(text)
    }
}

impl std::str::FromStr for RunRef {
    type Err = InvalidRunRef;

    fn from_str(text: &str) -> Result<Self, InvalidRunRef> {
        Self::new(text)
    }
}

impl From<RunRef> for String {
    fn from(run: RunRef) -> Self {
        run.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_elsewhere_have_names_too() {
        let ours = RunId::from_bytes([7; 16]);
        assert_eq!(RunRef::from(ours).id(), Some(ours));
        assert_eq!(RunRef::new("run_1").unwrap().id(), None);
        assert!(RunRef::new("é".repeat(MAX_RUN_REF)).is_ok());
        for bad in [String::new(), "a\nb".to_owned(), "a\0".to_owned(), "é".repeat(MAX_RUN_REF + 1)] {
            assert_eq!(RunRef::new(bad), Err(InvalidRunRef));
        }
    }
}
