//! Evaluation datasets that another server kept, brought in whole; as they were there.

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use serde_json::json;

use crate::dataset::{EvaluationDatasetDetail, evaluation_dataset_subject};
use crate::port::EvaluationTx;
use crate::record::DatasetRecord;

/// Adds a dataset with its tags and experiments; its records come by [`put_records`]. Event:
/// `evaluation_dataset.imported`.
pub async fn put_dataset(
    tx: &mut dyn EvaluationTx,
    detail: &EvaluationDatasetDetail,
) -> Result<(), StorageError> {
    let EvaluationDatasetDetail { dataset, tags, experiments } = detail;
    tx.insert_evaluation_dataset(dataset).await?;
    for (key, value) in tags {
        tx.put_evaluation_tag(dataset.id, key, value).await?;
    }
    for experiment in experiments {
        tx.link_evaluation_dataset(dataset.id, *experiment).await?;
    }
    let body = json!({
        "name": dataset.name,
        "digest": dataset.digest,
        "created": dataset.created,
        "updated": dataset.updated,
        "created_by": dataset.created_by,
        "updated_by": dataset.updated_by,
        "tags": tags,
        "experiments": experiments,
    });
    tx.record(Event::new("evaluation_dataset.imported", evaluation_dataset_subject(dataset.id), body));
    Ok(())
}

/// Adds records, those of one dataset side by side. Event: `evaluation_dataset.records_imported`, one for each
/// dataset, with their number and the digest of what they say.
pub async fn put_records(tx: &mut dyn EvaluationTx, records: &[DatasetRecord]) -> Result<(), StorageError> {
    for of_dataset in records.chunk_by(|a, b| a.dataset == b.dataset) {
        let Some(dataset) = of_dataset.first().map(|first| first.dataset) else { continue };
        let mut contents = Vec::new();
        for record in of_dataset {
            tx.insert_evaluation_record(record).await?;
            let content = serde_json::to_vec(&record.content);
            contents.push(content.map_err(|error| StorageError::Failed(error.into()))?);
        }
        let digest = Digest::of_parts(contents.iter().map(Vec::as_slice));
        let body = json!({"records": {"count": of_dataset.len(), "digest": digest}});
        let subject = evaluation_dataset_subject(dataset);
        tx.record(Event::new("evaluation_dataset.records_imported", subject, body));
    }
    Ok(())
}
