//! The tables that follow from the events alone: what decides who may do what, and what serves.
//!
//! [`replay`](replay::replay) reads the log from its first event and builds the rows that these tables
//! must hold; [`compare`] names where they differ; [`rebuild`] deletes the tables and writes them anew.
//! All rows are held in memory meanwhile: these tables grow with decisions, not with data.
//!
//! # Adding a table
//!
//! 1. The events of the commands that write it must tell the whole row.
//! 2. Describe it in [`tables`], and say in [`rules`] what each kind of event does to it.
//! 3. Add a changed cell of it to `tests/it/projection.rs`.

mod compare;
mod rebuild;
mod replay;
mod rules;
mod tables;

pub(crate) use self::compare::dump;
