//! `POST /v1/traces`: spans as OpenTelemetry exports them, in protobuf or JSON
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), answered as MLflow's server does
//! (`mlflow/server/otel_api.py`).
//!
//! What is wrong with the request itself is told as `{"detail"}`; what tracking refuses, as everywhere in
//! MLflow's API.

mod attribute;
mod convert;
mod decompress;
mod json;
mod message;
mod parts;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use mainstay_api::caller::Caller;
use mainstay_api::dialect::Protocol;
use mainstay_api::route::{Route, RouteScope};
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentId;
use mainstay_traces::batch::SpanBatch;
use mainstay_traces::command::LogSpans;
use prost::Message as _;
use serde_json::json;
use tokio::sync::Semaphore;

use self::convert::{Unconvertible, batches};
use self::decompress::{Packed, UNPACKED_LIMIT, unpacked};
use self::message::ExportTraceServiceRequest;
use self::parts::MAX_PARTS;
use mainstay_mlflow::wire::looked_up_nowhere;
use mainstay_mlflow::{Error, MlflowState};

/// Largest body, in bytes, as it is sent.
const BODY_LIMIT: usize = 32 << 20;
/// In which experiment the spans are.
const EXPERIMENT: &str = "x-mlflow-experiment-id";
/// To which run their traces belong.
const RUN: &str = "x-mlflow-run-id";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// So many requests are read at once; what one takes in memory is bounded, and so what all do.
static READERS: Semaphore = Semaphore::const_new(4);

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let write = (Action::RunWrite, RouteScope::Workspace);
    let route = Route::new(Protocol::Otlp, (Method::POST, "/v1/traces"), write, export);
    vec![route.with_body_limit(BODY_LIMIT)]
}

/// Why a request was refused.
enum Refused {
    /// It is wrong in itself.
    Request(StatusCode, String),
    /// A header is missing.
    NoExperiment,
    /// What tracking refuses.
    Tracking(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Tracking(error.into())
    }
}

impl Refused {
    fn bad(detail: impl Into<String>) -> Self {
        Self::Request(StatusCode::BAD_REQUEST, detail.into())
    }

    fn too_large(detail: impl Into<String>) -> Self {
        Self::Request(StatusCode::PAYLOAD_TOO_LARGE, detail.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Request(status, detail) => (status, Json(json!({"detail": detail}))).into_response(),
            Self::NoExperiment => {
                let missing = json!({
                    "type": "missing",
                    "loc": ["header", EXPERIMENT],
                    "msg": "Field required",
                    "input": null,
                });
                (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"detail": [missing]}))).into_response()
            }
            Self::Tracking(error) => error.into_response(),
        }
    }
}

