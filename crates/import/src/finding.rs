//! What of a stock server cannot be kept, each with its id and the reason.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// How many findings are told one by one; the others are counted.
pub const MAX_TOLD: usize = 1_000;

/// One thing that cannot be kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What: `param 'a//b' of run 4f…`.
    pub of: String,
    /// Why not.
    pub reason: String,
}

impl Finding {
    /// A finding.
    pub fn new(of: impl Into<String>, reason: impl Display) -> Self {
        Self { of: of.into(), reason: format!("{reason}") }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.of, self.reason)
    }
}

/// Findings as they gather: the first [`MAX_TOLD`], and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first ones.
    pub told: Vec<Finding>,
    /// How many there are.
    pub count: u64,
}

impl Findings {
    /// Adds some.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Finding>) {
        for finding in more {
            self.count += 1;
            if self.told.len() < MAX_TOLD {
                self.told.push(finding);
            }
        }
    }
}
