//! What a check finds, and why a check could not be made.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A rule that does not hold at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Path from the root, and the line where there is one: `crates/core/src/id.rs:12`.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) fault: String,
}

impl Violation {
    /// At a whole file, folder or crate.
    pub(crate) fn at(place: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { place: place.into(), fault: fault.into() }
    }

    /// At a line of a file, counted from 1.
    pub(crate) fn at_line(path: &str, line: usize, fault: impl Into<String>) -> Self {
        Self::at(format!("{path}:{line}"), fault)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

/// A check could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// A file could not be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Started outside of the repository.
    #[error("no Cargo.lock in this directory or above it: start inside the repository")]
    NoRoot,
    /// `cargo metadata` failed.
    #[error("cargo metadata failed: {0}")]
    Metadata(String),
    /// Its output is something else than expected.
    #[error("cargo metadata gave something unexpected: {0}")]
    Json(#[from] serde_json::Error),
    /// The tests do not build.
    #[error("the tests could not be built; cargo says why above")]
    Build,
    /// The report could not be written.
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}
