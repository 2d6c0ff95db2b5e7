//! The tests of traces that go through their public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod index;
mod metrics;
