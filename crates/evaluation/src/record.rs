//! Records: what a scorer is asked, and what it should find.

use std::str::FromStr;

use mainstay_core::digest::Digest;
use mainstay_core::text::clip;
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::dataset::USER_TAG;
use crate::error::EvaluationError;
use crate::{DatasetId, RecordId, python_json};

/// A JSON object.
pub type Object = Map<String, Value>;

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SourceType {
    /// Nothing was said.
    Unspecified,
    /// From a trace.
    Trace,
    /// A person wrote it.
    Human,
    /// From a document.
    Document,
    /// A program made it.
    Code,
}

impl SourceType {
    /// Every type.
    const ALL: [Self; 5] = [Self::Unspecified, Self::Trace, Self::Human, Self::Document, Self::Code];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Trace => "TRACE",
            Self::Human => "HUMAN",
            Self::Document => "DOCUMENT",
            Self::Code => "CODE",
        }
    }
}

impl FromStr for SourceType {
    type Err = EvaluationError;

    /// Reads a name, in any case.
    fn from_str(text: &str) -> Result<Self, EvaluationError> {
        let upper = text.to_uppercase();
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == upper);
        known.ok_or_else(|| EvaluationError::SourceType(clip(&upper)))
    }
}

/// Where a record comes from, in detail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordSource {
    /// From what kind of thing.
    pub source_type: SourceType,
    /// From which one.
    pub source_data: Object,
}

impl RecordSource {
    /// The id of the trace, or of what else it is.
    pub fn id(&self) -> Option<&str> {
        let key = if self.source_type == SourceType::Trace { "trace_id" } else { "source_id" };
        self.source_data.get(key).and_then(Value::as_str)
    }
}

/// A record as it is sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewRecord {
    /// What is asked; by this it is known.
    pub inputs: Object,
    /// What was answered. `None`: nothing is said of it; a JSON null: there is none.
    pub outputs: Option<Value>,
    /// What should be answered.
    pub expectations: Option<Object>,
    /// Free tags.
    pub tags: Object,
    /// Where it comes from.
    pub source: Option<RecordSource>,
}

impl NewRecord {
    /// Who sends it, as its tags say.
    pub fn user(&self) -> Option<&str> {
        self.tags.get(USER_TAG).and_then(Value::as_str)
    }

    /// What makes two records the same: the SHA-256 of the inputs, as Python writes them with sorted keys.
    pub fn identity(&self) -> Digest {
        Digest::of(python_json::sorted(&self.inputs).as_bytes())
    }
}

/// What a stored record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordContent {
    /// What is asked.
    pub inputs: Object,
    /// What was answered.
    pub outputs: Option<Value>,
    /// What should be answered.
    pub expectations: Option<Object>,
    /// Free tags.
    pub tags: Object,
    /// Where it comes from.
    pub source: Option<RecordSource>,
    /// Who sent it first.
    pub created_by: Option<String>,
    /// Who sent it last.
    pub updated_by: Option<String>,
}

/// A record of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetRecord {
    /// The id.
    pub id: RecordId,
    /// Of which dataset.
    pub dataset: DatasetId,
    /// See [`NewRecord::identity`]; one record of a dataset has it.
    pub identity: Digest,
    /// What it says.
    pub content: RecordContent,
    /// When it came first.
    pub created: MachineTime,
    /// When it came last.
    pub updated: MachineTime,
}

impl DatasetRecord {
    /// A record that the dataset did not have.
    pub fn new(
        id: RecordId,
        dataset: DatasetId,
        identity: Digest,
        new: &NewRecord,
        now: MachineTime,
    ) -> Self {
        let user = new.user().map(str::to_owned);
        let outputs = new.outputs.clone().unwrap_or_else(|| Value::Object(Object::new()));
        let content = RecordContent {
            inputs: new.inputs.clone(),
            outputs: Some(outputs).filter(|outputs| !outputs.is_null()),
            expectations: new.expectations.clone(),
            tags: new.tags.clone(),
            source: new.source.clone(),
            created_by: user.clone(),
            updated_by: user,
        };
        Self { id, dataset, identity, content, created: now, updated: now }
    }

