//! What is to be run, and how it ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The program and its arguments; the program is looked up in the command's `PATH` unless it
    /// contains a slash.
    pub argv: Vec<String>,
}

impl Program {
    /// A program with its arguments.
    pub fn argv<I: IntoIterator<Item = S>, S: Into<String>>(argv: I) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect() }
    }

    /// Command lines, each for a `/bin/sh` of its own, run one after the other until one fails.
    pub fn shell<I: IntoIterator<Item = S>, S: Into<String>>(lines: I) -> Self {
        let mut lines: Vec<String> = lines.into_iter().map(Into::into).collect();
        let mut argv = vec!["/bin/sh".to_owned(), "-c".to_owned()];
        if lines.len() == 1 {
            argv.append(&mut lines);
        } else {
            argv.push(r#"for line; do /bin/sh -c "$line" || exit $?; done"#.to_owned());
            argv.push("sh".to_owned());
            argv.append(&mut lines);
        }
        Self { argv }
    }
}

/// Bounds on what a process may use (`setrlimit(2)`); absent means as the spawner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of address space of each process.
    pub address_space: Option<u64>,
    /// Seconds of CPU of each process.
    pub cpu_seconds: Option<u64>,
    /// Bytes of each file that is written.
    pub file_size: Option<u64>,
    /// Open files of each process.
    pub open_files: Option<u64>,
}

/// A process to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCommand {
    /// The program.
    pub program: Program,
    /// Its whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Its working directory, which must exist.
    pub dir: PathBuf,
    /// The file that its standard output and error are appended to, in the order in which they come.
    pub log: PathBuf,
    /// Most bytes that are written to the log; the rest is dropped, and the log says so.
    pub log_limit: u64,
    /// Whether each line of the log begins with the time.
    pub timestamps: bool,
    /// Stopped after so long.
    pub timeout: Option<Duration>,
    /// Between the polite signal (`SIGTERM`) and the certain one (`SIGKILL`).
    pub grace: Duration,
    /// What it may use.
    pub limits: Limits,
}

impl StepCommand {
    /// A command with an empty environment but `PATH`, a log of at most 64 MiB, no timeout, and 10 s of
    /// grace.
    pub fn new(program: Program, dir: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        Self {
            program,
            env: BTreeMap::from([("PATH".to_owned(), path.to_owned())]),
            dir: dir.into(),
            log: log.into(),
            log_limit: 64 * 1024 * 1024,
            timestamps: false,
            timeout: None,
            grace: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// By itself, or by a signal that was not ours.
    Ended,
    /// Its timeout passed.
    TimedOut,
    /// It was asked to stop.
    Killed,
}

/// The end of a process. Reported exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How.
    pub status: Status,
    /// Why.
    pub cause: Cause,
    /// When it was started, by the machine's clock.
    pub started: MachineTime,
    /// When its end was seen.
    pub ended: MachineTime,
    /// Bytes that it wrote to the log.
    pub log_bytes: u64,
    /// Whether output was dropped because of the log's limit or a full disk.
    pub log_truncated: bool,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn succeeded(&self) -> bool {
        self.cause == Cause::Ended && self.status == Status::Code(0)
    }
}
