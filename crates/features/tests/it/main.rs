//! The definitions file and the commands, through the public interface.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod command;
mod definition;
