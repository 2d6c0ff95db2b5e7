//! The one crate that names DataFusion: scans, imports, expectations and point-in-time joins.

pub mod features;
