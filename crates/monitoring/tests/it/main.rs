//! The crate's figures against independent references, and the properties they promise.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod alarm;
mod draws;
mod drift;
mod gate;
mod maturity;
mod model_reference;
mod performance;
mod profile;
mod reference;
mod sequential;
mod watch;
