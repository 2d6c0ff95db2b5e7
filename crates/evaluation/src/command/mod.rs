//! The changes that evaluation knows.

mod dataset;
mod record;

pub use dataset::{
    CreateEvaluationDataset, DeleteEvaluationDataset, LinkEvaluationDataset, TagEvaluationDataset,
    UnlinkEvaluationDataset, UntagEvaluationDataset,
};
pub use record::{DeleteRecords, MAX_RECORDS, MergeRecords, Merged};

use mainstay_core::scope::ResourceKind;

use super::DatasetId;
use super::dataset::EvaluationDatasetDetail;
use super::error::EvaluationError;
use super::port::EvaluationTx;
use mainstay_core::experiment::ExperimentId;

/// The first of some experiments to which the caller may not do what this command does.
fn closed<'a>(
    tx: &dyn EvaluationTx,
    experiments: impl IntoIterator<Item = &'a ExperimentId>,
) -> Option<ExperimentId> {
    experiments.into_iter().find(|id| !tx.admits(ResourceKind::Experiment, id)).copied()
}

/// The dataset, if the caller may do to all its experiments what this command does: a level on one of them is none
/// on what the others share. A dataset of no experiment is for those who may do it to all there are.
async fn known(
    tx: &mut dyn EvaluationTx,
    id: DatasetId,
) -> Result<Option<EvaluationDatasetDetail>, EvaluationError> {
    let found = tx.evaluation_dataset(id).await?;
    Ok(found.filter(|detail| closed(tx, &detail.experiments).is_none()))
}

/// The items, if they are not too many for one call.
fn at_most<T>(what: &'static str, items: Vec<T>, limit: usize) -> Result<Vec<T>, EvaluationError> {
    match items.len() {
        got if got > limit => Err(EvaluationError::TooMany { what, limit, got }),
        _ => Ok(items),
    }
}
