//! What server and spawner say to each other.

use serde::{Deserialize, Serialize};

use crate::command::{Exit, StepCommand};

/// From the server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Start a process under a number.
    Spawn {
        /// The number.
        id: u64,
        /// What.
        command: Box<StepCommand>,
    },
    /// Stop it. A number that has ended is not an error.
    Kill {
        /// The number.
        id: u64,
    },
}

/// From the spawner. Each number gets `Started` then `Exited`, or `Refused`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// It runs.
    Started {
        /// The number.
        id: u64,
        /// Its process id, also that of its process group.
        pid: i32,
    },
    /// It could not be started.
    Refused {
        /// The number.
        id: u64,
        /// What the system said.
        reason: String,
    },
    /// It ended.
    Exited {
        /// The number.
        id: u64,
        /// How.
        exit: Exit,
    },
}
