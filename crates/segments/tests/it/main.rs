//! The log through its public interface: what it promises while all goes well, and when it does not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod damage;
mod full;
mod kill;
mod life;
mod scratch;