    /// Takes over what is new: outputs are replaced where something is said of them, expectations and tags
    /// key by key. Inputs, source and creation stay.
    pub fn merge(&mut self, new: &NewRecord, now: MachineTime) {
        let content = &mut self.content;
        if let Some(outputs) = &new.outputs {
            content.outputs = Some(outputs.clone()).filter(|outputs| !outputs.is_null());
        }
        if let Some(new) = new.expectations.as_ref().filter(|new| !new.is_empty()) {
            content.expectations.get_or_insert_default().extend(new.clone());
        }
        content.tags.extend(new.tags.clone());
        if let Some(user) = new.user() {
            content.updated_by = Some(user.to_owned());
        }
        self.updated = now;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => panic!("{other} is no object"),
        }
    }

    fn new(inputs: Value) -> NewRecord {
        NewRecord { inputs: object(inputs), ..NewRecord::default() }
    }

    fn stored(new: &NewRecord) -> DatasetRecord {
        let (id, dataset) = (RecordId::from_bytes([1; 16]), DatasetId::from_bytes([2; 16]));
        DatasetRecord::new(id, dataset, new.identity(), new, MachineTime::from_micros(5))
    }

    #[test]
    fn records_are_the_same_if_their_inputs_are() {
        // hashlib.sha256(json.dumps({"a": 1, "b": "é"}, sort_keys=True).encode()).hexdigest()
        let known = "fb0782fb7a8a00c6a46d1f2aadc5c94b9df08eba809089335da3acdf393c7c13";
        assert_eq!(new(json!({"b": "é", "a": 1})).identity().hex(), known);
        assert_ne!(new(json!({"a": 1})).identity(), new(json!({"a": 1.0})).identity());
        assert_ne!(new(json!({"a": 1})).identity(), new(json!({"a": true})).identity());
        let with_outputs = NewRecord { outputs: Some(json!(1)), ..new(json!({"a": 1})) };
        assert_eq!(with_outputs.identity(), new(json!({"a": 1})).identity());
    }

    #[test]
    fn a_new_record_has_empty_outputs_unless_it_has_none() {
        assert_eq!(stored(&new(json!({}))).content.outputs, Some(json!({})));
        let none = NewRecord { outputs: Some(Value::Null), ..new(json!({})) };
        assert_eq!(stored(&none).content.outputs, None);
        let text = NewRecord { outputs: Some(json!("yes")), ..new(json!({})) };
        assert_eq!(stored(&text).content.outputs, Some(json!("yes")));
    }

    #[test]
    fn merging_replaces_outputs_and_updates_the_rest() {
        let first = NewRecord {
            outputs: Some(json!({"a": 1})),
            expectations: Some(object(json!({"x": 1, "y": {"deep": 1}}))),
            tags: object(json!({"t": "1", "mlflow.user": "ann"})),
            ..new(json!({"q": 1}))
        };
        let mut record = stored(&first);
        let later = MachineTime::from_micros(9);
        record.merge(&NewRecord { expectations: Some(Object::new()), ..new(json!({"q": 1})) }, later);
        assert_eq!(record.content, stored(&first).content);
        assert_eq!((record.created.micros(), record.updated.micros()), (5, 9));

        let second = NewRecord {
            outputs: Some(Value::Null),
            expectations: Some(object(json!({"y": {"other": 2}}))),
            tags: object(json!({"mlflow.user": "bob"})),
            source: Some(RecordSource { source_type: SourceType::Human, source_data: Object::new() }),
            ..new(json!({"q": 1}))
        };
        record.merge(&second, later);
        let content = &record.content;
        assert_eq!((&content.outputs, &content.source), (&None, &None));
        assert_eq!(content.expectations, Some(object(json!({"x": 1, "y": {"other": 2}}))));
        assert_eq!(content.tags, object(json!({"t": "1", "mlflow.user": "bob"})));
        assert_eq!(
            (content.created_by.as_deref(), content.updated_by.as_deref()),
            (Some("ann"), Some("bob"))
        );
    }

    #[test]
    fn sources_are_named_in_any_case_and_know_their_id() {
        assert_eq!("trace".parse::<SourceType>().unwrap(), SourceType::Trace);
        let wrong = "Blog".parse::<SourceType>().unwrap_err().to_string();
        assert!(
            wrong.starts_with("Invalid dataset record source type: BLOG. Valid source types: ["),
            "{wrong}"
        );
        let data = object(json!({"trace_id": "tr-1", "source_id": "s-1"}));
        let source = |source_type| RecordSource { source_type, source_data: data.clone() };
        assert_eq!(source(SourceType::Trace).id(), Some("tr-1"));
        assert_eq!(source(SourceType::Code).id(), Some("s-1"));
        assert_eq!(SourceType::ALL.map(|kind| json!(kind)), SourceType::ALL.map(|kind| json!(kind.as_str())));
    }
}
