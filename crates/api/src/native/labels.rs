//! `POST /api/v1/labels`: what really happened, as NDJSON or as a JSON array.
//!
//! A label is `{"prediction_id", "value", "at", "version", "arrived"}`: `at` is when it happened and
//! `arrived` when it became known, both data time; `arrived` is `at` where it is left out, `version` 0.
//! A label of the same prediction and version with the same value is counted as duplicate and changes nothing; one
//! with another value is a conflict: the answer is 409 then, names it by its line, and it is not kept, while the
//! other labels of the request are. A higher version corrects. Labels of predictions that are not known here are kept: another replica made them.
//! `?durability=synced` answers once the labels survive a power cut, not only the process.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_serving::label::{Label, LabelValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error as ThisError;

use super::Error;
use crate::caller::Caller;
use crate::dialect::{BodyError, PROBLEM, Protocol, problem};
use crate::oip::service::{Durability, Refusal};
use crate::route::{Route, RouteScope};

/// Most labels of one request.
pub const MAX_LABELS: usize = 50_000;
/// Largest body, in bytes.
const BODY_LIMIT: usize = 16 << 20;
/// Longest text of a label, in bytes.
const MAX_TEXT: usize = 1_024;
/// Most conflicts that an answer names; all of them are counted.
const MAX_NAMED: usize = 1_000;

/// Keeps labels. The server's predictor implements it, in its local log.
#[async_trait]
pub trait LabelSink: Send + Sync {
    /// Keeps the labels that are new; all of them are as safe as asked when it returns.
    async fn keep(
        &self,
        workspace: &Name,
        labels: Vec<Label>,
        durability: Durability,
    ) -> Result<Kept, Refusal>;
}

/// What became of a batch of labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Labels that were new.
    pub accepted: u64,
    /// Labels that were there already.
    pub duplicate: u64,
    /// Labels whose prediction and version were there already with another value, in the order of the batch.
    pub conflicts: Vec<Conflict>,
}

/// A label that contradicts one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// Its place in the batch, from 0.
    pub position: usize,
    /// Its prediction.
    pub prediction: PredictionId,
    /// Its version.
    pub version: u32,
}

/// What the handler here needs.
#[derive(Clone)]
pub struct LabelState {
    /// Where labels go.
    pub sink: Arc<dyn LabelSink>,
}

/// The table.
pub fn routes() -> Vec<Route<LabelState>> {
    let write = (Action::LabelWrite, RouteScope::Workspace);
    let route = Route::new(Protocol::Native, (Method::POST, "/api/v1/labels"), write, report);
    vec![route.with_body_limit(BODY_LIMIT)]
}

/// Why labels cannot be taken. Nothing of the batch is kept then.
#[derive(Debug, ThisError)]
enum LabelError {
    #[error("label {position} cannot be read: {error}")]
    Malformed { position: usize, error: serde_json::Error },
    #[error("the list of labels cannot be read: {0}")]
    List(serde_json::Error),
    #[error("a request has at most {MAX_LABELS} labels; split it")]
    TooMany,
    #[error("label {0}: 'at' and 'arrived' are RFC 3339 instants such as 2013-01-01T05:00:00Z")]
    Instant(usize),
    #[error("label {0}: it cannot have arrived before it happened")]
    Early(usize),
    #[error("label {0}: the value is a finite number, true, false, or a text of at most {MAX_TEXT} bytes")]
    Value(usize),
    #[error("'durability' is written or synced")]
    Durability,
}

impl Coded for LabelError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed { .. } | Self::List(_) => ErrorCode::MalformedBody,
            Self::TooMany => ErrorCode::TooLarge,
            _ => ErrorCode::InvalidArgument,
        }
    }
}

#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    durability: Durability,
}

/// A label on the wire.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelBody {
    prediction_id: PredictionId,
    value: LabelValue,
    at: String,
    #[serde(default)]
    version: u32,
    arrived: Option<String>,
}

impl LabelBody {
    fn into_label(self, position: usize) -> Result<Label, LabelError> {
        let instant = |text: &str| DataTime::parse(text).ok_or(LabelError::Instant(position));
        let at = instant(&self.at)?;
        let arrived = self.arrived.as_deref().map_or(Ok(at), instant)?;
        if arrived < at {
            return Err(LabelError::Early(position));
        }
        let sound = match &self.value {
            LabelValue::Number(number) => number.is_finite(),
            LabelValue::Text(text) => text.len() <= MAX_TEXT,
        };
        if !sound {
            return Err(LabelError::Value(position));
        }
        Ok(Label { prediction: self.prediction_id, version: self.version, value: self.value, at, arrived })
    }
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    accepted: u64,
    duplicate: u64,
    conflict: usize,
    durability: &'static str,
}

/// The answer to a batch with conflicts: a problem, with what became of the batch beside it.
#[derive(Serialize)]
struct Contradicted {
    #[serde(flatten)]
    problem: Value,
    #[serde(flatten)]
    answer: Answer,
    conflicts: Vec<ConflictBody>,
}

