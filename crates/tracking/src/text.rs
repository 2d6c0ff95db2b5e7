//! Keys, values and their limits: `mlflow/utils/validation.py`. Lengths count characters.

pub use mainstay_core::text::{MAX_KEY, Overlong, checked_key};
use mainstay_core::text::{TextError, checked, key_called};
use serde::Serialize;

/// Longest value of a parameter.
pub const MAX_PARAM_VALUE: usize = 6_000;
/// Longest value of a run's or logged model's tag.
pub const MAX_TAG_VALUE: usize = 8_000;
/// Longest value of an experiment's tag.
pub const MAX_EXPERIMENT_TAG_VALUE: usize = 20_000;
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
    ) -> Result<Self, TextError> {
        let key = key_called(key.into(), PARAM.key, PARAM.long_key)?;
        Ok(Self { key, value: checked(PARAM.value, value.into(), MAX_PARAM_VALUE, overlong)? })
    }

    /// A tag of a run.
    pub fn tag(
        key: impl Into<String>,
        value: impl Into<String>,
        overlong: Overlong,
    ) -> Result<Self, TextError> {
        let key = key_called(key.into(), TAG.key, TAG.long_key)?;
        Ok(Self { key, value: checked(TAG.value, value.into(), MAX_TAG_VALUE, overlong)? })
    }

    /// A tag of an experiment; never cut.
    pub fn experiment_tag(key: impl Into<String>, value: impl Into<String>) -> Result<Self, TextError> {
        let key = key_called(key.into(), TAG.key, TAG.long_key)?;
        let value = checked(TAG.value, value.into(), MAX_EXPERIMENT_TAG_VALUE, Overlong::Refuse)?;
        Ok(Self { key, value })
    }

    /// A parameter of a logged model, whose key holds any characters; a value that is too long is cut.
    pub fn model_param(key: impl Into<String>, value: impl Into<String>) -> Result<Self, TextError> {
        Self::of_model(&PARAM, key.into(), value.into(), MAX_PARAM_VALUE)
    }

    /// A tag of a logged model, whose key holds any characters; a value that is too long is cut.
    pub fn model_tag(key: impl Into<String>, value: impl Into<String>) -> Result<Self, TextError> {
        Self::of_model(&TAG, key.into(), value.into(), MAX_TAG_VALUE)
    }

    fn of_model(called: &Called, key: String, value: String, limit: usize) -> Result<Self, TextError> {
        let key = checked(called.long_key, key, MAX_KEY, Overlong::Refuse)?;
        Ok(Self { key, value: checked(called.value, value, limit, Overlong::Truncate)? })
    }
}

/// Checks the key of a metric, likewise.
pub(crate) fn metric_key(key: String) -> Result<String, TextError> {
    key_called(key, "name", "Metric name")
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
            assert!(matches!(refused, Err(TextError::KeyIsPath { normal: n, .. }) if n == normal), "{key}");
        }
        let refused = metric_key("a#\"b".to_owned()).unwrap_err().to_string();
        assert!(
            refused.starts_with("Invalid value \"a#\\\"b\" for parameter 'name' supplied: Names may"),
            "{refused}"
        );
        assert!(Pair::model_tag("a # b", "v").is_ok() && Pair::model_param("k".repeat(251), "v").is_err());
        assert!(checked_key("é".repeat(MAX_KEY)).is_ok());
        assert!(matches!(checked_key("é".repeat(251)), Err(TextError::TooLong { .. })));
    }

    #[test]
    fn long_values_are_refused_or_cut_at_a_character() {
        let long = "é".repeat(MAX_PARAM_VALUE + 1);
        assert!(matches!(Pair::param("k", &*long, Overlong::Refuse), Err(TextError::TooLong { .. })));
        let cut = Pair::param("k", &*long, Overlong::Truncate).unwrap();
        assert_eq!(cut.value.chars().count(), MAX_PARAM_VALUE);
        assert!(matches!(Pair::tag("k", "a\0", Overlong::Truncate), Err(TextError::Nul { .. })));
    }
}
