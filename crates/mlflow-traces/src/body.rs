//! A trace on the wire.

use std::collections::BTreeMap;

use mainstay_core::experiment::ExperimentId;
use mainstay_core::text::exceeds;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::info::{Pairs, TraceState, checked_pairs, key, storable};
use mainstay_traces::merge::Summary;
use mainstay_traces::preview::shortened;
use serde::{Deserialize, Serialize};

use crate::assessment_body::{AssessmentBody, AssessmentMessage};
use crate::time::{duration, read_duration, read_timestamp, timestamp};
use mainstay_mlflow::wire::{Choice, list};
use mainstay_mlflow::{Error, MlflowError};

/// Longest metadata, and longest key, that is shown, in characters.
const SHOWN: usize = 250;
/// Longest tag that is shown, in characters.
const SHOWN_TAG: usize = 4_096;
/// The kind of place that a trace is in.
const IN_EXPERIMENT: &str = "MLFLOW_EXPERIMENT";

/// Where a trace is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Location {
    r#type: Option<String>,
    #[serde(alias = "mlflowExperiment", skip_serializing_if = "Option::is_none")]
    mlflow_experiment: Option<InExperiment>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct InExperiment {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
}

impl Location {
    fn of(experiment: ExperimentId) -> Self {
        let in_experiment = InExperiment { experiment_id: Some(experiment.to_string()) };
        Self { r#type: Some(IN_EXPERIMENT.to_owned()), mlflow_experiment: Some(in_experiment) }
    }

    /// The experiment, if it is one.
    pub(super) fn experiment(&self) -> Option<&str> {
        self.mlflow_experiment.as_ref()?.experiment_id.as_deref().filter(|id| !id.is_empty())
    }
}

/// `TraceInfoV3`, as it goes out.
#[derive(Debug, Serialize)]
pub(super) struct InfoBody {
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request_id: Option<String>,
    trace_location: Location,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_preview: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_preview: Option<String>,
    request_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_duration: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    trace_metadata: Pairs,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assessments: Vec<AssessmentBody>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: Pairs,
}

impl From<AssessedTrace> for InfoBody {
    fn from(AssessedTrace { info, assessments }: AssessedTrace) -> Self {
        let (trace_metadata, tags) = (shown_metadata(info.metadata), shown_tags(info.tags));
        Self {
            trace_id: info.id.to_string(),
            client_request_id: info.client_request_id,
            trace_location: Location::of(info.experiment),
            request_preview: info.request_preview,
            response_preview: info.response_preview,
            request_time: timestamp(info.request_ms),
            execution_duration: info.duration_ms.map(duration),
            state: info.state.as_str(),
            trace_metadata,
            assessments: assessments.into_iter().map(AssessmentBody::from).collect(),
            tags,
        }
    }
}

/// Metadata as it is shown: cut, but for JSON that clients read.
pub(super) fn shown_metadata(metadata: Pairs) -> Pairs {
    let whole = [key::TOKEN_USAGE, key::COST, key::SIZE_STATS];
    let show = |(key, value): (String, String)| {
        let limit = if whole.contains(&key.as_str()) { usize::MAX } else { SHOWN };
        (cut(key, SHOWN), cut(value, limit))
    };
    metadata.into_iter().map(show).collect()
}

/// Tags as they are shown.
pub(super) fn shown_tags(tags: Pairs) -> Pairs {
    tags.into_iter().map(|(key, value)| (cut(key, SHOWN), cut(value, SHOWN_TAG))).collect()
}

fn cut(mut text: String, limit: usize) -> String {
    if let Some(at) = exceeds(&text, limit) {
        text.truncate(at);
    }
    text
}

/// `{"trace": {"trace_info": …}}`.
#[derive(Debug, Serialize)]
pub(super) struct OneBody {
    trace: InfoOnly,
}

#[derive(Debug, Serialize)]
struct InfoOnly {
    trace_info: InfoBody,
}

impl From<AssessedTrace> for OneBody {
    fn from(trace: AssessedTrace) -> Self {
        Self { trace: InfoOnly { trace_info: trace.into() } }
    }
}

/// `TraceInfoV3`, as it comes in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InfoMessage {
    #[serde(alias = "traceId")]
    pub(super) trace_id: Option<String>,
    #[serde(alias = "clientRequestId")]
    client_request_id: Option<String>,
    #[serde(alias = "traceLocation")]
    pub(super) trace_location: Option<Location>,
    #[serde(alias = "requestPreview")]
    request_preview: Option<String>,
    #[serde(alias = "responsePreview")]
    response_preview: Option<String>,
    #[serde(alias = "requestTime", deserialize_with = "read_timestamp")]
    request_time: Option<i64>,
    #[serde(alias = "executionDuration", deserialize_with = "read_duration")]
    execution_duration: Option<i64>,
    state: Option<Choice>,
    #[serde(alias = "traceMetadata")]
    trace_metadata: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    #[serde(deserialize_with = "list")]
    pub(super) assessments: Vec<AssessmentMessage>,
}

impl InfoMessage {
    /// What the client tells of the trace.
    pub(super) fn summary(self) -> Result<Summary, Error> {
        Ok(Summary {
            request_ms: self.request_time.unwrap_or(0),
            duration_ms: self.execution_duration,
            state: self.state.as_ref().map(state_of).transpose()?.unwrap_or_default(),
            client_request_id: self.client_request_id.map(storable),
            request_preview: self.request_preview.as_deref().map(shortened),
            response_preview: self.response_preview.as_deref().map(shortened),
            tags: named_pairs(self.tags)?,
            metadata: checked_pairs(self.trace_metadata)?,
        })
    }
}

/// Tags with the trace's name, whose length is judged by the command and not cut before.
fn named_pairs(mut tags: BTreeMap<String, String>) -> Result<Pairs, Error> {
    let name = tags.remove_entry(key::NAME);
    let mut pairs = checked_pairs(tags)?;
    pairs.extend(name.map(|(key, name)| (key, storable(name))));
    Ok(pairs)
}

/// A state, by its name or number.
pub(super) fn state_of(choice: &Choice) -> Result<TraceState, Error> {
    let names = TraceState::ALL.map(TraceState::as_str);
    let name = choice.name(&names, 0);
    let invalid = || MlflowError::invalid("state", format!("{choice:?}"), "use OK, ERROR or IN_PROGRESS");
    Ok(TraceState::parse(name.ok_or_else(invalid)?)?)
}

/// A flag: in a query it is a text.
pub(super) fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Bool(bool),
        Text(String),
    }
    match Option::<Flag>::deserialize(deserializer)? {
        None => Ok(false),
        Some(Flag::Bool(flag)) => Ok(flag),
        Some(Flag::Text(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Flag::Text(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(Flag::Text(text)) => Err(serde::de::Error::custom(format_args!(
            "Invalid boolean value: {text}, must be 'true' or 'false'."
        ))),
    }
}
