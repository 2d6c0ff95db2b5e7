//! Merging and deleting the records of an evaluation dataset.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::Scope;
use serde_json::json;

use super::{at_most, known};
use crate::dataset::{EvaluationDatasetDetail, USER_TAG, digest, evaluation_dataset_subject, profile};
use crate::error::EvaluationError;
use crate::port::EvaluationTx;
use crate::record::{DatasetRecord, NewRecord};
use crate::{DatasetId, RecordId, schema};
use mainstay_core::text::free_text;

/// Most records that are merged or deleted in one call: they go into one transaction.
pub const MAX_RECORDS: usize = 20_000;
/// Most that one record says, as JSON, in bytes: merging adds to it call by call.
const MAX_CONTENT: usize = 4 << 20;

async fn existing(
    tx: &mut dyn EvaluationTx,
    id: DatasetId,
) -> Result<EvaluationDatasetDetail, EvaluationError> {
    let found = known(tx, id).await?;
    found.ok_or_else(|| EvaluationError::NoDataset(id.to_string()))
}

/// A record that was sent, with the id that it gets if it is new.
#[derive(Debug, Clone)]
struct Sent {
    id: RecordId,
    identity: Digest,
    record: NewRecord,
}

/// Adds records to a dataset, or merges them into those of the same inputs. A record that comes twice in one
/// call is merged into the first. Event: `evaluation_dataset.records_merged`, with a digest of what they say
/// now.
#[derive(Debug, Clone)]
pub struct MergeRecords {
    workspace: Name,
    dataset: DatasetId,
    sent: Vec<Sent>,
}

/// What became of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// How many were new.
    pub inserted: usize,
    /// How many were merged into one that was there.
    pub updated: usize,
}

impl MergeRecords {
    /// Checks the number of the records and who sends them, and draws their ids.
    pub fn new(
        workspace: Name,
        dataset: DatasetId,
        records: Vec<NewRecord>,
        entropy: &dyn Entropy,
    ) -> Result<Self, EvaluationError> {
        let sent =
            |record: NewRecord| Sent { id: RecordId::draw(entropy), identity: record.identity(), record };
        let records = at_most("records", records, MAX_RECORDS)?;
        for user in records.iter().filter_map(NewRecord::user) {
            free_text(USER_TAG, user.to_owned())?;
        }
        Ok(Self { workspace, dataset, sent: records.into_iter().map(sent).collect() })
    }

    fn records(&self) -> impl Iterator<Item = &NewRecord> {
        self.sent.iter().map(|sent| &sent.record)
    }
}

#[async_trait]
impl Command for MergeRecords {
    type Tx = dyn EvaluationTx;
    type Out = Merged;
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.dataset))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Merged, EvaluationError> {
        let mut dataset = existing(tx, self.dataset).await?.dataset;
        let now = tx.now();
        let identities: BTreeSet<Digest> = self.sent.iter().map(|sent| sent.identity).collect();
        let identities: Vec<Digest> = identities.into_iter().collect();
        let earlier = tx.evaluation_records(self.dataset, &identities).await?;
        let mut records: BTreeMap<Digest, (DatasetRecord, bool)> =
            earlier.into_iter().map(|record| (record.identity, (record, false))).collect();
        let mut inserted = 0;
        for Sent { id, identity, record } in &self.sent {
            if let Some((known, _)) = records.get_mut(identity) {
                known.merge(record, now);
            } else {
                let new = DatasetRecord::new(*id, self.dataset, *identity, record, now);
                records.insert(*identity, (new, true));
                inserted += 1;
            }
        }
        let mut content = Vec::with_capacity(records.len());
        for (record, is_new) in records.values() {
            let said = json!([record.id.to_string(), record.content]).to_string();
            if said.len() > MAX_CONTENT {
                return Err(EvaluationError::LongRecord { limit: MAX_CONTENT });
            }
            if *is_new {
                tx.insert_evaluation_record(record).await?;
            } else {
                tx.update_evaluation_record(record).await?;
            }
            content.push(Digest::of(said.as_bytes()));
        }
        dataset.updated = now;
        dataset.updated_by = self.records().filter_map(NewRecord::user).last().map(str::to_owned);
        dataset.digest = digest(&dataset.name, now);
        dataset.schema = schema::extended(dataset.schema.as_deref(), self.records());
        let count = tx.count_evaluation_records(self.dataset).await?;
        if count > 0 {
            dataset.profile = Some(profile(count));
        }
        tx.update_evaluation_dataset(&dataset).await?;
        let merged = Merged { inserted, updated: self.sent.len() - inserted };
        let body = json!({
            "inserted": merged.inserted,
            "updated": merged.updated,
            "records": count,
            "content": Digest::of_parts(content.iter().map(|digest| &digest.as_bytes()[..])),
        });
        let subject = evaluation_dataset_subject(self.dataset);
        tx.record(Event::new("evaluation_dataset.records_merged", subject, body));
        Ok(merged)
    }
}

/// Deletes records of a dataset, and says how many there were. Event: `evaluation_dataset.records_deleted`,
/// if one was there.
#[derive(Debug, Clone)]
pub struct DeleteRecords {
    workspace: Name,
    dataset: DatasetId,
    records: BTreeSet<RecordId>,
}

impl DeleteRecords {
    /// Checks their number.
    pub fn new(workspace: Name, dataset: DatasetId, records: Vec<RecordId>) -> Result<Self, EvaluationError> {
        let records = at_most("records", records, MAX_RECORDS)?.into_iter().collect();
        Ok(Self { workspace, dataset, records })
    }
}

#[async_trait]
impl Command for DeleteRecords {
    type Tx = dyn EvaluationTx;
    type Out = usize;
    type Error = EvaluationError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), evaluation_dataset_subject(self.dataset))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<usize, EvaluationError> {
        let Some(EvaluationDatasetDetail { mut dataset, .. }) = known(tx, self.dataset).await? else {
            return Ok(0);
        };
        let mut deleted = Vec::new();
        for record in &self.records {
            if tx.delete_evaluation_record(self.dataset, *record).await? {
                deleted.push(record.to_string());
            }
        }
        if deleted.is_empty() {
            return Ok(0);
        }
        let count = tx.count_evaluation_records(self.dataset).await?;
        dataset.profile = Some(profile(count));
        tx.update_evaluation_dataset(&dataset).await?;
        let body = json!({
            "deleted": deleted.len(),
            "records": count,
            "ids": Digest::of_parts(deleted.iter().map(String::as_bytes)),
        });
        let subject = evaluation_dataset_subject(self.dataset);
        tx.record(Event::new("evaluation_dataset.records_deleted", subject, body));
        Ok(deleted.len())
    }
}
