//! One Mainstay, open on its data: stores, policy, the commands of each domain, and what is kept in memory beside them.
//!
//! What serves requests, runs steps and watches endpoints works on a [`Platform`].

pub mod abandoned;
pub mod artifact_places;
pub mod authority;
pub mod clock;
pub mod compactor;
pub mod decisions;
pub mod demonstration;
pub mod endpoint_commands;
pub mod gateway_keys;
pub mod heads;
mod kept_index;
pub mod loop_tx;
mod named_by;
mod open;
pub mod rollout_memo;
pub mod run_index;
mod span_scan;
pub mod sweeper;
pub mod trace_index;

pub use open::{Environment, Platform, checked_address};
