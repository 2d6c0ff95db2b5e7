//! Why no project was written.

use std::io;
use std::path::Path;

use mainstay_core::error::{Cause, Coded, Failure};
use thiserror::Error;

/// What keeps a project from being written. The sentence is for the person at the terminal.
#[derive(Debug, Error)]
pub enum ScaffoldError {
    /// The wishes contradict each other, or do not fit the file.
    #[error("{0}")]
    Usage(String),
    /// A file or directory could not be used.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A part of Mainstay refused or failed.
    #[error("{0}")]
    Coded(Failure),
    /// Something did not work.
    #[error("{what}: {cause}")]
    Outside {
        /// What was tried.
        what: String,
        /// Why it did not work.
        cause: Cause,
    },
}

impl ScaffoldError {
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.display().to_string(), error }
    }

    pub(crate) fn outside(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Outside { what: what.into(), cause: cause.into() }
    }
}

impl<E: Coded> From<E> for ScaffoldError {
    fn from(error: E) -> Self {
        Self::Coded(Failure::from(error))
    }
}
