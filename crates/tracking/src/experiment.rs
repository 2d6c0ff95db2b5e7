//! Experiments: named groups of runs.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::text::{clip, exceeds};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::error::TrackingError;
use crate::run::Lifecycle;

/// Longest experiment name, in characters.
pub const MAX_EXPERIMENT_NAME: usize = 500;

/// A decimal number that counts up from 1; [`ExperimentId::DEFAULT`] is there from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExperimentId(pub u64);

impl ExperimentId {
    /// `Default`, where runs go whose client names no experiment.
    pub const DEFAULT: Self = Self(0);

    /// Reads a decimal number.
    pub fn parse(text: &str) -> Result<Self, TrackingError> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // It is kept in a BIGINT.
        let number = text.parse().ok().filter(|number| digits && i64::try_from(*number).is_ok());
        number.map(Self).ok_or_else(|| TrackingError::InvalidExperimentId(clip(text)))
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an experiment: any text of 1 to [`MAX_EXPERIMENT_NAME`] characters without control
/// characters; `MLflow` notebooks use paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ExperimentName(String);

impl ExperimentName {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, TrackingError> {
        let text = text.into();
        if text.is_empty() || text.chars().count() > MAX_EXPERIMENT_NAME || text.contains(char::is_control) {
            return Err(TrackingError::InvalidExperimentName(clip(&text)));
        }
        Ok(Self(text))
    }

    /// A name for an experiment of today: not all blank either.
    pub fn given(text: impl Into<String>) -> Result<Self, TrackingError> {
        let text = text.into();
        if exceeds(&text, MAX_EXPERIMENT_NAME).is_some() {
            return Err(TrackingError::TooLong { field: "name", limit: MAX_EXPERIMENT_NAME });
        }
        if text.trim().is_empty() { Err(TrackingError::InvalidExperimentName(text)) } else { Self::new(text) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExperimentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A group of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// The id.
    pub id: ExperimentId,
    /// The name, unique in its workspace even after deletion.
    pub name: ExperimentName,
    /// Under which URI the artifacts of its runs lie.
    pub artifact_location: String,
    /// Whether it is deleted.
    pub lifecycle: Lifecycle,
    /// When it was created.
    pub created: MachineTime,
    /// When its name or lifecycle last changed.
    pub updated: MachineTime,
}

/// An experiment with its tags: what readers hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentDetail {
    /// The experiment.
    pub experiment: Experiment,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The URI of what is `below` another one. What follows a `?` in one with a scheme stays at the end.
pub fn uri_below(uri: &str, below: &str) -> String {
    let has_scheme = uri.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
    let (place, query) = match uri.split_once('?') {
        Some((place, query)) if has_scheme => (place, Some(query)),
        _ => (uri, None),
    };
    let place = place.trim_end_matches('/');
    match query {
        None => format!("{place}/{below}"),
        Some(query) => format!("{place}/{below}?{query}"),
    }
}

/// How the record names an experiment.
pub fn experiment_subject(id: ExperimentId) -> Subject {
    Subject::new(ResourceKind::Experiment, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_uri_stands_before_its_query() {
        for (uri, below) in [
            ("mlflow-artifacts:/", "mlflow-artifacts:/7/a"),
            ("file:///srv/a", "file:///srv/a/7/a"),
            ("s3://b/p?x=1&y=2", "s3://b/p/7/a?x=1&y=2"),
            ("/srv/what?/now", "/srv/what?/now/7/a"),
        ] {
            assert_eq!(uri_below(uri, "7/a"), below);
        }
    }

    #[test]
    fn new_names_are_not_blank() {
        let told = |text: &str| ExperimentName::given(text).unwrap_err().to_string();
        assert!(told("  ").starts_with("Invalid experiment name: '  '"));
        assert_eq!(told(&"é".repeat(501)), "'name' exceeds the maximum length of 500 characters");
        assert!(ExperimentName::given("é".repeat(500)).is_ok() && ExperimentName::new("  ").is_ok());
    }
}
