//! Governance: who may ([`policy`], [`people`], [`user`], [`token`]), what happened ([`audit`]), what is proven ([`gate`]),
//! and who is told ([`webhook`]).
//!
//! Every change is a command of [`command`]; it writes through [`port::GovernanceTx`] and records one
//! event. The policy, the audit tree, the gate rule and the webhook signature are plain functions and
//! values: they do no I/O and read no clock.

pub mod audit;
pub mod command;
pub mod error;
pub mod gate;
pub mod import;
pub mod people;
pub mod policy;
pub mod port;
pub mod token;
pub mod user;
pub mod webhook;
