//! Keys, values and their limits: `mlflow/utils/validation.py`. Lengths count characters.

use mainstay_core::text::{exceeds, has_key_characters, is_key};
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

/// What the parts of a pair are called where one is refused.
struct Called {
    key: &'static str,
    long_key: &'static str,
    value: &'static str,
}

const PARAM: Called = Called { key: "key", long_key: "Param key", value: "Param value" };
const TAG: Called = Called { key: "key", long_key: "key", value: "value" };

impl Pair {
    /// A parameter of a run.
    pub fn param(
        key: impl Into<String>,
        value: impl Into<String>,
        overlong: Overlong,
    ) -> Result<Self, TrackingError> {
        let key = key_called(key.into(), PARAM.key, PARAM.long_key)?;
        Ok(Self { key, value: checked(PARAM.value, value.into(), MAX_PARAM_VALUE, overlong)? })
    }

    /// A tag of a run.
    pub fn tag(
        key: impl Into<String>,
        value: impl Into<String>,
        overlong: Overlong,
    ) -> Result<Self, TrackingError> {
        let key = key_called(key.into(), TAG.key, TAG.long_key)?;
        Ok(Self { key, value: checked(TAG.value, value.into(), MAX_TAG_VALUE, overlong)? })
    }

    /// A tag of an experiment; never cut.
    pub fn experiment_tag(key: impl Into<String>, value: impl Into<String>) -> Result<Self, TrackingError> {
        let key = key_called(key.into(), TAG.key, TAG.long_key)?;
        let value = checked(TAG.value, value.into(), MAX_EXPERIMENT_TAG_VALUE, Overlong::Refuse)?;
        Ok(Self { key, value })
    }

    /// A parameter of a logged model, whose key holds any characters; a value that is too long is cut.
    pub fn model_param(key: impl Into<String>, value: impl Into<String>) -> Result<Self, TrackingError> {
        Self::of_model(&PARAM, key.into(), value.into(), MAX_PARAM_VALUE)
    }

    /// A tag of a logged model, whose key holds any characters; a value that is too long is cut.
    pub fn model_tag(key: impl Into<String>, value: impl Into<String>) -> Result<Self, TrackingError> {
        Self::of_model(&TAG, key.into(), value.into(), MAX_TAG_VALUE)
    }

    fn of_model(called: &Called, key: String, value: String, limit: usize) -> Result<Self, TrackingError> {
        let key = checked(called.long_key, key, MAX_KEY, Overlong::Refuse)?;
        Ok(Self { key, value: checked(called.value, value, limit, Overlong::Truncate)? })
    }
}

/// Checks the key of a tag: [`is_key`], at most [`MAX_KEY`] characters.
pub fn checked_key(key: String) -> Result<String, TrackingError> {
    key_called(key, TAG.key, TAG.long_key)
}

/// Checks the key of a metric, likewise.
pub(crate) fn metric_key(key: String) -> Result<String, TrackingError> {
    key_called(key, "name", "Metric name")
}

fn key_called(key: String, field: &'static str, long_field: &'static str) -> Result<String, TrackingError> {
    if exceeds(&key, MAX_KEY).is_some() {
        return Err(TrackingError::TooLong { field: long_field, limit: MAX_KEY });
    }
    if is_key(&key) {
        return Ok(key);
    }
    if !has_key_characters(&key) {
        return Err(TrackingError::InvalidKey { field, key });
    }
    let normal = normal_path(&key);
    Err(TrackingError::KeyIsPath { field, key, normal })
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
        for (key, normal) in
            [("a//b", "a/b"), ("/a", "/a"), (".", "."), ("a/../..", ".."), ("a/", "a"), ("", ".")]
        {
            let refused = checked_key(key.to_owned());
            assert!(
                matches!(refused, Err(TrackingError::KeyIsPath { normal: n, .. }) if n == normal),
                "{key}"
            );
        }
        let refused = metric_key("a#\"b".to_owned()).unwrap_err().to_string();
        assert!(
            refused.starts_with("Invalid value \"a#\\\"b\" for parameter 'name' supplied: Names may"),
            "{refused}"
        );
        assert!(Pair::model_tag("a # b", "v").is_ok() && Pair::model_param("k".repeat(251), "v").is_err());
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
