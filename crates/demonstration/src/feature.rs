//! The parts of a demonstration, and the mark by which it is known how much of it is there.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::text::clip;
use thiserror::Error;

/// A part of the demonstration, called as a stock MLflow server calls what is like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// A trace of each question, with what is said of it.
    Traces,
    /// The questions as an evaluation dataset, and a run of each method over them.
    Evaluation,
}

impl Feature {
    /// Every feature, in the order in which they are recorded.
    pub const ALL: [Self; 2] = [Self::Traces, Self::Evaluation];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Evaluation => "evaluation",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A demonstration has no such part.
#[derive(Debug, Error)]
#[error("the demonstration has no feature '{0}'; it has 'traces' and 'evaluation'")]
pub struct UnknownFeature(String);

impl Coded for UnknownFeature {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(text: &str) -> Result<Self, UnknownFeature> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| UnknownFeature(clip(text)))
    }
}

/// Features, each once.
pub type Features = BTreeSet<Feature>;

/// How much of a demonstration is there. It is written before something is recorded or removed, and again behind it:
/// what was begun and is not whole was interrupted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// What is there whole.
    pub whole: Features,
    /// What was begun.
    pub begun: Features,
}

impl Mark {
    /// Nothing is half there.
    pub const fn whole(features: Features) -> Self {
        Self { whole: features, begun: Features::new() }
    }

    /// What was not whole when the mark was written.
    pub const fn begun(whole: Features, begun: Features) -> Self {
        Self { whole, begun }
    }

    /// Whether something was interrupted, unless it goes on still.
    pub fn is_half(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Everything that the mark speaks of.
    pub fn all(&self) -> Features {
        &self.whole | &self.begun
    }
}

/// Names with commas between.
fn named(features: &Features) -> String {
    features.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&named(&self.whole))?;
        if self.is_half() { write!(f, "; begun: {}", named(&self.begun)) } else { Ok(()) }
    }
}

impl From<&str> for Mark {
    /// Reads a mark. Of one that somebody changed, nothing counts as whole.
    fn from(text: &str) -> Self {
        let (whole, begun) = text.split_once("; begun: ").unwrap_or((text, ""));
        let read = |names: &str| -> Result<Features, UnknownFeature> {
            names.split(", ").filter(|name| !name.is_empty()).map(str::parse).collect()
        };
        match (read(whole), read(begun)) {
            (Ok(whole), Ok(begun)) => Self { whole, begun },
            _ => Self { whole: Features::new(), begun: Feature::ALL.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        let both = Features::from(Feature::ALL);
        let one = Features::from([Feature::Evaluation]);
        for mark in [
            Mark::default(),
            Mark::whole(both.clone()),
            Mark::begun(Features::new(), both.clone()),
            Mark::begun([Feature::Traces].into(), one),
        ] {
            assert_eq!(Mark::from(mark.to_string().as_str()), mark, "{mark}");
        }
        assert_eq!(Mark::whole(both.clone()).to_string(), "traces, evaluation");
        let changed = Mark::from("all of it");
        assert!(changed.is_half() && changed.whole.is_empty());
        assert_eq!(Mark::begun([Feature::Traces].into(), [Feature::Evaluation].into()).all(), both);
    }

    #[test]
    fn features_are_known_by_name() {
        for feature in Feature::ALL {
            assert_eq!(feature.as_str().parse::<Feature>().unwrap(), feature);
        }
        assert!("prompts".parse::<Feature>().unwrap_err().to_string().contains("'prompts'"));
    }
}
