//! An evaluation dataset, without its records.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::digest::Digest;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::MachineTime;
use serde_json::json;

use crate::DatasetId;
use mainstay_core::experiment::ExperimentId;

/// The tag that names who did something.
pub const USER_TAG: &str = "mlflow.user";

/// What is known of a dataset beside tags, experiments and records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationDataset {
    /// The id.
    pub id: DatasetId,
    /// The name; not unique.
    pub name: String,
    /// See [`digest`].
    pub digest: String,
    /// The types of the fields of its records, as JSON text; see [`schema`](super::schema).
    pub schema: Option<String>,
    /// How many records there are, as JSON text; see [`profile`].
    pub profile: Option<String>,
    /// When it was created.
    pub created: MachineTime,
    /// When its records were last merged, or its experiments changed.
    pub updated: MachineTime,
    /// Who created it, as the client says.
    pub created_by: Option<String>,
    /// Who last merged records, as the client says.
    pub updated_by: Option<String>,
}

/// A dataset with its tags and experiments: what readers and commands hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationDatasetDetail {
    /// The dataset.
    pub dataset: EvaluationDataset,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The experiments that it is linked with; they need not exist.
    pub experiments: BTreeSet<ExperimentId>,
}

/// The first eight hexadecimal characters of the SHA-256 of `name:milliseconds`: it tells two states of one
/// dataset apart, and says nothing of the records.
pub fn digest(name: &str, updated: MachineTime) -> String {
    let mut hex = Digest::of(format!("{name}:{}", updated.millis()).as_bytes()).hex();
    hex.truncate(8);
    hex
}

/// The profile of a dataset of so many records; JSON's `null` where none is left.
pub fn profile(records: u64) -> String {
    if records == 0 { "null".to_owned() } else { json!({"num_records": records}).to_string() }
}

/// How the record names an evaluation dataset.
pub fn evaluation_dataset_subject(id: DatasetId) -> Subject {
    Subject::new(ResourceKind::EvaluationDataset, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_a_stock_server() {
        // hashlib.sha256(b"qa:1700000000123").hexdigest()[:8]
        assert_eq!(digest("qa", MachineTime::from_micros(1_700_000_000_123_999)), "1b6441f7");
    }

    #[test]
    fn profiles_count() {
        assert_eq!((profile(3), profile(0)), (r#"{"num_records":3}"#.to_owned(), "null".to_owned()));
    }
}
