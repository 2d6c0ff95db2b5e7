//! Why the program could not do what it was asked.

use std::io;
use std::path::Path;

use mainstay_core::error::{Cause, Coded, Failure};
use thiserror::Error;

use crate::exit::Exit;

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
    /// A directory that holds no data of Mainstay's.
    #[error(
        "there is no data directory at {0}; name the one that you mean, or make one with 'mainstay up' or 'run'"
    )]
    NoData(String),
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

    /// How it ends the program.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::NoData(_) => Exit::NotFound,
            Self::File { error, .. } => Exit::of_io(error.kind()),
            Self::Coded(failure) => Exit::of_code(failure.code()),
            Self::Busy(_) | Self::Outside { .. } => Exit::Failed,
        }
    }
}

impl<E: Coded> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Coded(Failure::from(error))
    }
}
