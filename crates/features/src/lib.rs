//! Entities, feature views, feature services, and the one rule that says which feature value a moment
//! may see.
//!
//! * [`definition`]: the definitions file (YAML) and its canonical digest.
//! * [`rule`]: the point-in-time rule, in words and as a slow, obviously right function.
//! * [`window`]: windowed aggregates as exact step functions.
//! * [`online`]: what travels to the online store: keys, values, packed rows, and how a row answers.
//! * [`plan`]: which rows a materialisation has to carry.
//! * [`command`] and [`port`]: what is recorded about definitions and materialisations.
//!
//! Nothing here performs I/O, and SQL expressions in definitions are text that only the query layer
//! reads.
//!
//! # Adding an aggregate function
//!
//! Add a variant to [`definition::Function`], give it a default dtype there, and an arm to the fold in
//! [`window`]; the property test of that module needs its slow counterpart.

pub mod command;
pub mod definition;
pub mod online;
pub mod plan;
pub mod port;
pub mod rule;
pub mod span;
pub mod window;
