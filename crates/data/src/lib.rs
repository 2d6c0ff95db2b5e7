//! Datasets, table versions, schemas and expectations.
//!
//! A [`dataset::Dataset`] is a name with declared types. Each import makes one immutable
//! [`table::TableVersion`] of it: a manifest of Parquet files with digests and statistics, committed
//! with its event by [`commands::CommitTableVersion`]. An [`expectations::Suite`], in Great
//! Expectations' JSON, judges a version from counts that were taken in one pass.
//!
//! Nothing here reads files: the counting and the importing live in `mainstay-query`, the rows behind
//! [`ports::DataTx`] and [`ports::DataReader`] in `mainstay-store`.
//!
//! # Adding an expectation
//!
//! Add a variant to [`expectations::Check`], its keywords to `expectations/suite.rs`, what it counts to
//! `expectations/plan.rs` (or its verdict, if it needs no counts, to `expectations/evaluate.rs`).

pub mod commands;
pub mod dataset;
pub mod dates;
pub mod expectations;
pub mod ports;
pub mod scalar;
pub mod schema;
pub mod table;
pub mod validation;
