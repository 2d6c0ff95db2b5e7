//! `evaluation_datasets` with `evaluation_dataset_tags` and `entity_associations`, and `evaluation_dataset_records`.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_evaluation::dataset::{EvaluationDataset, EvaluationDatasetDetail};
use mainstay_evaluation::record::{DatasetRecord, RecordContent};
use mainstay_evaluation::{DatasetId, RecordId};
use mainstay_store::params;
use mainstay_store::value::Row;
use mainstay_tracking::experiment::ExperimentId;
use serde_json::Value;

use super::{Page, Stock, has_nul, instant};
use crate::error::ImportError;
use crate::finding::Finding;

const PAGE: u64 = 200;
const ROWS: &str = "SELECT dataset_id, name, digest, schema, profile, created_time, last_update_time, created_by, \
    last_updated_by FROM evaluation_datasets WHERE workspace = $1 AND dataset_id > $2 ORDER BY dataset_id LIMIT $3";
const TAGS: &str = "SELECT dataset_id, key, value FROM evaluation_dataset_tags \
    WHERE dataset_id > $1 AND dataset_id <= $2 ORDER BY dataset_id, key";
const LINKS: &str = "SELECT source_id, destination_id FROM entity_associations \
    WHERE source_type = 'evaluation_dataset' AND destination_type = 'experiment' \
    AND source_id > $1 AND source_id <= $2";
const RECORDS: &str = "SELECT r.dataset_id, COALESCE(r.created_time, 0), r.dataset_record_id, \
    CAST(r.inputs AS TEXT), CAST(r.outputs AS TEXT), CAST(r.expectations AS TEXT), CAST(r.tags AS TEXT), \
    CAST(r.source AS TEXT), r.last_update_time, r.created_by, r.last_updated_by, r.input_hash \
    FROM evaluation_dataset_records r JOIN evaluation_datasets d ON d.dataset_id = r.dataset_id \
    WHERE d.workspace = $1 AND (r.dataset_id, COALESCE(r.created_time, 0), r.dataset_record_id) > ($2, $3, $4) \
    ORDER BY r.dataset_id, COALESCE(r.created_time, 0), r.dataset_record_id LIMIT $5";
/// Where a stock server puts outputs, which may be no object (`DATASET_RECORD_WRAPPED_OUTPUT_KEY`).
const WRAPPED: &str = "mlflow_wrapped";

/// Datasets, and the id of the last.
pub type Datasets = Page<EvaluationDatasetDetail, String>;
/// Records, and dataset, creation and id of the last.
pub type Records = Page<DatasetRecord, (String, i64, String)>;

impl Stock {
    /// The evaluation datasets of a workspace behind the one of that id.
    pub async fn datasets(
        &mut self,
        workspace: &Name,
        after: Option<String>,
    ) -> Result<Datasets, ImportError> {
        let after = after.unwrap_or_default();
        let rows = self.query(ROWS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(Page::end()) };
        let last = last.text(0).map_err(ImportError::Source)?.to_owned();
        let tags = self.query(TAGS, params![&after, &last]).await?;
        let links = self.query(LINKS, params![&after, &last]).await?;
        datasets(&rows, &tags, &links, last).map_err(ImportError::Source)
    }

    /// The records of all evaluation datasets of a workspace behind one.
    pub async fn records(
        &mut self,
        workspace: &Name,
        after: Option<(String, i64, String)>,
    ) -> Result<Records, ImportError> {
        let (dataset, created, record) = after.unwrap_or((String::new(), i64::MIN, String::new()));
        let key = params![workspace.as_str(), &dataset, created, &record, PAGE];
        let rows = self.query(RECORDS, key).await?;
        records(&rows).map_err(ImportError::Source)
    }
}

