//! The tests of governance that go through its public interface.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on shall fail")]

mod audit_log;
mod commands;
mod cost;
mod decisions;
