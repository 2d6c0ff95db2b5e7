//! Experiments: named groups of runs, traces, logged models and scorers. What lives in them is of several domains,
//! which know of an experiment what stands here.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::command::Ownership;
use crate::error::{Coded, ErrorCode, Failure, StorageError};
use crate::id::RunId;
use crate::lifecycle::{Lifecycle, WrongLifecycle};
use crate::scope::{ResourceKind, Subject};
use crate::text::{TextError, clip, exceeds};
use crate::time::MachineTime;

/// Longest experiment name, in characters.
pub const MAX_EXPERIMENT_NAME: usize = 500;

/// A decimal number that counts up from 1; [`ExperimentId::DEFAULT`] is there from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExperimentId(pub u64);

impl ExperimentId {
    /// `Default`, where runs go whose client names no experiment.
    pub const DEFAULT: Self = Self(0);

    /// Reads a decimal number without leading zeros. Each id has one spelling, so that whoever compares the text, as a
    /// level on one experiment is found by it, means what whoever reads the number means.
    pub fn parse(text: &str) -> Result<Self, ExperimentError> {
        let digits = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        // It is kept in a BIGINT.
        let number = text.parse().ok().filter(|number| digits && i64::try_from(*number).is_ok());
        number.map(Self).ok_or_else(|| ExperimentError::InvalidId(clip(text)))
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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

/// The name of an experiment: any text of 1 to [`MAX_EXPERIMENT_NAME`] characters without control
/// characters; `MLflow` notebooks use paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ExperimentName(String);

impl ExperimentName {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, ExperimentError> {
        let text = text.into();
        if text.is_empty() || text.chars().count() > MAX_EXPERIMENT_NAME || text.contains(char::is_control) {
            return Err(ExperimentError::InvalidName(clip(&text)));
        }
        Ok(Self(text))
    }

    /// A name for an experiment of today: not all blank either.
    pub fn given(text: impl Into<String>) -> Result<Self, ExperimentError> {
        let text = text.into();
        if exceeds(&text, MAX_EXPERIMENT_NAME).is_some() {
            return Err(TextError::TooLong { field: "name", limit: MAX_EXPERIMENT_NAME }.into());
        }
        if text.trim().is_empty() { Err(ExperimentError::InvalidName(text)) } else { Self::new(text) }
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

/// How the record names an experiment.
pub fn experiment_subject(id: ExperimentId) -> Subject {
    Subject::new(ResourceKind::Experiment, id)
}

/// Why an experiment is refused. The sentences begin as those of `MLflow`'s own store do, since its clients and their
/// tests read them.
#[derive(Debug, Error)]
pub enum ExperimentError {
    /// The text is not an experiment id.
    #[error("Invalid experiment ID '{0}'. Experiment ID must be a valid integer, without leading zeros.")]
    InvalidId(String),
    /// The text is not an experiment name.
    #[error(
        "Invalid experiment name: '{0}'. Give 1 to 500 characters that are not all blank, without control characters"
    )]
    InvalidName(String),
    /// There is no such experiment.
    #[error("No Experiment with id={0} exists")]
    Missing(ExperimentId),
    /// It is deleted.
    #[error(transparent)]
    Lifecycle(#[from] WrongLifecycle),
    /// The name is too long.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The workspace may have no more of what lives in experiments, or of them.
    #[error("{0}")]
    Quota(Failure),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for ExperimentError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidId(_) => ErrorCode::InvalidArgument,
            Self::InvalidName(_) => ErrorCode::InvalidName,
            Self::Missing(_) => ErrorCode::NotFound,
            Self::Lifecycle(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::Quota(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

/// What the commands on all that lives in experiments ask of them.
#[async_trait]
pub trait ExperimentTx: Ownership {
    /// An experiment of this workspace.
    async fn experiment(&mut self, id: ExperimentId) -> Result<Option<Experiment>, StorageError>;
    /// The experiment of a run of this workspace.
    async fn experiment_of_run(&mut self, run: RunId) -> Result<Option<ExperimentId>, StorageError>;
}

/// The experiment, if the caller may do to it what this command does.
pub async fn existing_experiment(
    tx: &mut dyn ExperimentTx,
    id: ExperimentId,
) -> Result<Experiment, ExperimentError> {
    // Asked before it is looked for, so that nobody learns which there are.
    if !tx.admits(ResourceKind::Experiment, &id) {
        return Err(ExperimentError::Missing(id));
    }
    tx.experiment(id).await?.ok_or(ExperimentError::Missing(id))
}

/// The experiment, if it can be written to.
pub async fn active_experiment(
    tx: &mut dyn ExperimentTx,
    id: ExperimentId,
) -> Result<Experiment, ExperimentError> {
    let experiment = existing_experiment(tx, id).await?;
    experiment.lifecycle.expect(Lifecycle::Active, || format!("experiment {id}"))?;
    Ok(experiment)
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
    fn an_id_has_one_spelling() {
        for text in ["0", "7", "10", "9223372036854775807"] {
            assert_eq!(ExperimentId::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "00", "07", "-0", "+7", " 7", "7 ", "0x7", "٧", "9223372036854775808"] {
            assert!(ExperimentId::parse(bad).is_err(), "{bad}");
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
