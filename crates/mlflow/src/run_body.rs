//! A run on the wire.

use std::collections::BTreeMap;

use mainstay_tracking::input::{Dataset, DatasetInput, ModelOutput};
use mainstay_tracking::metric::{Latest, Point};
use mainstay_tracking::run::{Attachments, Run, RunDetail};
use serde::{Serialize, Serializer};

use crate::wire::{KeyValue, metric_value};

/// `Run`.
#[derive(Debug, Serialize)]
pub(crate) struct RunBody {
    info: RunInfo,
    data: RunData,
    inputs: RunInputs,
    outputs: RunOutputs,
}

/// `RunInfo`.
#[derive(Debug, Serialize)]
pub(crate) struct RunInfo {
    run_id: String,
    run_uuid: String,
    run_name: String,
    experiment_id: String,
    user_id: String,
    status: &'static str,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
}

#[derive(Debug, Serialize)]
struct RunData {
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "latest_list")]
    metrics: BTreeMap<String, Latest>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "pair_list")]
    params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "pair_list")]
    tags: BTreeMap<String, String>,
}

/// A map as the list of `KeyValue` that it stands for.
fn pair_list<S: Serializer>(pairs: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Pair<'a> {
        key: &'a str,
        value: &'a str,
    }
    serializer.collect_seq(pairs.iter().map(|(key, value)| Pair { key, value }))
}

/// The latest points as the list of `Metric` that they stand for.
fn latest_list<S: Serializer>(metrics: &BTreeMap<String, Latest>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Metric<'a> {
        key: &'a str,
        #[serde(serialize_with = "metric_value")]
        value: f64,
        timestamp: i64,
        step: i64,
    }
    serializer.collect_seq(metrics.iter().map(|(key, latest)| Metric {
        key,
        value: latest.value,
        timestamp: latest.timestamp_ms,
        step: latest.step,
    }))
}

/// `Metric`.
#[derive(Debug, Serialize)]
pub(crate) struct MetricBody {
    pub(crate) key: String,
    #[serde(serialize_with = "metric_value")]
    pub(crate) value: f64,
    pub(crate) timestamp: i64,
    pub(crate) step: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dataset_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dataset_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<String>,
}

impl MetricBody {
    /// A point of a metric.
    pub(crate) fn new(key: impl Into<String>, point: Point) -> Self {
        Self {
            key: key.into(),
            value: point.value,
            timestamp: point.timestamp_ms,
            step: point.step,
            dataset_name: None,
            dataset_digest: None,
            model_id: None,
            run_id: None,
        }
    }
}

#[derive(Debug, Serialize)]
struct RunInputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInputBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelInputBody>,
}

#[derive(Debug, Serialize)]
struct DatasetInputBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
    dataset: DatasetBody,
}

#[derive(Debug, Serialize)]
struct DatasetBody {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

#[derive(Debug, Serialize)]
struct ModelInputBody {
    model_id: String,
}

#[derive(Debug, Serialize)]
struct RunOutputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelOutputBody>,
}

#[derive(Debug, Serialize)]
struct ModelOutputBody {
    model_id: String,
    step: i64,
}

impl From<Run> for RunInfo {
    fn from(run: Run) -> Self {
        Self {
            run_id: run.id.to_string(),
            run_uuid: run.id.to_string(),
            run_name: run.name,
            experiment_id: run.experiment.to_string(),
            user_id: run.user,
            status: run.status.as_str(),
            start_time: run.start_ms,
            end_time: run.end_ms,
            artifact_uri: run.artifact_uri,
            lifecycle_stage: run.lifecycle.as_str(),
        }
    }
}

impl From<DatasetInput> for DatasetInputBody {
    fn from(DatasetInput { dataset, mut tags }: DatasetInput) -> Self {
        tags.sort();
        let Dataset { name, digest, source_type, source, schema, profile } = dataset;
        Self {
            tags: tags.into_iter().map(|(key, value)| KeyValue { key, value }).collect(),
            dataset: DatasetBody { name, digest, source_type, source, schema, profile },
        }
    }
}

impl From<ModelOutput> for ModelOutputBody {
    fn from(output: ModelOutput) -> Self {
        Self { model_id: output.model.to_string(), step: output.step }
    }
}

impl From<RunDetail> for RunBody {
    fn from(detail: RunDetail) -> Self {
        let Attachments { datasets, model_inputs, model_outputs } = detail.attached;
        let models = model_inputs.into_iter();
        Self {
            info: detail.run.into(),
            data: RunData { metrics: detail.metrics, params: detail.params, tags: detail.tags },
            inputs: RunInputs {
                dataset_inputs: datasets.into_iter().map(Into::into).collect(),
                model_inputs: models.map(|model| ModelInputBody { model_id: model.to_string() }).collect(),
            },
            outputs: RunOutputs { model_outputs: model_outputs.into_iter().map(Into::into).collect() },
        }
    }
}
