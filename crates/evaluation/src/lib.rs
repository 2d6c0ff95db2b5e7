//! What answers are judged by, as `MLflow`'s `mlflow.genai` keeps it: evaluation datasets, and [scorers](scorer).
//!
//! A dataset is a named list of records, each of them known by its inputs. What a record says twice is merged, never
//! stored twice.
//!
//! Semantics are those of `mlflow/store/tracking/sqlalchemy_store.py` of 3.18. What is told to the client as
//! text (schema, profile, digest) is computed here, by pure functions.

pub mod command;
pub mod dataset;
pub mod error;
mod id;
pub mod import;
pub mod issue;
pub mod port;
mod python_json;
pub mod record;
pub mod schema;
pub mod scorer;
pub mod search;

pub use id::{DatasetId, RecordId};