/// A label that was not kept. `line` counts the labels of the request from 1.
#[derive(Serialize)]
struct ConflictBody {
    line: usize,
    prediction_id: PredictionId,
    version: u32,
    code: &'static str,
}

impl Contradicted {
    fn of(answer: Answer, conflicts: &[Conflict]) -> Self {
        let code = ErrorCode::LabelConflict;
        let detail = format!(
            "{} of the labels have another value than is known under their prediction and version, and were not \
             kept; the others were. Correct a label by sending a higher version",
            answer.conflict
        );
        let named = conflicts.iter().take(MAX_NAMED).map(|conflict| ConflictBody {
            line: conflict.position + 1,
            prediction_id: conflict.prediction,
            version: conflict.version,
            code: code.as_str(),
        });
        Self { problem: problem(code, StatusCode::CONFLICT, &detail), answer, conflicts: named.collect() }
    }
}

async fn report(
    State(state): State<LabelState>,
    caller: Caller,
    params: Result<Query<Params>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let Query(Params { durability }) = params.map_err(|_| LabelError::Durability)?;
    let body = body.map_err(|rejection| refusal(&rejection))?;
    let labels = read(&body)?;
    drop(body);
    let Kept { accepted, duplicate, conflicts } =
        state.sink.keep(&caller.workspace, labels, durability).await?;
    let durability = match durability {
        Durability::Written => "written",
        Durability::Synced => "synced",
    };
    let answer = Answer { accepted, duplicate, conflict: conflicts.len(), durability };
    if conflicts.is_empty() {
        return Ok(Json(answer).into_response());
    }
    let media_type = [(header::CONTENT_TYPE, PROBLEM)];
    Ok((StatusCode::CONFLICT, media_type, Json(Contradicted::of(answer, &conflicts))).into_response())
}

fn refusal(rejection: &BytesRejection) -> BodyError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        BodyError::TooLarge { limit: BODY_LIMIT }
    } else {
        BodyError::Incomplete
    }
}

/// Reads an array, or one label after another; line breaks between them are not needed.
fn read(body: &[u8]) -> Result<Vec<Label>, LabelError> {
    let bodies = if body.trim_ascii_start().first() == Some(&b'[') {
        serde_json::from_slice(body).map_err(LabelError::List)?
    } else {
        let stream = serde_json::Deserializer::from_slice(body).into_iter::<LabelBody>();
        let numbered = stream.take(MAX_LABELS + 1).enumerate();
        let read = numbered
            .map(|(at, label)| label.map_err(|error| LabelError::Malformed { position: at + 1, error }));
        read.collect::<Result<Vec<_>, _>>()?
    };
    if bodies.len() > MAX_LABELS {
        return Err(LabelError::TooMany);
    }
    bodies.into_iter().enumerate().map(|(at, label)| label.into_label(at + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "07070707070707070707070707070707";

    fn label(rest: &str) -> String {
        format!(r#"{{"prediction_id": "{ID}", "at": "2013-01-01T05:00:00Z"{rest}}}"#)
    }

    #[test]
    fn arrays_and_lines_are_the_same() {
        let (one, two) = (label(r#", "value": true"#), label(r#", "value": "late", "version": 2"#));
        let labels = read(format!("{one}\n{two}\n").as_bytes()).unwrap();
        assert_eq!(read(format!("[{one}, {two}]").as_bytes()).unwrap(), labels);
        assert_eq!((labels[0].version, &labels[0].value), (0, &LabelValue::Number(1.0)));
        assert_eq!((labels[1].version, labels[1].arrived), (2, labels[1].at));
        let late = label(r#", "value": 1, "arrived": "2013-01-02T05:00:00Z""#);
        assert!(read(late.as_bytes()).unwrap()[0].arrived > labels[0].at);
        assert_eq!(read(b"").unwrap(), []);
    }

    #[test]
    fn what_is_no_label_is_named_by_its_place() {
        let good = label(r#", "value": 1"#);
        for (bad, sentence) in [
            (label(""), "label 2 cannot be read"),
            (label(r#", "value": 1, "arrived": "2012-01-01""#), "before it happened"),
            (label(r#", "value": 1, "arrived": "soon""#), "RFC 3339"),
            (label(r#", "value": [1]"#), "label 2 cannot be read"),
            (label(r#", "value": 1, "colour": 2"#), "label 2 cannot be read"),
            (label(&format!(r#", "value": "{}""#, "x".repeat(MAX_TEXT + 1))), "at most 1024 bytes"),
            (good.replace(ID, "7"), "label 2 cannot be read"),
        ] {
            let error = read(format!("{good}\n{bad}").as_bytes()).unwrap_err();
            assert!(error.to_string().contains(sentence), "{error}");
        }
        assert!(matches!(read(b"[1, 2"), Err(LabelError::List(_))));
        let many = good.repeat(MAX_LABELS + 1);
        assert!(matches!(read(many.as_bytes()), Err(LabelError::TooMany)));
    }
}
