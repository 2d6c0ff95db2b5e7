//! Why a process could not be run.

use std::io;

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

/// A process could not be started or followed.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// The spawner could not be started.
    #[error("the process that starts steps could not be started; see the log")]
    NoSpawner(#[source] io::Error),
    /// The spawner is gone; a new one must be started.
    #[error("the process that starts steps ended; it must be started again")]
    SpawnerGone,
    /// The program could not be started.
    #[error("'{program}' could not be started: {reason}")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// The command is larger than the spawner takes.
    #[error("the command with its environment is larger than {} bytes", crate::frame::MAX_FRAME)]
    TooLarge,
    /// A log could not be read.
    #[error("the log of the step cannot be read; see the server's log")]
    Log(#[source] io::Error),
}

impl Coded for RunnerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSpawner(_) | Self::Log(_) => ErrorCode::Internal,
            Self::SpawnerGone => ErrorCode::Unavailable,
            Self::NotStarted { .. } => ErrorCode::InvalidArgument,
            Self::TooLarge => ErrorCode::TooLarge,
        }
    }
}
