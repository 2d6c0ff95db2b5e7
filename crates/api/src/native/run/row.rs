//! A run on the wire, as far as it is wanted.

use std::collections::BTreeMap;

use mainstay_tracking::index::{DatasetRef, RunSummary};
use mainstay_tracking::search::RunProjection;
use serde::Serialize;

use super::number::WireNumber;

/// A run. Instants are milliseconds since the Unix epoch by the client's clock, the duration milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct RowBody {
    run_id: String,
    experiment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<BTreeMap<String, WireNumber>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datasets: Option<Vec<DatasetRef>>,
}

impl RowBody {
    /// A run of which this is wanted.
    pub(super) fn new(summary: RunSummary, wanted: &RunProjection) -> Self {
        let RunSummary { run, metrics, params, tags, datasets, .. } = summary;
        let has = |attribute: &str| wanted.attributes.has(attribute);
        let duration = run.end_ms.map(|end| end.saturating_sub(run.start_ms));
        let numbers = || metrics.into_iter().map(|(key, latest)| (key, WireNumber(latest.value))).collect();
        Self {
            run_id: run.id.to_string(),
            experiment_id: run.experiment.to_string(),
            run_name: has("run_name").then_some(run.name),
            user_id: has("user_id").then_some(run.user),
            status: has("status").then_some(run.status.as_str()),
            lifecycle: has("status").then_some(run.lifecycle.as_str()),
            start_time: has("start_time").then_some(run.start_ms),
            end_time: run.end_ms.filter(|_| has("end_time")),
            duration: duration.filter(|_| has("duration")),
            artifact_uri: has("artifact_uri").then_some(run.artifact_uri),
            metrics: (!wanted.metrics.is_none()).then(numbers),
            params: (!wanted.params.is_none()).then_some(params),
            tags: (!wanted.tags.is_none()).then_some(tags),
            datasets: wanted.datasets.then_some(datasets),
        }
    }
}
