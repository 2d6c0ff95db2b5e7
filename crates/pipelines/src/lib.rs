//! Pipelines: definitions in YAML, the durable state machine of their runs, leases and triggers.
//!
//! Rules only: nothing here reads a file, a clock or a database. The promise is precise: *no step is
//! lost; a step has at most one accepted result; it may execute again after a crash only if its
//! completion was not committed*. A worker claims a step and gets a fencing token; whatever it reports
//! counts only under the newest token. Acceptance, the readiness of successors and the events are one
//! transaction; a built-in step makes its effect part of the same one by calling [`engine::accept`]
//! inside its own command.
//!
//! # The way of a run
//!
//! 1. [`definition::Source`] reads the YAML; [`definition::Definition`] is what runs.
//! 2. [`commands::StartRun`] puts run and steps on the record.
//! 3. A worker runs [`commands::ClaimStep`], executes, sends [`commands::Heartbeat`]s, and ends with
//!    [`commands::AcceptStep`], [`commands::FailStep`] or [`commands::ParkStep`].
//! 4. [`commands::ExpireDue`] takes back what crashed workers held, wakes timers and ends approvals.
//!
//! Everything that changes a run goes through [`transition::transition`], a pure function.
//!
//! # Adding a store
//!
//! Implement [`port::PipelineTx`] and [`port::PipelineReader`], and run the suite in `conformance`
//! (feature `conformance`) over them.

pub mod approval;
pub mod cache;
pub mod circumstances;
pub mod commands;
pub mod definition;
pub mod engine;
pub mod expression;
mod lease;
pub mod port;
pub mod refusal;
pub mod reproduction;
pub mod run;
pub mod transition;
pub mod trigger;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;
