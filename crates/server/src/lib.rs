//! Configuration, assembly, background tasks and shutdown: the one place where the parts of Mainstay
//! meet. The binary `mainstay` is [`cli::main`].

pub mod cli;
pub mod engine;
mod here;
mod mapped;
mod running;
pub mod serve;
pub mod triggers;
mod unfinished;
pub mod watch;

pub use mainstay_cli::Exit;
use mainstay_cli::terminal;
pub use mainstay_core::failed::Failed;
