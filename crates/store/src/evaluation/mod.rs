//! The port of evaluation: datasets of records. What a record says is one JSON document.

mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::error::StorageError;
use mainstay_core::time::MachineTime;
use mainstay_evaluation::DatasetId;
use mainstay_evaluation::dataset::{EvaluationDataset, EvaluationDatasetDetail};
use mainstay_evaluation::record::DatasetRecord;
use mainstay_tracking::experiment::ExperimentId;

use crate::value::Row;

/// `id, name, digest, schema, profile, created, updated, created_by, updated_by`.
fn dataset(row: &Row) -> Result<EvaluationDataset, StorageError> {
    Ok(EvaluationDataset {
        id: row.parsed(0)?,
        name: row.text(1)?.to_owned(),
        digest: row.text(2)?.to_owned(),
        schema: row.opt_text(3)?.map(str::to_owned),
        profile: row.opt_text(4)?.map(str::to_owned),
        created: MachineTime::from_micros(row.int(5)?),
        updated: MachineTime::from_micros(row.int(6)?),
        created_by: row.opt_text(7)?.map(str::to_owned),
        updated_by: row.opt_text(8)?.map(str::to_owned),
    })
}

/// `id, dataset, identity, content, created, updated`.
fn record(row: &Row) -> Result<DatasetRecord, StorageError> {
    Ok(DatasetRecord {
        id: row.parsed(0)?,
        dataset: row.parsed(1)?,
        identity: row.parsed(2)?,
        content: row.json(3)?,
        created: MachineTime::from_micros(row.int(4)?),
        updated: MachineTime::from_micros(row.int(5)?),
    })
}

/// Datasets with their tags (`dataset, key, value`) and links (`dataset, experiment`).
fn details(
    datasets: &[Row],
    tags: &[Row],
    links: &[Row],
) -> Result<Vec<EvaluationDatasetDetail>, StorageError> {
    let mut tags_of: BTreeMap<DatasetId, BTreeMap<String, String>> = BTreeMap::new();
    for row in tags {
        let of_dataset = tags_of.entry(row.parsed(0)?).or_default();
        of_dataset.insert(row.text(1)?.to_owned(), row.text(2)?.to_owned());
    }
    let mut links_of: BTreeMap<DatasetId, BTreeSet<ExperimentId>> = BTreeMap::new();
    for row in links {
        links_of.entry(row.parsed(0)?).or_default().insert(ExperimentId(row.count(1)?));
    }
    let detail = |row| {
        let dataset = dataset(row)?;
        Ok(EvaluationDatasetDetail {
            tags: tags_of.remove(&dataset.id).unwrap_or_default(),
            experiments: links_of.remove(&dataset.id).unwrap_or_default(),
            dataset,
        })
    };
    datasets.iter().map(detail).collect()
}

/// One dataset of a workspace, and what hangs on it.
const DATASET: &str = "SELECT id, name, digest, schema, profile, created, updated, created_by, updated_by \
    FROM evaluation_datasets WHERE id = $1 AND workspace = $2";
const TAGS: &str = "SELECT dataset, key, value FROM evaluation_dataset_tags WHERE dataset = $1";
const LINKS: &str = "SELECT dataset, experiment FROM evaluation_dataset_experiments WHERE dataset = $1";
