//! Watching endpoints: the prediction and label logs are folded, what is found goes on the record, and
//! what a rollout or a retraining policy demands is set going.
//!
//! All statistics and all rules are the domains' (`monitoring::watch`, `serving::rollout`); here logs are
//! read, commands are run, and it is remembered how far the fold has come. The fold is a function of the
//! logs alone, so a server that was killed finds the same things again, and every command that follows
//! from a finding is idempotent by the finding's key.

#[cfg(test)]
mod alike;
#[cfg(test)]
mod carried;
mod convert;
mod endpoint;
mod keeper;
mod retraining;
mod tail;

pub use keeper::WatchKeeper;
