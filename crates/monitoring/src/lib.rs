//! Profiles, drift and sequential tests, performance with late labels, gates and alarm rules.
//!
//! Pure rules and statistics, no I/O: rows, counts, labels and random numbers come in, figures and
//! verdicts go out. Every figure has one definition, stated at its function with its source, and a
//! test against an independent reference.

pub mod alarm;
pub mod drift;
pub mod gate;
pub mod maturity;
pub mod performance;
pub mod profile;
pub mod quantile;
pub mod sequential;