fn datasets(rows: &[Row], tags: &[Row], links: &[Row], last: String) -> Result<Datasets, StorageError> {
    let (mut found, mut findings) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let id = row.text(0)?;
        if let Some(dataset) = dataset(row)? {
            let (tags, experiments) = (BTreeMap::new(), BTreeSet::new());
            found.insert(id.to_owned(), EvaluationDatasetDetail { dataset, tags, experiments });
        } else {
            let reason = "its id is not d- and 32 hexadecimal characters, or a text holds U+0000";
            findings.push(Finding::new(format!("evaluation dataset {id:?}"), reason));
        }
    }
    for row in tags {
        let (id, key, value) = (row.text(0)?, row.text(1)?, row.opt_text(2)?.unwrap_or_default());
        let Some(detail) = found.get_mut(id) else { continue };
        if has_nul(&[key, value]) {
            findings.push(Finding::new(format!("tag {key:?} of evaluation dataset {id}"), "it holds U+0000"));
        } else {
            detail.tags.insert(key.to_owned(), value.to_owned());
        }
    }
    for row in links {
        let (id, experiment) = (row.text(0)?, row.text(1)?);
        let Some(detail) = found.get_mut(id) else { continue };
        match ExperimentId::parse(experiment) {
            Ok(experiment) => drop(detail.experiments.insert(experiment)),
            Err(error) => {
                findings.push(Finding::new(
                    format!("experiment {experiment:?} of evaluation dataset {id}"),
                    error,
                ));
            }
        }
    }
    Ok(Page { items: found.into_values().collect(), findings, last: Some(last) })
}

fn dataset(row: &Row) -> Result<Option<EvaluationDataset>, StorageError> {
    let text = |column| row.opt_text(column).map(|text| text.map(str::to_owned));
    let (schema, profile, created_by, updated_by) = (text(3)?, text(4)?, text(7)?, text(8)?);
    let optional =
        [&schema, &profile, &created_by, &updated_by].map(|text| text.as_deref().unwrap_or_default());
    let (created, updated) = (row.opt_int(5)?, row.opt_int(6)?);
    let whole = (row.text(0)?.parse().ok(), instant(created), instant(updated.or(created)));
    let (Some(id), Some(created), Some(updated)) = whole else { return Ok(None) };
    let (name, digest) = (row.text(1)?.to_owned(), row.opt_text(2)?.unwrap_or_default().to_owned());
    if has_nul(&optional) || has_nul(&[&name, &digest]) {
        return Ok(None);
    }
    Ok(Some(EvaluationDataset {
        id,
        name,
        digest,
        schema,
        profile,
        created,
        updated,
        created_by,
        updated_by,
    }))
}

fn records(rows: &[Row]) -> Result<Records, StorageError> {
    let (mut items, mut findings, mut last) = (Vec::new(), Vec::new(), None);
    for row in rows {
        last = Some((row.text(0)?.to_owned(), row.int(1)?, row.text(2)?.to_owned()));
        if let Some(record) = record(row)? {
            items.push(record);
        } else {
            let of = format!("record {:?} of evaluation dataset {:?}", row.text(2)?, row.text(0)?);
            findings.push(Finding::new(of, "its ids or what it says cannot be read"));
        }
    }
    Ok(Page { items, findings, last })
}

fn record(row: &Row) -> Result<Option<DatasetRecord>, StorageError> {
    let json = |column| -> Result<Option<Value>, StorageError> {
        let value = row.opt_text(column)?.map(|text| serde_json::from_str(text).unwrap_or(Value::Null));
        Ok(value.filter(|value: &Value| !value.is_null()))
    };
    let text = |column| row.opt_text(column).map(|text| text.map(str::to_owned));
    let outputs = json(4)?.and_then(|mut wrapped| wrapped.get_mut(WRAPPED).map(Value::take));
    let content = (|| {
        Some(RecordContent {
            inputs: serde_json::from_value(json(3).ok()??).ok()?,
            outputs: outputs.filter(|outputs| !outputs.is_null()),
            expectations: json(5).ok()?.map(serde_json::from_value).transpose().ok()?,
            tags: json(6).ok()?.map(serde_json::from_value).transpose().ok()?.unwrap_or_default(),
            source: json(7).ok()?.map(serde_json::from_value).transpose().ok()?,
            created_by: text(9).ok()?,
            updated_by: text(10).ok()?,
        })
    })();
    let created = Some(row.int(1)?);
    let mut identity = [0; 32];
    let is_hash = hex::decode_to_slice(row.text(11)?, &mut identity).is_ok();
    let ids = (row.text(2)?.parse::<RecordId>(), row.text(0)?.parse::<DatasetId>());
    let (Some(content), (Ok(id), Ok(dataset)), true) = (content, ids, is_hash) else { return Ok(None) };
    let (Some(created), Some(updated)) = (instant(created), instant(row.opt_int(8)?.or(created))) else {
        return Ok(None);
    };
    Ok(Some(DatasetRecord { id, dataset, identity: Digest::from_bytes(identity), content, created, updated }))
}
