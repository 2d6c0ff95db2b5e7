//! The one crate that names DataFusion: scans, imports, expectations and point-in-time joins.
//!
//! Tables come in through [`import`], are judged by [`expectations`], read by [`scan`] and written out
//! by [`export`]. What crosses to other crates is Arrow's `RecordBatch` and the types of
//! `mainstay-data`.

pub mod columns;
mod durable;
pub mod error;
pub mod expectations;
pub mod export;
pub mod features;
pub mod files;
pub mod import;
mod memory;
pub mod scan;
pub mod session;
mod stats;
mod table_writer;
