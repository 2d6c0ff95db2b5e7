//! Rules for texts that people send, in the words that clients of `MLflow` know
//! (`mlflow/utils/validation.py`). Lengths count characters.

use thiserror::Error;

use crate::error::{Coded, ErrorCode};

/// Longest key of a metric, parameter or tag.
pub const MAX_KEY: usize = 250;
/// Longest free text, such as an artifact location or a user's name.
pub const MAX_TEXT: usize = 4_096;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TextError {
    /// A key of a metric, parameter or tag holds other characters than it may.
    #[error(
        "Invalid value {key:?} for parameter '{field}' supplied: Names may only contain alphanumerics, \
         underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
    )]
    InvalidKey {
        /// What the key is called.
        field: &'static str,
        /// The key.
        key: String,
    },
    /// A key, read as a path, is not the normal form of it.
    #[error(
        "Invalid value {key:?} for parameter '{field}' supplied: Names may be treated as files in certain cases, \
         and must not resolve to other names when treated as such. This name would resolve to '{normal}'"
    )]
    KeyIsPath {
        /// What the key is called.
        field: &'static str,
        /// The key.
        key: String,
        /// Its normal form.
        normal: String,
    },
    /// A text is longer than its limit.
    #[error("'{field}' exceeds the maximum length of {limit} characters")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// The most characters allowed.
        limit: usize,
    },
    /// A text holds U+0000.
    #[error("{field} holds the character U+0000; remove it")]
    Nul {
        /// Which text.
        field: &'static str,
    },
}

impl Coded for TextError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidKey { .. } | Self::KeyIsPath { .. } => ErrorCode::InvalidName,
            Self::TooLong { .. } | Self::Nul { .. } => ErrorCode::InvalidArgument,
        }
    }
}

/// What to do with a value that is longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlong {
    /// Refuse it.
    Refuse,
    /// Keep its first characters, as a stock server does.
    Truncate,
}

/// The byte at which a text passes its limit of characters, if it does.
pub fn exceeds(text: &str, limit: usize) -> Option<usize> {
    // A character has at least one byte, so most texts are never counted.
    if text.len() <= limit { None } else { text.char_indices().nth(limit).map(|(at, _)| at) }
}

/// The start of a text, for error sentences.
pub fn clip(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Whether a text can be the key of a metric, parameter or tag: letters, digits, `/ _ . - :` and space,
/// written as a normal relative path (`_validate_tag_name` in `mlflow/utils/validation.py`).
pub fn is_key(text: &str) -> bool {
    let normal = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    normal && !text.starts_with("..") && has_key_characters(text)
}

/// Whether a text holds only characters that may stand in a key; see [`is_key`].
pub fn has_key_characters(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '_' | '.' | '-' | ' ' | ':'))
}

/// Checks the key of a tag: [`is_key`], at most [`MAX_KEY`] characters.
pub fn checked_key(key: String) -> Result<String, TextError> {
    key_called(key, "key", "key")
}

/// Checks a key; the fields say what it is called where it is refused, and where it is too long.
pub fn key_called(key: String, field: &'static str, long_field: &'static str) -> Result<String, TextError> {
    if exceeds(&key, MAX_KEY).is_some() {
        return Err(TextError::TooLong { field: long_field, limit: MAX_KEY });
    }
    if is_key(&key) {
        return Ok(key);
    }
    if !has_key_characters(&key) {
        return Err(TextError::InvalidKey { field, key });
    }
    let normal = normal_path(&key);
    Err(TextError::KeyIsPath { field, key, normal })
}

/// What a text means as a path (`posixpath.normpath`).
fn normal_path(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let is_absolute = text.starts_with('/');
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let root = if is_absolute { "/" } else { "" };
    let normal = format!("{root}{}", parts.join("/"));
    if normal.is_empty() { ".".to_owned() } else { normal }
}

/// Checks a free text of at most [`MAX_TEXT`] characters.
pub fn free_text(field: &'static str, text: String) -> Result<String, TextError> {
    checked(field, text, MAX_TEXT, Overlong::Refuse)
}

/// Checks a text's length, and that it has no U+0000, which PostgreSQL cannot store.
pub fn checked(
    field: &'static str,
    mut text: String,
    limit: usize,
    overlong: Overlong,
) -> Result<String, TextError> {
    if text.contains('\0') {
        return Err(TextError::Nul { field });
    }
    match (exceeds(&text, limit), overlong) {
        (None, _) => {}
        (Some(at), Overlong::Truncate) => text.truncate(at),
        (Some(_), Overlong::Refuse) => return Err(TextError::TooLong { field, limit }),
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_normal_paths() {
        for good in ["k", "loss", "val/loss", "a b:c-d.e_f", "a/b c:d-e", "mlflow.runName", "é"] {
            assert!(is_key(good), "{good}");
        }
        for bad in
            ["", ".", "..", "..a", "../a", "a/../b", "a/./b", "/a", "a/", "a//b", "a\\b", "a\nb", "a#", "a\0"]
        {
            assert!(!is_key(bad), "{bad:?}");
        }
    }

    #[test]
    fn limits_count_characters() {
        assert_eq!(exceeds("éé", 2), None);
        assert_eq!(exceeds("ééé", 2), Some(4));
        assert_eq!(exceeds("", 0), None);
    }
}
