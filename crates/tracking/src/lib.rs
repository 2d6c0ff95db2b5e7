//! Experiments, runs, metrics, parameters, tags, inputs and logged models, with the semantics that
//! `MLflow` clients expect (`mlflow/store/tracking/sqlalchemy_store.py` of 3.17), stored otherwise:
//! metric points in append-only [`block`]s, decimated ahead of time into [`series`], run summaries in a column-wise
//! [`index`].
//!
//! # How a write goes
//!
//! A protocol makes checked values ([`text::Pair`], [`batch::Batch`], …), builds a command of
//! [`command`], and runs it. A batch of metrics, parameters and tags is one command: it is logged
//! whole or not at all. Each command records one event, which holds all that the index needs.
//!
//! # How a read goes
//!
//! [`port::TrackingReader`] hands out whole experiments and runs; searches over runs go through the
//! [`index::RunIndex`], which follows the log of events, with the language of [`search`].
//!
//! # Adding a searchable attribute
//!
//! Add it to [`run::Run`], give it a column in [`index`], and name it in `search::run`.

pub mod batch;
pub mod block;
pub mod command;
mod encoding;
pub mod error;
pub mod experiment;
pub mod import;
pub mod index;
pub mod input;
pub mod logged_model;
pub mod metric;
pub mod port;
pub mod run;
pub mod run_name;
pub mod saved_view;
pub mod search;
pub mod series;
pub mod text;
