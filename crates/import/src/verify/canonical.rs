//! What of a thing is compared: all of it, as JSON, in one order.

use mainstay_core::principal::Actor;
use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::record::DatasetRecord;
use mainstay_evaluation::scorer::import::ImportedScorer;
use mainstay_registry::model::{ModelDetail, VersionDetail};
use mainstay_traces::import::ImportedTrace;
use mainstay_traces::span::{Attribute, Span};
use mainstay_tracking::experiment::ExperimentDetail;
use mainstay_tracking::logged_model::{LoggedModelDetail, ModelMetric};
use mainstay_tracking::run::RunDetail;
use serde_json::{Value, json};

pub(super) fn experiment(detail: &ExperimentDetail) -> Value {
    let of = &detail.experiment;
    json!([of.id, of.name, of.artifact_location, of.lifecycle.as_str(), of.created, of.updated, detail.tags])
}

pub(super) fn run(detail: &RunDetail) -> Value {
    let of = &detail.run;
    let attached = &detail.attached;
    json!([
        of.id,
        of.experiment,
        of.name,
        of.user,
        of.status.as_str(),
        of.start_ms,
        of.end_ms,
        of.lifecycle.as_str(),
        of.artifact_uri,
        detail.params,
        detail.tags,
        detail.metrics,
        attached.datasets,
        attached.model_inputs,
        attached.model_outputs,
    ])
}

pub(super) fn logged_model(detail: &LoggedModelDetail) -> Value {
    let of = &detail.model;
    let metric = |metric: &ModelMetric| json!([metric.run, metric.key, metric.dataset, metric.point]);
    let metrics: Vec<Value> = detail.metrics.iter().map(metric).collect();
    json!([
        of.id,
        of.experiment,
        of.name,
        of.model_type,
        of.source_run,
        of.artifact_uri,
        of.status.as_str(),
        of.lifecycle.as_str(),
        of.created,
        of.updated,
        detail.params,
        detail.tags,
        metrics,
    ])
}

pub(super) fn model(detail: &ModelDetail) -> Value {
    let of = &detail.model;
    json!([of.name, of.description, of.created, of.updated, detail.tags, detail.aliases])
}

/// Aliases are compared with their model.
pub(super) fn version(detail: &VersionDetail) -> Value {
    let of = &detail.version;
    json!([
        of.model,
        of.number,
        of.created,
        of.updated,
        of.creator.as_ref().map(Actor::as_str),
        of.description,
        of.stage.as_str(),
        of.source,
        of.location,
        of.run,
        of.run_link,
        of.logged_model,
        of.digest,
        detail.tags,
    ])
}

pub(super) fn trace(detail: &ImportedTrace) -> Value {
    let of = &detail.info;
    let spans: Vec<Value> = detail.spans.iter().map(span).collect();
    json!([
        of.id,
        of.experiment,
        of.request_ms,
        of.duration_ms,
        of.state.as_str(),
        of.client_request_id,
        of.request_preview,
        of.response_preview,
        of.tags,
        of.metadata,
        detail.runs,
        detail.prompts,
        spans,
    ])
}

fn span(of: &Span) -> Value {
    fn pairs(attributes: &[Attribute]) -> Vec<(&str, &str)> {
        attributes.iter().map(|one| (one.key.as_str(), one.value.as_str())).collect()
    }
    let events = of.events.iter().map(|event| json!([event.name, event.time_ns, pairs(&event.attributes)]));
    let links = of.links.iter().map(|link| json!([link.trace, link.span.0, pairs(&link.attributes)]));
    json!([
        of.id.0,
        of.parent.map(|parent| parent.0),
        of.name,
        of.kind.number(),
        of.start_ns,
        of.end_ns,
        of.status.number(),
        of.message,
        pairs(&of.attributes),
        events.collect::<Vec<_>>(),
        links.collect::<Vec<_>>(),
    ])
}

pub(super) fn dataset(detail: &EvaluationDatasetDetail) -> Value {
    let of = &detail.dataset;
    json!([
        of.id.to_string(),
        of.name,
        of.digest,
        of.schema,
        of.profile,
        of.created,
        of.updated,
        of.created_by,
        of.updated_by,
        detail.tags,
        detail.experiments,
    ])
}

pub(super) fn record(of: &DatasetRecord) -> Value {
    json!([of.id.to_string(), of.dataset.to_string(), of.identity, of.content, of.created, of.updated])
}

pub(super) fn scorer(imported: &ImportedScorer) -> Value {
    let of = &imported.scorer;
    let versions = imported.versions.iter().map(|one| json!([one.number, one.serialized, one.created]));
    json!([of.id.to_string(), of.experiment, of.name, versions.collect::<Vec<_>>()])
}
