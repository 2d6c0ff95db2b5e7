//! `POST /v2/models/{model}[/versions/{version}]/infer`.

use std::convert::Infallible;

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_serving::traffic::Source;

use super::answer::{self, HEADER_LENGTH};
use super::request::{self, Target};
use super::{Error, InferAnswer, ModelPath, OipError, OipState};
use crate::caller::Caller;
use crate::dialect::{BodyError, Protocol};
use crate::meter::Meter;
use crate::route::{Route, RouteScope, Unfinished};

/// Largest body of a request, in bytes: Triton's default for `--http-max-input-size`.
const BODY_LIMIT: usize = 64 << 20;

/// An answer of more rows and elements takes a while to write.
const BRIEF_ANSWER: usize = 1 << 10;

pub(super) fn routes() -> Vec<Route<OipState>> {
    let invoke = (Action::EndpointInvoke, RouteScope::Path(ResourceKind::Endpoint, "model"));
    ["/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"]
        .into_iter()
        .map(|path| {
            Route::new(Protocol::Oip, (Method::POST, path), invoke, infer).with_body_limit(BODY_LIMIT).brief()
        })
        .collect()
}

async fn infer(
    State(state): State<OipState>,
    caller: Caller,
    path: Result<Path<ModelPath>, PathRejection>,
    framing: Framing,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let answered = respond(&state, caller, path, framing, body).await;
    if let Err(error) = &answered {
        state.meter.refused(error.code());
    }
    answered
}

async fn respond(
    state: &OipState,
    caller: Caller,
    path: Result<Path<ModelPath>, PathRejection>,
    framing: Framing,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let path = ModelPath::read(path)?;
    if framing.is_compressed {
        return Ok(compressed());
    }
    let body = body.map_err(|rejection| refusal(&rejection))?;
    let version = path.version()?;
    let target = Target { workspace: caller.workspace, endpoint: path.model.clone(), version };
    let (request, wanted) = request::read(target, &body, framing.header_length?)?;
    drop(body);
    if let Some(outputs) = &wanted.outputs {
        // Nobody's prediction is logged for a request that cannot be answered as asked.
        let known = state.service.describe(&request.workspace, &request.endpoint)?.outputs;
        let names = || known.iter().map(|output| &*output.name);
        if let Some((name, _)) = outputs.iter().find(|(name, _)| !names().any(|known| known == name)) {
            return Err(answer::unknown(name, names()).into());
        }
    }
    let workspace = request.workspace.clone();
    let given = state.service.infer(request).await?;
    count(&state.meter, &workspace, &path.model, &given);
    let elements: usize = given.outputs.iter().map(|tensor| tensor.data.len()).sum();
    if given.rows.len() + elements <= BRIEF_ANSWER {
        return Ok(answer::write(&path.model, &given, &wanted)?);
    }
    let written = tokio::task::spawn_blocking(move || answer::write(&path.model, &given, &wanted));
    Ok(written.await.map_err(|_| Unfinished)??)
}

/// Counts the rows of an answer: so only of endpoints that there are.
fn count(meter: &Meter, workspace: &Name, endpoint: &str, given: &InferAnswer) {
    let mut by_source = [(Source::Assigned, 0_u64), (Source::Champion, 0), (Source::Previous, 0)];
    for row in &given.rows {
        if let Some((_, rows)) = by_source.iter_mut().find(|(source, _)| *source == row.source) {
            *rows += 1;
        }
    }
    for (source, rows) in by_source.into_iter().filter(|(_, rows)| *rows > 0) {
        meter.predicted(workspace, endpoint, answer::source_name(source), rows);
    }
    meter.logged(given.receipt.as_str(), given.rows.len() as u64);
}

/// What the headers say about the body.
struct Framing {
    is_compressed: bool,
    /// Of the JSON part, if a binary part follows.
    header_length: Result<Option<usize>, OipError>,
}

impl<S: Sync> FromRequestParts<S> for Framing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let coding = parts.headers.get(header::CONTENT_ENCODING);
        let is_compressed = coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        Ok(Self { is_compressed, header_length: header_length(&parts.headers) })
    }
}

/// Refuses a compressed body: it is not decompressed here.
fn compressed() -> Response {
    let body = r#"{"error":"compressed bodies are not taken here; send the body as it is, without Content-Encoding"}"#;
    let json = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, json, body).into_response()
}

fn header_length(headers: &HeaderMap) -> Result<Option<usize>, OipError> {
    let Some(value) = headers.get(HEADER_LENGTH) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or(OipError::HeaderNumber)
}

fn refusal(rejection: &BytesRejection) -> BodyError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        BodyError::TooLarge { limit: BODY_LIMIT }
    } else {
        BodyError::Incomplete
    }
}
