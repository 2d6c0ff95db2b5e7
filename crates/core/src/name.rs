//! Names that people give: validated once, then trusted.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use thiserror::Error;

use crate::error::{Coded, ErrorCode};

/// Longest name, in bytes.
pub const MAX_NAME: usize = 250;

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidName {
    /// Nothing was given.
    #[error("a name must not be empty")]
    Empty,
    /// Longer than [`MAX_NAME`].
    #[error("a name has at most {MAX_NAME} bytes; this one has {0}")]
    TooLong(usize),
    /// A character outside the allowed set.
    #[error("a name may hold letters, digits, spaces and any of _ - . ( ), but not {0:?}")]
    Character(char),
    /// Leading or trailing space, or the path names `.` and `..`.
    #[error("a name must not be '.' or '..', nor start or end with a space")]
    Shape,
}

impl Coded for InvalidName {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidName
    }
}

/// A name that is safe in paths, URLs, logs and SQL: letters and digits of any script, space,
/// `_ - . ( )`; at most [`MAX_NAME`] bytes; never `.` or `..`.
///
/// Protocols that allow more (`MLflow`'s experiment names, say) keep their own text type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(SmolStr);

impl Name {
    /// Checks a text.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidName> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > MAX_NAME {
            return Err(InvalidName::TooLong(text.len()));
        }
        if let Some(c) =
            text.chars().find(|c| !(c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '(' | ')')))
        {
            return Err(InvalidName::Character(c));
        }
        if text == "." || text == ".." || text.starts_with(' ') || text.ends_with(' ') {
            return Err(InvalidName::Shape);
        }
        Ok(Self(SmolStr::new(text)))
    }

    /// `default`: the workspace that exists from the start.
    pub(crate) fn default_workspace() -> Self {
        Self(SmolStr::new_static("default"))
    }

    /// Whether it is that of the workspace that exists from the start.
    pub fn is_default(&self) -> bool {
        self.0 == "default"
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_people_write_and_refuses_what_breaks_paths() {
        for good in ["flight-delay", "Ünïcode 2", "a.b(c)_d", "..."] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "a\0b", " a", "a ", "a#b", "a\nb", "a%2e"] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        assert!(Name::new("x".repeat(MAX_NAME + 1)).is_err());
    }
}
