//! The changes that evaluation knows.

mod dataset;
mod record;

pub use dataset::{
    CreateEvaluationDataset, DeleteEvaluationDataset, LinkEvaluationDataset, TagEvaluationDataset,
    UnlinkEvaluationDataset, UntagEvaluationDataset,
};
pub use record::{DeleteRecords, MAX_RECORDS, MergeRecords, Merged};

use super::error::EvaluationError;

/// The items, if they are not too many for one call.
fn at_most<T>(what: &'static str, items: Vec<T>, limit: usize) -> Result<Vec<T>, EvaluationError> {
    match items.len() {
        got if got > limit => Err(EvaluationError::TooMany { what, limit, got }),
        _ => Ok(items),
    }
}
