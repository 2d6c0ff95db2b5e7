//! Processes of steps: one long-lived spawner starts them, bounds them, keeps their logs, and takes
//! them along when the server dies.
//!
//! # Why a process of its own
//!
//! The server is large and has many threads: forking it is slow and, between fork and exec, fragile.
//! The spawner is the same binary started again with a hidden subcommand before anything was set up;
//! it has one thread and little memory, so a fork is cheap, and steps are children of its one thread,
//! on which `PR_SET_PDEATHSIG` depends (`prctl(2)`: the signal comes when the *thread* that forked
//! ends).
//!
//! # No orphans
//!
//! - The server dies in any way: its end of the socket closes; the spawner sees the end of file, kills
//!   every process group, then, as their subreaper, every descendant that left its group, and ends.
//! - The spawner dies: the kernel kills the leader of each step (`PR_SET_PDEATHSIG`), and the server
//!   kills their process groups and answers every waiting handle with [`RunnerError::SpawnerGone`].
//!
//! # Use
//!
//! ```no_run
//! # async fn f() -> Result<(), mainstay_runner::RunnerError> {
//! use mainstay_runner::{Program, Spawner, SpawnerConfig, StepCommand};
//! let spawner = Spawner::start(SpawnerConfig::this_binary(["__spawner"])?)?;
//! let command = StepCommand::new(Program::shell(["echo hello"]), "/work/dir", "/work/log.txt");
//! let mut step = spawner.spawn(command).await?;
//! assert!(step.wait().await?.succeeded());
//! # Ok(()) }
//! ```
//! and in the binary's `__spawner` subcommand, before any thread is started: [`spawner_main`].

mod client;
mod command;
mod error;
mod frame;
mod log;
mod message;
mod spawner;

pub use client::{Handle, Killer, Spawner, SpawnerConfig};
pub use command::{Cause, Exit, Limits, Program, Status, StepCommand};
pub use error::RunnerError;
pub use log::{LogChunk, read_log};
pub use spawner::spawner_main;
