//! Configuration, assembly, background tasks and shutdown: the one place where the parts of Mainstay
//! meet. The binary `mainstay` is [`cli::main`].

pub mod cli;
mod client;
pub mod engine;
mod exit;
mod running;
pub mod serve;
mod terminal;
pub mod triggers;
mod unfinished;
pub mod watch;

pub use exit::Exit;
pub use mainstay_core::failed::Failed;