/// In which of the two encodings a request is, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let named = text(headers, header::CONTENT_TYPE.as_str());
        match named.unwrap_or_default().split(';').next().unwrap_or_default().trim() {
            PROTOBUF => Ok(Self::Protobuf),
            JSON => Ok(Self::Json),
            _ => Err(Refused::bad(format!(
                "Invalid Content-Type: {}. Expected: {PROTOBUF} or {JSON}",
                named.unwrap_or("None")
            ))),
        }
    }

    fn decode(self, body: &[u8]) -> Result<ExportTraceServiceRequest, Refused> {
        let parts = match self {
            Self::Protobuf => parts::of_protobuf(body),
            Self::Json => parts::of_json(body),
        };
        if parts > MAX_PARTS {
            return Err(Refused::too_large(format!(
                "The request has more than {MAX_PARTS} spans, attributes, events, links and values; split it"
            )));
        }
        let decoded = match self {
            Self::Protobuf => ExportTraceServiceRequest::decode(body).ok(),
            Self::Json => serde_json::from_slice(body).ok(),
        };
        decoded.ok_or_else(|| Refused::bad("Invalid OpenTelemetry format"))
    }

    /// Everything was taken.
    fn success(self) -> Response {
        match self {
            Self::Protobuf => ([(header::CONTENT_TYPE, PROTOBUF)], Bytes::new()).into_response(),
            Self::Json => ([(header::CONTENT_TYPE, JSON)], "{}").into_response(),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

async fn export(
    State(state): State<MlflowState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refused> {
    let experiment = text(request.headers(), EXPERIMENT).ok_or(Refused::NoExperiment)?.to_owned();
    let run = text(request.headers(), RUN).filter(|run| !run.is_empty()).map(str::to_owned);
    let encoding = Encoding::of(request.headers())?;
    let packing = text(request.headers(), header::CONTENT_ENCODING.as_str());
    let packing = packing.filter(|packing| !packing.is_empty()).map(str::to_owned);
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| {
        Refused::Request(
            rejection.status(),
            format!("The body cannot be read, or has more than {BODY_LIMIT} bytes"),
        )
    })?;
    let turn = READERS.acquire().await.map_err(|error| StorageError::Failed(error.into()))?;
    // It takes a while for many spans, and whoever answers requests must not wait for it.
    let reading = tokio::task::spawn_blocking(move || {
        // It goes on when the client goes away, and so does its turn.
        let _turn = turn;
        let batches = read(body, packing.as_deref(), encoding)?;
        if batches.is_empty() {
            return Ok(None);
        }
        let experiment = ExperimentId::parse(experiment.trim())?;
        let run = run.map(|run| looked_up_nowhere(RUN, run)).transpose()?;
        Ok::<_, Refused>(Some(LogSpans::new(caller.workspace, experiment, run, batches)))
    });
    let command = reading.await.map_err(|error| StorageError::Failed(error.into()))??;
    if let Some(command) = command {
        state.traces.run(&caller.principal, command).await?;
    }
    Ok(encoding.success())
}

fn read(body: Bytes, packing: Option<&str>, encoding: Encoding) -> Result<Vec<SpanBatch>, Refused> {
    let body = unpacked(body, packing).map_err(|packed| match packed {
        Packed::Broken(what) => Refused::bad(format!("Failed to decompress {what} payload")),
        Packed::Unknown(encoding) => Refused::bad(format!("Unsupported Content-Encoding: {encoding}")),
        Packed::TooLarge => Refused::too_large(format!(
            "The body has more than {UNPACKED_LIMIT} bytes once it is decompressed; split it"
        )),
    })?;
    let request = encoding.decode(&body)?;
    if request.resource_spans.is_empty() {
        return Err(Refused::bad("Invalid OpenTelemetry format - no spans found"));
    }
    batches(request).map_err(|error| match error {
        Unconvertible::Id => Refused::Request(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Cannot convert OpenTelemetry span to MLflow span".to_owned(),
        ),
        Unconvertible::TooMany(what) => Refused::too_large(what),
        Unconvertible::Refused(error) => error.into(),
    })
}

/// A request is read or refused, the same each time, and built of no more parts than were counted before.
///
/// # Panics
///
/// If it is otherwise.
#[cfg(any(test, fuzzing))]
pub fn fuzzed(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let encoding = if first & 1 == 0 { Encoding::Protobuf } else { Encoding::Json };
    let packing = [None, Some("gzip"), Some("deflate")].get(usize::from(first >> 1)).copied().flatten();
    if let (None, Encoding::Protobuf, Ok(message)) =
        (packing, encoding, ExportTraceServiceRequest::decode(body))
    {
        let written = message.encode_to_vec();
        assert!(parts::of_protobuf(&written) <= parts::of_protobuf(body));
        let again = ExportTraceServiceRequest::decode(&*written).map(|message| message.encode_to_vec());
        assert_eq!(again.ok(), Some(written));
    }
    let read = || read(Bytes::copy_from_slice(body), packing, encoding);
    if let Ok(batches) = read() {
        // By their texts: a value that is no number is none of its equals.
        assert_eq!(format!("{batches:?}"), format!("{:?}", read().ok().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests;
