//! The pipeline domain's port: definitions, runs, steps, results and approvals.

mod read;
mod write;
