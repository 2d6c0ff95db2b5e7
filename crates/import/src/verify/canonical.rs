//! What of a thing is compared: all of it, as JSON, in one order.

use mainstay_core::principal::Actor;
use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::issue::{Issue, IssueSeverity};
use mainstay_evaluation::record::DatasetRecord;
use mainstay_evaluation::scorer::{OnlineConfig, Scorer, ScorerVersion};
use mainstay_gateway::Stamps;
use mainstay_gateway::binding::Binding;
use mainstay_gateway::endpoint::{EndpointDetail, FallbackStrategy, Mapping, RoutingStrategy};
use mainstay_gateway::model_definition::ModelDefinition;
use mainstay_gateway::secret::Secret;
use mainstay_governance::webhook::mlflow::MlflowEvent;
use mainstay_governance::webhook::{Subscription, Webhook};
use mainstay_registry::model::{ModelDetail, VersionDetail};
use mainstay_traces::assessment::{Assessment, Judgement};
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

pub(super) fn assessment(of: &Assessment) -> Value {
    let failure = match &of.judgement {
        Judgement::Feedback(_, failure) => failure.as_ref(),
        Judgement::Expectation(_) | Judgement::Issue(_) => None,
    };
    json!([
        of.id,
        of.trace,
        of.name,
        of.span,
        of.source.kind.as_str(),
        of.source.id,
        of.judgement.kind().as_str(),
        of.judgement.value().as_str(),
        failure,
        of.rationale,
        of.metadata,
        of.overrides,
        of.valid,
        of.created_ms,
        of.updated_ms,
    ])
}

/// What judges a version is told by its text.
pub(super) fn scorer<'a>(
    of: &Scorer,
    versions: impl Iterator<Item = &'a ScorerVersion>,
    online: Option<&OnlineConfig>,
) -> Value {
    let versions = versions.map(|one| json!([one.number, one.serialized, one.created]));
    let online = online.map(|config| json!([config.id, config.sample_rate, config.filter]));
    json!([of.id.to_string(), of.experiment, of.name, versions.collect::<Vec<_>>(), online])
}

pub(super) fn issue(Issue { head, detail }: &Issue) -> Value {
    json!([
        head.id.as_str(),
        head.experiment,
        head.name,
        head.status.as_str(),
        head.severity.map(IssueSeverity::as_str),
        head.categories,
        head.source_run,
        head.created,
        head.updated,
        head.created_by,
        head.updated_by,
        head.last_seen_ms,
        detail.description,
        detail.root_causes,
        detail.metadata,
    ])
}

fn stamps(of: &Stamps) -> Value {
    json!([of.created, of.updated, of.created_by, of.updated_by])
}

/// The value itself is compared in memory, so that no digest tells anything of it.
pub(super) fn secret(of: &Secret, is_same_value: bool) -> Value {
    json!([
        of.id.to_string(),
        of.name.as_str(),
        of.masked,
        of.provider,
        of.auth_config.fields(),
        stamps(&of.stamps),
        is_same_value,
    ])
}

pub(super) fn model_definition(of: &ModelDefinition) -> Value {
    json!([
        of.id.to_string(),
        of.card.name,
        of.card.provider,
        of.card.model,
        of.secret.as_ref().map(|(id, name)| (id.to_string(), name.as_str().to_owned())),
        stamps(&of.stamps),
    ])
}

/// In the order of their ids, whatever a database thinks of that.
pub(super) fn endpoint<'a>(of: &EndpointDetail, bindings: impl Iterator<Item = &'a Binding>) -> Value {
    let endpoint = &of.endpoint;
    let fallback = endpoint
        .fallback
        .map(|fallback| (fallback.strategy.map(FallbackStrategy::as_str), fallback.max_attempts));
    let mut bindings: Vec<Value> = bindings.map(binding).collect();
    bindings.sort_by_key(Value::to_string);
    json!([
        endpoint.id.to_string(),
        endpoint.name.as_str(),
        endpoint.routing.map(RoutingStrategy::as_str),
        fallback,
        endpoint.experiment,
        endpoint.tracks_usage,
        stamps(&endpoint.stamps),
        of.mappings.iter().map(mapping).collect::<Vec<_>>(),
        of.tags,
        bindings,
    ])
}

fn mapping(of: &Mapping) -> Value {
    let attachment = &of.attachment;
    json!([
        attachment.id.to_string(),
        attachment.definition.to_string(),
        attachment.linkage.as_str(),
        attachment.weight,
        attachment.order,
        of.stamps.created,
        of.stamps.created_by,
    ])
}

fn binding(of: &Binding) -> Value {
    let key = &of.key;
    json!([
        key.resource_type.as_str(),
        key.resource_id,
        of.display_name,
        of.stamps.created,
        of.stamps.created_by,
    ])
}

/// The secret itself is compared in memory, so that no digest tells anything of it.
pub(super) fn webhook(of: &Webhook, is_same_secret: bool) -> Value {
    let definition = &of.definition;
    let events = match &definition.subscription {
        Subscription::Native { kinds, .. } => kinds.clone(),
        Subscription::Mlflow { events, .. } => events.iter().map(MlflowEvent::to_string).collect(),
    };
    json!([
        of.id,
        definition.name,
        definition.description,
        definition.url,
        definition.is_active,
        definition.subscription.dialect().as_str(),
        events,
        of.created,
        of.updated,
        is_same_secret,
    ])
}
