//! The tests of the registry that go through its public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod commands;
mod memory;
mod prompt;
mod search;
