//! Addresses of pages.

use std::fmt::Display;

use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::search::{Column, Comparison, Op, Operand};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a segment of a path (RFC 3986, "unreserved").
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One segment of a path, or one value of a query, escaped.
pub(crate) fn segment(text: impl Display) -> String {
    utf8_percent_encode(&text.to_string(), SEGMENT).to_string()
}

pub(crate) fn experiment(id: impl Display) -> String {
    format!("/experiments/{id}")
}

pub(crate) fn run(id: impl Display) -> String {
    format!("/runs/{id}")
}

pub(crate) fn trace(id: impl Display) -> String {
    format!("/traces/{}", segment(id))
}

/// The traces of an experiment.
pub(crate) fn traces_of(id: impl Display) -> String {
    format!("/experiments/{id}/traces")
}

/// All traces of which a text is this one: an attribute, or a key of an entity.
pub(crate) fn traces_with(entity: Option<&str>, key: &str, text: impl Display) -> String {
    format!("/traces?filter={}", equal(entity, key, text))
}

/// The runs of an experiment of which a text is this one.
pub(crate) fn runs_with(experiment: impl Display, (entity, key): (&str, &str), text: impl Display) -> String {
    format!("/experiments/{experiment}?filter={}", equal(Some(entity), key, text))
}

/// A search for a text, as a part of an address.
fn equal(entity: Option<&str>, key: &str, text: impl Display) -> String {
    let column = Column { entity: entity.map(str::to_owned), key: key.to_owned() };
    segment(Comparison { column, op: Op::Eq, value: Operand::Text(text.to_string()) })
}

/// The models that the runs of an experiment logged.
pub(crate) fn logged_models(experiment: impl Display) -> String {
    format!("/experiments/{experiment}/models")
}

/// One of them.
pub(crate) fn logged_model(experiment: impl Display, id: impl Display) -> String {
    format!("/experiments/{experiment}/models/{}", segment(id))
}

pub(crate) fn prompt(name: impl Display) -> String {
    format!("/prompts/{}", segment(name))
}

pub(crate) fn model(name: impl Display) -> String {
    format!("/models/{}", segment(name))
}

pub(crate) fn version(name: impl Display, number: impl Display) -> String {
    format!("/models/{}/{number}", segment(name))
}

pub(crate) fn dataset(name: impl Display) -> String {
    format!("/datasets/{}", segment(name))
}

pub(crate) fn endpoint(name: impl Display) -> String {
    format!("/endpoints/{}", segment(name))
}

pub(crate) fn pipeline(name: impl Display) -> String {
    format!("/pipelines/{}", segment(name))
}

pub(crate) fn pipeline_run(id: impl Display) -> String {
    format!("/pipeline-runs/{id}")
}

pub(crate) fn approval(id: impl Display) -> String {
    format!("/approvals/{id}")
}

pub(crate) fn features() -> String {
    "/features".to_owned()
}

/// What somebody kept of the table of runs.
pub(crate) fn view(name: impl Display) -> String {
    format!("/views/{}", segment(name))
}

/// The events of one subject.
pub(crate) fn audit_of(subject: impl Display) -> String {
    format!("/audit?subject={}", segment(subject))
}

/// The page of what an event speaks of; its events where it has none of its own.
pub(crate) fn subject(subject: &Subject) -> String {
    let id = &subject.id;
    match subject.kind {
        ResourceKind::Experiment => experiment(segment(id)),
        ResourceKind::Run if !id.starts_with("m-") => run(segment(id)),
        ResourceKind::Run => format!("/logged-models/{}", segment(id)),
        ResourceKind::Trace => trace(id),
        ResourceKind::Model => model(id),
        ResourceKind::ModelVersion => match id.rsplit_once('/') {
            Some((name, number)) => version(name, segment(number)),
            None => audit_of(subject),
        },
        ResourceKind::Dataset => dataset(id),
        ResourceKind::Feature => features(),
        ResourceKind::Pipeline => pipeline(id),
        ResourceKind::PipelineRun => pipeline_run(segment(id)),
        ResourceKind::Endpoint => endpoint(id),
        ResourceKind::Approval => approval(segment(id)),
        ResourceKind::SavedView => view(id),
        ResourceKind::RetentionRule => "/retention".to_owned(),
        _ => audit_of(subject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_of_any_text() {
        assert_eq!(traces_with(None, "prompt", "greet/3"), "/traces?filter=prompt%20%3D%20%27greet%2F3%27");
        let both = traces_with(Some("metadata"), "a b", r#"it's "one""#);
        assert_eq!(both, "/traces?filter=metadata.%60a%20b%60%20%3D%20E%27it%5C%27s%20%22one%22%27");
    }

    #[test]
    fn names_cannot_leave_their_segment() {
        assert_eq!(model("a b?c#d%"), "/models/a%20b%3Fc%23d%25");
        assert_eq!(segment("Ünï"), "%C3%9Cn%C3%AF");
        let version = Subject::new(ResourceKind::ModelVersion, "flight delay/7");
        assert_eq!(subject(&version), "/models/flight%20delay/7");
        let logged = Subject::new(ResourceKind::Run, "m-0a");
        assert_eq!(subject(&logged), "/logged-models/m-0a");
        let rollout = Subject::new(ResourceKind::Rollout, "ab");
        assert_eq!(subject(&rollout), "/audit?subject=rollout%3Aab");
    }
}
