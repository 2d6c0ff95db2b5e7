//! The stores' stories, told on both databases.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test a failure is a panic, and says what was skipped"
)]

mod commit;
mod data;
mod databases;
mod evaluation;
mod gateway;
mod heads;
mod issues;
mod monitoring;
mod outage;
mod people;
mod pipelines;
mod projection;
mod purges;
mod quotas;
mod registry;
mod retention;
mod scorers;
mod searches;
mod series;
mod syncs;
mod traces;
mod tracking;
mod webhooks;
mod writer;
