//! Configuration, assembly, background tasks and shutdown: the one place where the parts of Mainstay
//! meet. The binary `mainstay` is [`cli::main`].

mod abandoned;
pub mod authority;
pub mod cli;
mod client;
pub mod clock;
pub mod endpoint_commands;
pub mod engine;
mod exit;
pub mod heads;
pub mod loop_tx;
pub mod platform;
pub mod run_index;
mod running;
pub mod serve;
pub mod steps;
mod terminal;
pub mod trace_index;
pub mod triggers;
pub mod watch;

pub use exit::Exit;
pub use mainstay_core::failed::Failed;
