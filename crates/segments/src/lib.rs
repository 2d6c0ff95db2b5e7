//! The predictor's local state: checksummed prediction logs and the online feature store.
//!
//! The serving path needs no database: it reads features from a local store and appends predictions
//! to a local [`log`]. Nothing here knows SQL.

pub mod log;
pub mod online;
