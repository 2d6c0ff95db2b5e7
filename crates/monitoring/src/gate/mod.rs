//! Gates: is this version fit to be promoted? Each is evaluated on figures alone and answers with a
//! [`Verdict`]; whoever stores it binds it to the artifact's digest.
//!
//! A gate **passes** when its whole interval lies on the good side of the limit, **fails** when all of
//! it lies on the bad side, and is **inconclusive** between: more days are needed, or a person.
//! Inconclusive is not passed.

mod latency;
mod quality;
mod slices;

use serde::{Deserialize, Serialize};

use crate::sequential::Interval;

pub use latency::latency_p95;
pub use quality::{against_incumbent, better_than_trivial, calibration};
pub use slices::{Slice, SlicePlan, slice_floor};

/// How a gate was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The figures say yes.
    Passed,
    /// The figures say no.
    Failed,
    /// They allow neither.
    Inconclusive,
}

/// One number behind a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its value; absent where it is not defined.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// The limit that it is held to.
    pub limit: Option<f64>,
}

/// The answer of one gate, with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The gate.
    pub name: String,
    /// The answer.
    pub outcome: Outcome,
    /// The numbers behind it.
    pub figures: Vec<Figure>,
    /// The answer in words.
    pub sentence: String,
}

/// Where an interval lies to a limit that must not be exceeded.
fn below(interval: Option<Interval>, limit: f64) -> Outcome {
    match interval {
        Some(interval) if interval.upper <= limit => Outcome::Passed,
        Some(interval) if interval.lower > limit => Outcome::Failed,
        _ => Outcome::Inconclusive,
    }
}

/// A figure that need not be held to a limit.
fn figure(name: &str, value: Option<f64>) -> Figure {
    Figure { name: name.to_owned(), value, interval: None, limit: None }
}

/// "0.0123 (0.0100 to 0.0150)", for sentences.
fn shown(value: Option<f64>, interval: Option<Interval>) -> String {
    match (value, interval) {
        (Some(value), Some(Interval { lower, upper })) => format!("{value:.4} ({lower:.4} to {upper:.4})"),
        (Some(value), None) => format!("{value:.4} (no interval: fewer than two data days)"),
        (None, _) => "not defined".to_owned(),
    }
}

/// The data checks of the version's training data: passes if there are some and all passed.
/// Each is a name and whether it passed.
pub fn data_checks(checks: &[(String, bool)]) -> Verdict {
    let failed: Vec<&str> = checks.iter().filter(|(_, passed)| !passed).map(|(name, _)| &**name).collect();
    let (outcome, sentence) = if checks.is_empty() {
        (Outcome::Inconclusive, "no data check was run on the training data".to_owned())
    } else if failed.is_empty() {
        (Outcome::Passed, format!("all {} data checks passed", checks.len()))
    } else {
        (
            Outcome::Failed,
            format!("{} of {} data checks failed: {}", failed.len(), checks.len(), failed.join(", ")),
        )
    };
    let figures =
        vec![figure("checks", Some(checks.len() as f64)), figure("failed", Some(failed.len() as f64))];
    Verdict { name: "data_checks".to_owned(), outcome, figures, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_judged_whole() {
        let judge = |lower, upper| below(Some(Interval { lower, upper }), 1.0);
        assert_eq!(judge(0.5, 1.0), Outcome::Passed);
        assert_eq!(judge(0.9, 1.1), Outcome::Inconclusive);
        assert_eq!(judge(1.1, 1.2), Outcome::Failed);
        assert_eq!(below(None, 1.0), Outcome::Inconclusive);
    }
}
