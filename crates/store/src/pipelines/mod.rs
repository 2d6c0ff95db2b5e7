//! The pipeline domain's port: definitions, runs, steps, results and approvals.

mod read;
mod write;

use mainstay_core::error::StorageError;
use serde::de::DeserializeOwned;

use crate::value::Row;

/// The documents in the first column of rows.
fn documents<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, StorageError> {
    rows.iter().map(|row| row.json(0)).collect()
}

/// The document in the first column of a row that may be there.
fn document<T: DeserializeOwned>(row: Option<&Row>) -> Result<Option<T>, StorageError> {
    row.map(|row| row.json(0)).transpose()
}
