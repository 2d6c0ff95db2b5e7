//! Why the program could not do what it was asked.

use std::io;
use std::path::Path;

use mainstay_core::error::{Cause, Coded, ErrorCode, Failure};
use thiserror::Error;

/// What ends a subcommand. The first line is for the person at the terminal.
#[derive(Debug, Error)]
pub enum Failed {
    /// Another process has the data directory open.
    #[error(
        "another Mainstay has {0} open; stop it, or leave the work to it: most commands ask a server that has it open, and `mainstay pipelines put` and `start` run pipelines there"
    )]
    Busy(String),
    /// A file or directory could not be used.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The arguments contradict each other or what is there.
    #[error("{0}")]
    Usage(String),
    /// A part of Mainstay refused or failed.
    #[error("{0}")]
    Coded(Failure),
    /// Something outside did not work.
    #[error("{what}: {cause}")]
    Outside {
        /// What was tried.
        what: String,
        /// Why it did not work.
        cause: Cause,
    },
}

impl Failed {
    /// A file or directory could not be used.
    pub fn directory(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.display().to_string(), error }
    }

    /// Something outside did not work.
    pub fn outside(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Outside { what: what.into(), cause: cause.into() }
    }

    /// The exit code: 2 for a wrong use, 3 for what does not exist, 4 for what is refused, 1 else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Coded(failure) => match failure.code() {
                ErrorCode::NotFound => 3,
                ErrorCode::PermissionDenied | ErrorCode::Unauthenticated | ErrorCode::GateNotPassed => 4,
                _ => 1,
            },
            _ => 1,
        }
    }
}

impl<E: Coded> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Coded(Failure::from(error))
    }
}
