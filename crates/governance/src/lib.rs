//! Policy decisions, the audit tree, gates and evidence.

pub mod audit;
