//! Names of steps: `train`, or `train@us` for one of a group.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest step name, in bytes.
pub const MAX_STEP_NAME: usize = 200;

/// The text is no step name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a step name holds letters, digits, '_' and '-', then optionally '@' and a key")]
pub struct InvalidStepName;

impl Coded for InvalidStepName {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidName
    }
}

/// The name of a step within its pipeline. The part after `@` tells the members of a `foreach` or
/// `matrix` group apart, as DVC names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

impl StepName {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidStepName> {
        let text = text.into();
        let (base, key) = text.split_once('@').map_or((text.as_str(), None), |(b, k)| (b, Some(k)));
        let base_fits =
            !base.is_empty() && base.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        let key_fits = key.is_none_or(|key| Name::new(key).is_ok());
        if text.len() > MAX_STEP_NAME || !base_fits || !key_fits {
            return Err(InvalidStepName);
        }
        Ok(Self(text))
    }

    /// The name of the group, or the whole name.
    pub fn base(&self) -> &str {
        self.0.split_once('@').map_or(&self.0, |(base, _)| base)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for StepName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for StepName {
    type Err = InvalidStepName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for StepName {
    type Error = InvalidStepName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<StepName> for String {
    fn from(name: StepName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_keys_and_paths_are_refused() {
        assert_eq!(StepName::new("train@us-0.1").map(|n| n.base().to_owned()), Ok("train".to_owned()));
        for bad in ["", "@a", "a@", "a/b", "a@b/c", "a b", "a@..", "a.b", "a@b@c"] {
            assert_eq!(StepName::new(bad), Err(InvalidStepName), "{bad}");
        }
    }
}
