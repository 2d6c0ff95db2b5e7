//! Evaluation datasets and their records on the wire.

use std::collections::BTreeMap;

use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::record::{DatasetRecord, NewRecord, Object, RecordSource};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::wire::list;
use crate::{Error, MlflowError};

/// `Dataset` of `datasets.proto`. The experiments always stand in it: a client that misses them asks its
/// default server.
#[derive(Debug, Serialize)]
pub(crate) struct EvaluationDatasetBody {
    dataset_id: String,
    name: String,
    tags: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    digest: String,
    created_time: i64,
    last_update_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_by: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiment_ids: Vec<String>,
}

impl From<EvaluationDatasetDetail> for EvaluationDatasetBody {
    fn from(EvaluationDatasetDetail { dataset, tags, experiments }: EvaluationDatasetDetail) -> Self {
        Self {
            dataset_id: dataset.id.to_string(),
            name: dataset.name,
            tags: json!(tags).to_string(),
            schema: dataset.schema,
            profile: dataset.profile,
            digest: dataset.digest,
            created_time: dataset.created.millis(),
            last_update_time: dataset.updated.millis(),
            created_by: dataset.created_by,
            last_updated_by: dataset.updated_by,
            experiment_ids: experiments.iter().map(ToString::to_string).collect(),
        }
    }
}

/// An item of a listing of records, whose parts are plain JSON.
#[derive(Debug, Serialize)]
pub(crate) struct RecordBody {
    dataset_record_id: String,
    dataset_id: String,
    inputs: Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expectations: Option<Object>,
    tags: Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<RecordSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_type: Option<&'static str>,
    created_time: i64,
    last_update_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_by: Option<String>,
}

impl From<DatasetRecord> for RecordBody {
    fn from(record: DatasetRecord) -> Self {
        let content = record.content;
        Self {
            dataset_record_id: record.id.to_string(),
            dataset_id: record.dataset.to_string(),
            inputs: content.inputs,
            outputs: content.outputs,
            expectations: content.expectations,
            tags: content.tags,
            source_id: content.source.as_ref().and_then(RecordSource::id).map(str::to_owned),
            source_type: content.source.as_ref().map(|source| source.source_type.as_str()),
            source: content.source,
            created_time: record.created.millis(),
            last_update_time: record.updated.millis(),
            created_by: content.created_by,
            last_updated_by: content.updated_by,
        }
    }
}

/// The JSON text of a list of records.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct SentRecords(#[serde(deserialize_with = "list")] pub(crate) Vec<SentRecord>);

/// A record as it is sent. Unknown fields are left alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SentRecord {
    inputs: Object,
    #[serde(deserialize_with = "said")]
    outputs: Option<Value>,
    expectations: Option<Object>,
    tags: Option<Object>,
    source: Option<BTreeMap<String, Value>>,
}

/// Tells a null from an absent field.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn source(mut fields: BTreeMap<String, Value>) -> Result<RecordSource, Error> {
    let wrong = |reason: &str| MlflowError::JsonText { field: "records", reason: reason.to_owned() };
    let Some(Value::String(source_type)) = fields.remove("source_type") else {
        return Err(wrong("a record's source needs a source_type, which is a text").into());
    };
    let source_data = match fields.remove("source_data") {
        None | Some(Value::Null) => Object::new(),
        Some(Value::Object(data)) => data,
        Some(_) => return Err(wrong("the source_data of a record's source must be an object").into()),
    };
    if !fields.is_empty() {
        return Err(wrong("a record's source has only source_type and source_data").into());
    }
    Ok(RecordSource { source_type: source_type.parse()?, source_data })
}

impl TryFrom<SentRecord> for NewRecord {
    type Error = Error;

    fn try_from(record: SentRecord) -> Result<Self, Error> {
        Ok(Self {
            inputs: record.inputs,
            outputs: record.outputs,
            expectations: record.expectations,
            tags: record.tags.unwrap_or_default(),
            source: record.source.filter(|fields| !fields.is_empty()).map(source).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Result<Vec<NewRecord>, String> {
        let SentRecords(sent) = crate::json_text::read("records", text).map_err(|error| error.to_string())?;
        sent.into_iter().map(|one| one.try_into().map_err(|error: Error| format!("{error:?}"))).collect()
    }

    #[test]
    fn absent_and_null_outputs_are_two_things() {
        let [empty, none, some] =
            records(r#"[{}, {"outputs": null, "tags": null}, {"outputs": 1, "other": 2}]"#)
                .unwrap()
                .try_into()
                .unwrap();
        assert_eq!(empty, NewRecord::default());
        assert_eq!((none.outputs, some.outputs), (Some(Value::Null), Some(json!(1))));
    }

    #[test]
    fn sources_are_checked() {
        let one = |source: &str| {
            records(&format!(r#"[{{"source": {source}}}]"#)).map(|mut all| all.remove(0).source)
        };
        let trace = one(r#"{"source_type": "trace", "source_data": {"trace_id": "tr-1"}}"#).unwrap().unwrap();
        assert_eq!((trace.source_type.as_str(), trace.id()), ("TRACE", Some("tr-1")));
        assert_eq!((one("{}"), one("null")), (Ok(None), Ok(None)));
        for wrong in
            [r#"{"source_type": "blog"}"#, r#"{"source_data": {}}"#, r#"{"source_type": "CODE", "x": 1}"#]
        {
            assert!(one(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_list_of_objects_is_refused() {
        for wrong in ["{}", "[1]", r#"[{"inputs": null}]"#, r#"[{"inputs": [1]}]"#, r#"[{"tags": "x"}]"#, "x"]
        {
            assert!(records(wrong).is_err(), "{wrong}");
        }
    }
}
