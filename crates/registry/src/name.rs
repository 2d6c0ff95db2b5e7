//! What things in the registry may be called. Lengths count characters, as `MLflow` does.

use std::fmt;

use mainstay_core::text::{clip, exceeds, is_key};
use serde::{Deserialize, Serialize};

use crate::error::RegistryError;
use crate::prompt::PROMPT_TEXT;

/// Longest model name.
pub const MAX_MODEL_NAME: usize = 256;
/// Longest alias (`MAX_REGISTERED_MODEL_ALIAS_LENGTH`).
pub const MAX_ALIAS: usize = 255;
/// Longest tag key (`MAX_MODEL_REGISTRY_TAG_KEY_LENGTH`).
pub const MAX_TAG_KEY: usize = 250;
/// Longest tag value (`MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH`); a prompt's text is one.
pub const MAX_TAG_VALUE: usize = 100_000;
/// Longest description, source, run link or status message.
pub const MAX_TEXT: usize = 100_000;

/// The name of a registered model: not blank, without `/`, `:` or control characters, not a relative
/// path (`_validate_model_name`), at most [`MAX_MODEL_NAME`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

impl ModelName {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, RegistryError> {
        let text = text.into();
        limit("model name", &text, MAX_MODEL_NAME)?;
        let bad = |c: char| matches!(c, '/' | ':') || c.is_control();
        if text.trim().is_empty() || text == "." || text.starts_with("..") || text.contains(bad) {
            return Err(RegistryError::InvalidModelName(text));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ModelName {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self, RegistryError> {
        Self::new(text)
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

/// An alias: letters, digits, `_` and `-`, at most [`MAX_ALIAS`] characters; `latest` and `v1`, `v2` …
/// are reserved in every case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    /// The alias that follows the champion of a governed endpoint.
    pub fn champion() -> Self {
        Self("champion".to_owned())
    }

    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, RegistryError> {
        let text = text.into();
        limit("alias", &text, MAX_ALIAS)?;
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        if text.is_empty() || !text.chars().all(word) {
            return Err(RegistryError::InvalidAlias(text));
        }
        let is_version = text
            .strip_prefix(['v', 'V'])
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(char::is_numeric));
        if text.eq_ignore_ascii_case("latest") || is_version {
            return Err(RegistryError::ReservedAlias(text));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Alias {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self, RegistryError> {
        Self::new(text)
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.0
    }
}

/// The number of a version: 1, 2, 3 … within its model, never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionNumber(pub u32);

impl VersionNumber {
    /// Reads a decimal number from 1.
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Self).ok_or_else(|| RegistryError::InvalidVersion(clip(text)))
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A tag of a model or version, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Tag {
    /// Checks key and value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Result<Self, RegistryError> {
        let (key, value) = (tag_key(key.into())?, value.into());
        if key == PROMPT_TEXT && exceeds(&value, MAX_TAG_VALUE).is_some() {
            return Err(RegistryError::PromptTooLong);
        }
        limit("tag value", &value, MAX_TAG_VALUE)?;
        Ok(Self { key, value: without_nul("tag value", value)? })
    }
}

/// Checks a tag key: [`is_key`], at most [`MAX_TAG_KEY`] characters.
pub fn tag_key(key: String) -> Result<String, RegistryError> {
    limit("tag key", &key, MAX_TAG_KEY)?;
    if is_key(&key) { Ok(key) } else { Err(RegistryError::InvalidTagKey(key)) }
}

/// Checks a free text: at most [`MAX_TEXT`] characters, no U+0000.
pub(crate) fn free_text(field: &'static str, text: String) -> Result<String, RegistryError> {
    limit(field, &text, MAX_TEXT)?;
    without_nul(field, text)
}

fn limit(field: &'static str, text: &str, limit: usize) -> Result<(), RegistryError> {
    if exceeds(text, limit).is_some() { Err(RegistryError::TooLong { field, limit }) } else { Ok(()) }
}

/// PostgreSQL cannot store U+0000 in a text.
fn without_nul(field: &'static str, text: String) -> Result<String, RegistryError> {
    if text.contains('\0') { Err(RegistryError::Nul { field }) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_follow_mlflow() {
        for good in ["flight delay", "m", "Ünïcode%#", "a.b", "-"] {
            assert!(ModelName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "  ", "a/b", "a:b", ".", "..", "..a", "a\0b"] {
            assert!(matches!(ModelName::new(bad), Err(RegistryError::InvalidModelName(_))), "{bad:?}");
        }
        assert!(ModelName::new("é".repeat(MAX_MODEL_NAME)).is_ok());
        assert!(matches!(ModelName::new("é".repeat(257)), Err(RegistryError::TooLong { .. })));
    }

    #[test]
    fn some_aliases_are_reserved() {
        for good in ["champion", "v", "v1a", "1", "a_b-c", "latest2"] {
            assert!(Alias::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a.b", "a/b"] {
            assert!(matches!(Alias::new(bad), Err(RegistryError::InvalidAlias(_))), "{bad}");
        }
        for reserved in ["latest", "LATEST", "v1", "V007"] {
            assert!(matches!(Alias::new(reserved), Err(RegistryError::ReservedAlias(_))), "{reserved}");
        }
    }

    #[test]
    fn tag_keys_are_short_normal_paths() {
        assert!(tag_key("mlflow.prompt.is_prompt".to_owned()).is_ok());
        assert!(matches!(tag_key("a//b".to_owned()), Err(RegistryError::InvalidTagKey(_))));
        assert!(tag_key("é".repeat(MAX_TAG_KEY)).is_ok());
        assert!(matches!(tag_key("é".repeat(251)), Err(RegistryError::TooLong { .. })));
    }

    #[test]
    fn a_prompt_that_is_too_long_is_called_so() {
        let text = |key: &str, length| Tag::new(key, "é".repeat(length));
        assert!(text(PROMPT_TEXT, MAX_TAG_VALUE).is_ok());
        let refused = text(PROMPT_TEXT, MAX_TAG_VALUE + 1).unwrap_err();
        assert_eq!(refused.to_string(), "Prompt text exceeds max length of 100000 characters.");
        assert!(matches!(text("other", MAX_TAG_VALUE + 1), Err(RegistryError::TooLong { .. })));
    }

    #[test]
    fn version_numbers_start_at_one() {
        assert_eq!(VersionNumber::parse("7").ok(), Some(VersionNumber(7)));
        for bad in ["0", "-1", "1.0", "seven", "", "99999999999"] {
            assert!(VersionNumber::parse(bad).is_err(), "{bad}");
        }
    }
}
