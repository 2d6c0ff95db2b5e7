//! Registered models, their versions, aliases and stages, with the semantics that `MLflow` clients
//! expect (`mlflow/store/model_registry/sqlalchemy_store.py` of 3.17), and one rule more: an alias
//! that an endpoint follows moves only to a version whose gates have passed.
//!
//! # How a write goes
//!
//! Every change is a command of [`command`]: it reads and writes through [`port::RegistryTx`] and
//! records one event. A protocol that moves an alias tries the free way ([`command::SetAlias`], action
//! `model.write`) and, where an endpoint follows the alias, the guarded one ([`command::PromoteAlias`],
//! action `model.promote`) together with the endpoint's revision.
//!
//! # How a read goes
//!
//! [`port::RegistryReader`] hands out whole models and versions; [`search`] parses `MLflow`'s filter
//! and order texts, and evaluates them over what the reader gave.
//!
//! # Adding a field
//!
//! Add it to [`model::Model`] or [`model::ModelVersion`], write it in the command that sets it and in
//! that command's event, then in the store's row.

pub mod command;
pub mod error;
pub mod import;
pub mod model;
pub mod name;
pub mod port;
pub mod prompt;
pub mod search;
