//! A logged model on the wire.

use mainstay_tracking::logged_model::{LoggedModelDetail, LoggedModelStatus};
use serde::Serialize;

use crate::run_body::MetricBody;
use crate::wire::{KeyValue, pairs};

/// `LoggedModelStatus`, in the order of its numbers from 0.
pub(crate) const STATUSES: [&str; 4] = [
    "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "LOGGED_MODEL_PENDING",
    "LOGGED_MODEL_READY",
    "LOGGED_MODEL_UPLOAD_FAILED",
];

/// The name of a status on the wire.
pub(crate) const fn status_name(status: LoggedModelStatus) -> &'static str {
    match status {
        LoggedModelStatus::Pending => "LOGGED_MODEL_PENDING",
        LoggedModelStatus::Ready => "LOGGED_MODEL_READY",
        LoggedModelStatus::Failed => "LOGGED_MODEL_UPLOAD_FAILED",
    }
}

/// `LoggedModel`.
#[derive(Debug, Serialize)]
pub(crate) struct LoggedModelBody {
    info: Info,
    data: Data,
}

#[derive(Debug, Serialize)]
struct Info {
    model_id: String,
    experiment_id: String,
    name: String,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: String,
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    model_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_run_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
}

#[derive(Debug, Serialize)]
struct Data {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricBody>,
}

impl From<LoggedModelDetail> for LoggedModelBody {
    fn from(LoggedModelDetail { model, params, tags, metrics }: LoggedModelDetail) -> Self {
        let metrics = metrics.into_iter().map(|metric| {
            let (name, digest) = metric.dataset.unzip();
            MetricBody {
                dataset_name: name,
                dataset_digest: digest,
                model_id: Some(metric.model.to_string()),
                run_id: Some(metric.run.to_string()),
                ..MetricBody::new(metric.key, metric.point)
            }
        });
        let info = Info {
            model_id: model.id.to_string(),
            experiment_id: model.experiment.to_string(),
            name: model.name,
            creation_timestamp_ms: model.created.millis(),
            last_updated_timestamp_ms: model.updated.millis(),
            artifact_uri: model.artifact_uri,
            status: status_name(model.status),
            model_type: model.model_type,
            source_run_id: model.source_run.map(String::from),
            tags: pairs(tags),
        };
        Self { info, data: Data { params: pairs(params), metrics: metrics.collect() } }
    }
}
