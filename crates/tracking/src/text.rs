//! Keys, values and their limits: `mlflow/utils/validation.py`. Lengths count characters.

use mainstay_core::text::{exceeds, is_key};
use serde::Serialize;

use crate::error::TrackingError;

/// Longest key of a metric, parameter or tag.
pub const MAX_KEY: usize = 250;
/// Longest value of a parameter.
pub const MAX_PARAM_VALUE: usize = 6_000;
/// Longest value of a run's or logged model's tag.
pub const MAX_TAG_VALUE: usize = 8_000;
/// Longest value of an experiment's tag.
pub const MAX_EXPERIMENT_TAG_VALUE: usize = 20_000;
/// Longest free text, such as an artifact location or a user's name.
pub const MAX_TEXT: usize = 4_096;

/// What to do with a value that is longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlong {
    /// Refuse it.
    Refuse,
    /// Keep its first characters, as a stock server does.
    Truncate,
}

/// A key with its value, checked: a parameter or a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Pair {
    /// A parameter.
    pub fn param(
        key: impl Into<String>,
        value: impl Into<String>,
        overlong: Overlong,
    ) -> Result<Self, TrackingError> {
        Self::new(key.into(), "param value", value.into(), MAX_PARAM_VALUE, overlong)
    }

    /// A tag of a run or logged model.
    pub fn tag(
        key: impl Into<String>,
        value: impl Into<String>,
        overlong: Overlong,
    ) -> Result<Self, TrackingError> {
        Self::new(key.into(), "tag value", value.into(), MAX_TAG_VALUE, overlong)
    }

    /// A tag of an experiment; never cut.
    pub fn experiment_tag(key: impl Into<String>, value: impl Into<String>) -> Result<Self, TrackingError> {
        Self::new(key.into(), "tag value", value.into(), MAX_EXPERIMENT_TAG_VALUE, Overlong::Refuse)
    }

    fn new(
        key: String,
        field: &'static str,
        value: String,
        limit: usize,
        overlong: Overlong,
    ) -> Result<Self, TrackingError> {
        Ok(Self { key: checked_key(key)?, value: checked(field, value, limit, overlong)? })
    }
}

/// Checks a key: [`is_key`], at most [`MAX_KEY`] characters.
pub fn checked_key(key: String) -> Result<String, TrackingError> {
    if exceeds(&key, MAX_KEY).is_some() {
        return Err(TrackingError::TooLong { field: "key", limit: MAX_KEY });
    }
    if is_key(&key) { Ok(key) } else { Err(TrackingError::InvalidKey(key)) }
}

/// Checks a free text of at most [`MAX_TEXT`] characters.
pub(crate) fn free_text(field: &'static str, text: String) -> Result<String, TrackingError> {
    checked(field, text, MAX_TEXT, Overlong::Refuse)
}

/// Checks a text's length, and that it has no U+0000, which PostgreSQL cannot store.
pub(crate) fn checked(
    field: &'static str,
    mut text: String,
    limit: usize,
    overlong: Overlong,
) -> Result<String, TrackingError> {
    if text.contains('\0') {
        return Err(TrackingError::Nul { field });
    }
    match (exceeds(&text, limit), overlong) {
        (None, _) => {}
        (Some(at), Overlong::Truncate) => text.truncate(at),
        (Some(_), Overlong::Refuse) => return Err(TrackingError::TooLong { field, limit }),
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_normal_paths() {
        assert!(checked_key("val/loss".to_owned()).is_ok());
        assert!(matches!(checked_key("a//b".to_owned()), Err(TrackingError::InvalidKey(_))));
        assert!(checked_key("é".repeat(MAX_KEY)).is_ok());
        assert!(matches!(checked_key("é".repeat(251)), Err(TrackingError::TooLong { .. })));
    }

    #[test]
    fn long_values_are_refused_or_cut_at_a_character() {
        let long = "é".repeat(MAX_PARAM_VALUE + 1);
        assert!(matches!(Pair::param("k", &*long, Overlong::Refuse), Err(TrackingError::TooLong { .. })));
        let cut = Pair::param("k", &*long, Overlong::Truncate).unwrap();
        assert_eq!(cut.value.chars().count(), MAX_PARAM_VALUE);
        assert!(matches!(Pair::tag("k", "a\0", Overlong::Truncate), Err(TrackingError::Nul { .. })));
    }
}
