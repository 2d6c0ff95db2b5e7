//! An assessment on the wire.

use std::collections::BTreeMap;

use mainstay_traces::assessment::{
    Assessment, AssessmentId, AssessmentValue, Failure, Judgement, Source, SourceType,
};
use mainstay_traces::error::TraceError;
use mainstay_traces::id::TraceId;
use mainstay_traces::info::{Pairs, checked_pairs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::{read_timestamp, timestamp};
use mainstay_mlflow::wire::Choice;
use mainstay_mlflow::{Error, MlflowError};

/// How a value is written that is no scalar.
const JSON_FORMAT: &str = "JSON_FORMAT";

/// `Assessment`, as it goes out.
#[derive(Debug, Serialize)]
pub(super) struct AssessmentBody {
    assessment_id: AssessmentId,
    assessment_name: String,
    trace_id: TraceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    source: SourceBody,
    create_time: String,
    last_update_time: String,
    #[serde(flatten)]
    judgement: JudgementBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    rationale: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: Pairs,
    #[serde(skip_serializing_if = "Option::is_none")]
    overrides: Option<AssessmentId>,
    valid: bool,
}

#[derive(Debug, Serialize)]
struct SourceBody {
    source_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum JudgementBody {
    Feedback(FeedbackBody),
    Expectation(ExpectationBody),
    Issue { issue_name: Value },
}

#[derive(Debug, Serialize)]
struct FeedbackBody {
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum ExpectationBody {
    Value(Value),
    SerializedValue { serialization_format: &'static str, value: String },
}

impl From<Assessment> for AssessmentBody {
    fn from(told: Assessment) -> Self {
        let judgement = match told.judgement {
            Judgement::Feedback(value, error) => {
                JudgementBody::Feedback(FeedbackBody { value: value.json(), error })
            }
            Judgement::Expectation(value) => JudgementBody::Expectation(match value.json() {
                Value::Array(_) | Value::Object(_) => ExpectationBody::SerializedValue {
                    serialization_format: JSON_FORMAT,
                    value: value.as_str().to_owned(),
                },
                scalar => ExpectationBody::Value(scalar),
            }),
            Judgement::Issue(name) => JudgementBody::Issue { issue_name: name.json() },
        };
        Self {
            assessment_id: told.id,
            assessment_name: told.name,
            trace_id: told.trace,
            span_id: told.span,
            source: SourceBody { source_type: told.source.kind.as_str(), source_id: told.source.id },
            create_time: timestamp(told.created_ms),
            last_update_time: timestamp(told.updated_ms),
            judgement,
            rationale: told.rationale,
            metadata: told.metadata,
            overrides: told.overrides,
            valid: told.valid,
        }
    }
}

/// `{"assessment": …}`.
#[derive(Debug, Serialize)]
pub(super) struct OneAssessment {
    pub(super) assessment: AssessmentBody,
}

impl From<Assessment> for OneAssessment {
    fn from(assessment: Assessment) -> Self {
        Self { assessment: assessment.into() }
    }
}

/// `Assessment`, as it comes in. Which trace it is of, the call says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AssessmentMessage {
    #[serde(alias = "assessmentId")]
    pub(super) assessment_id: Option<String>,
    #[serde(alias = "assessmentName")]
    pub(super) assessment_name: Option<String>,
    #[serde(alias = "spanId")]
    span_id: Option<String>,
    source: Option<SourceMessage>,
    #[serde(alias = "createTime", deserialize_with = "read_timestamp")]
    create_time: Option<i64>,
    #[serde(alias = "lastUpdateTime", deserialize_with = "read_timestamp")]
    last_update_time: Option<i64>,
    feedback: Option<FeedbackMessage>,
    expectation: Option<ExpectationMessage>,
    issue: Option<IssueMessage>,
    pub(super) rationale: Option<String>,
    metadata: BTreeMap<String, String>,
    overrides: Option<String>,
    valid: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceMessage {
    #[serde(alias = "sourceType")]
    source_type: Option<Choice>,
    #[serde(alias = "sourceId")]
    source_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FeedbackMessage {
    value: Value,
    error: Option<ErrorMessage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorMessage {
    #[serde(alias = "errorCode")]
    error_code: String,
    #[serde(rename = "error_message", alias = "errorMessage")]
    message: Option<String>,
    #[serde(alias = "stackTrace")]
    stack_trace: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExpectationMessage {
    value: Value,
    #[serde(alias = "serializedValue")]
    serialized_value: Option<SerializedValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SerializedValue {
    #[serde(alias = "serializationFormat")]
    serialization_format: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IssueMessage {
    #[serde(alias = "issueName")]
    issue_name: String,
}

impl AssessmentMessage {
    /// What is said of a trace. A new id is `drawn`; what has no time was said `now_ms`.
    pub(super) fn told(
        mut self,
        trace: &TraceId,
        drawn: impl FnOnce() -> AssessmentId,
        now_ms: i64,
    ) -> Result<Assessment, Error> {
        let id = self.assessment_id.take().filter(|id| !id.is_empty());
        let overrides = self.overrides.take().filter(|id| !id.is_empty());
        let source = self.source.take().unwrap_or_default();
        let time = |ms: Option<i64>| ms.filter(|ms| *ms != 0).unwrap_or(now_ms);
        let judgement = match (self.feedback()?, self.expectation()?, self.issue.take()) {
            (Some((value, failure)), None, None) => Judgement::Feedback(value, failure),
            (None, Some(value), None) => Judgement::Expectation(value),
            (None, None, Some(issue)) => {
                Judgement::Issue(AssessmentValue::new(&Value::String(issue.issue_name))?)
            }
            (None, None, None) => return Err(MlflowError::UnknownAssessment.into()),
            _ => return Err(MlflowError::SeveralJudgements.into()),
        };
        let told = Assessment {
            id: id.map_or_else(|| Ok(drawn()), |id| AssessmentId::parse(&id))?,
            trace: trace.clone(),
            name: self.assessment_name.unwrap_or_default(),
            span: self.span_id.filter(|id| !id.is_empty()),
            source: Source {
                kind: source.source_type.as_ref().map(source_type).transpose()?.unwrap_or_default(),
                id: source.source_id,
            },
            judgement,
            rationale: self.rationale,
            metadata: checked_pairs(self.metadata)?,
            overrides: overrides.as_deref().map(AssessmentId::parse).transpose()?,
            valid: self.valid.unwrap_or(true),
            created_ms: time(self.create_time),
            updated_ms: time(self.last_update_time),
        };
        Ok(told)
    }

    /// The feedback, if it is one. Its numbers are doubles, as protobuf's are.
    pub(super) fn feedback(&mut self) -> Result<Option<(AssessmentValue, Option<Failure>)>, TraceError> {
        let Some(FeedbackMessage { value, error }) = self.feedback.take() else { return Ok(None) };
        let failure = error.map(|error| Failure {
            code: error.error_code,
            message: error.message.filter(|message| !message.is_empty()),
            stack: error.stack_trace.filter(|stack| !stack.is_empty()),
        });
        Ok(Some((AssessmentValue::new(&with_doubles(value))?, failure)))
    }

    /// The expectation, if it is one. Its numbers are doubles, but for those of a text that was serialised.
    pub(super) fn expectation(&mut self) -> Result<Option<AssessmentValue>, Error> {
        let Some(ExpectationMessage { value, serialized_value }) = self.expectation.take() else {
            return Ok(None);
        };
        let value = match serialized_value {
            None => with_doubles(value),
            Some(told) if told.serialization_format == JSON_FORMAT => serde_json::from_str(&told.value)
                .map_err(|error| MlflowError::JsonText { field: "value", reason: error.to_string() })?,
            Some(told) => return Err(MlflowError::SerializationFormat(told.serialization_format).into()),
        };
        if value.is_null() {
            return Err(MlflowError::NoExpectation.into());
        }
        Ok(Some(AssessmentValue::new(&value)?))
    }

    /// More about it.
    pub(super) fn pairs(&mut self) -> Result<Pairs, TraceError> {
        checked_pairs(std::mem::take(&mut self.metadata))
    }
}

/// A type of source, by its name or number.
fn source_type(choice: &Choice) -> Result<SourceType, MlflowError> {
    let names = SourceType::ALL.map(SourceType::as_str);
    let found = choice.name(&names, 0).and_then(SourceType::named);
    found.ok_or_else(|| {
        MlflowError::invalid("source_type", choice.clone(), "use HUMAN, LLM_JUDGE or CODE".to_owned())
    })
}

/// All numbers of a value as doubles: 4 is 4.0.
fn with_doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Number(number), Value::from),
        Value::Array(items) => items.into_iter().map(with_doubles).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, with_doubles(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn through(message: Value) -> Result<Value, String> {
        let message: AssessmentMessage = serde_json::from_value(message).unwrap();
        let trace = TraceId::parse("tr-1").unwrap();
        let told = message.told(&trace, || AssessmentId::parse("a-drawn").unwrap(), 1_500);
        told.map(|told| serde_json::to_value(AssessmentBody::from(told)).unwrap())
            .map_err(Error::into_sentence)
    }

    #[test]
    fn feedback_goes_through_with_doubles() {
        let shown = through(json!({
            "assessmentName": "q", "feedback": {"value": {"a": 4, "b": [true, "x"]},
            "error": {"error_code": "E", "errorMessage": "m"}},
            "source": {"source_type": "LLM_JUDGE", "sourceId": "judge"}, "rationale": "r",
            "metadata": {"k": "v"}, "overrides": "a-0", "create_time": "1970-01-01T00:00:01Z",
        }));
        let expected = json!({
            "assessment_id": "a-drawn", "assessment_name": "q", "trace_id": "tr-1",
            "source": {"source_type": "LLM_JUDGE", "source_id": "judge"},
            "create_time": "1970-01-01T00:00:01Z", "last_update_time": "1970-01-01T00:00:01.500Z",
            "feedback": {"value": {"a": 4.0, "b": [true, "x"]},
                         "error": {"error_code": "E", "error_message": "m"}},
            "rationale": "r", "metadata": {"k": "v"}, "overrides": "a-0", "valid": true,
        });
        assert_eq!(shown.unwrap(), expected);
        let empty = through(json!({"assessment_name": "q", "feedback": {}})).unwrap();
        assert_eq!(
            (&empty["feedback"], &empty["source"]["source_type"]),
            (&json!({"value": null}), &json!("SOURCE_TYPE_UNSPECIFIED"))
        );
    }

    #[test]
    fn expectations_that_are_no_scalars_are_serialised() {
        let one = |expectation: Value| {
            through(json!({"assessment_name": "e", "expectation": expectation}))
                .map(|mut one| one["expectation"].take())
        };
        assert_eq!(one(json!({"value": "x"})), Ok(json!({"value": "x"})));
        let text =
            |text: &str| json!({"serialized_value": {"serialization_format": "JSON_FORMAT", "value": text}});
        assert_eq!(one(json!({"value": {"n": 1}})), Ok(text(r#"{"n": 1.0}"#)));
        assert_eq!(one(text(r#"[1,{"n":2}]"#)), Ok(text(r#"[1, {"n": 2}]"#)));
        assert_eq!(one(text("7")), Ok(json!({"value": 7})));
        let other = json!({"serialized_value": {"serialization_format": "X", "value": "1"}});
        let refused = one(other).unwrap_err();
        assert!(
            refused.starts_with("Unknown serialization format: X. Only JSON_FORMAT is supported."),
            "{refused}"
        );
        assert!(one(json!({})).unwrap_err().starts_with("The `value` field must be specified."));
    }

    #[test]
    fn one_judgement_is_made() {
        assert!(
            through(json!({"assessment_name": "e"}))
                .unwrap_err()
                .starts_with("Unknown assessment type: None")
        );
        assert!(through(json!({"feedback": {}, "issue": {}})).is_err());
        assert!(through(json!({"feedback": {}, "source": {"source_type": "ROBOT"}})).is_err());
        let issue = through(json!({"assessment_name": "iss-1", "issue": {"issue_name": "slow"}})).unwrap();
        assert_eq!(issue["issue"], json!({"issue_name": "slow"}));
    }
}
