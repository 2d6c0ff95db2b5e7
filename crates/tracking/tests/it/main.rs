//! The tests of tracking that go through its public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod commands;
mod experiments;
mod fuzzed;
mod memory;
mod scale;
mod search_property;
mod search_reference;
