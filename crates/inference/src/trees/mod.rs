//! Tree ensembles: `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble`.
//!
//! The attributes of a node ([`attributes`], [`compact`]) become a list of nodes ([`source`]), which
//! is checked and laid out flat ([`ensemble`]); the operators turn sums over leaves into outputs.

mod attributes;
mod classifier;
mod compact;
mod ensemble;
mod regressor;
mod source;

pub(crate) use classifier::build_classifier;
pub(crate) use regressor::{build_ensemble, build_regressor};
