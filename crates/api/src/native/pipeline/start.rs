//! `POST /api/v1/pipelines/{name}/runs`: starts a run.
//!
//! `params` win over the variables of the definition. `data_time` is the instant as of which the run
//! works. A second request with the same `idempotency_key` is answered with the first one's run, so that a
//! client that lost the answer can ask again; `how` says what became of the request.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_pipelines::commands::{How, StartRun};
use mainstay_pipelines::definition::{Parameters, ROOT, Source};
use mainstay_pipelines::run::{Cause, CauseKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error as ThisError;

use super::{NoPipeline, PIPELINE, PipelineState};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::request::{JsonBody, One};
use crate::route::Route;

/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 200;

pub(super) fn routes() -> Vec<Route<PipelineState>> {
    let start = (Action::PipelineRun, PIPELINE);
    let path = (Method::POST, "/api/v1/pipelines/{name}/runs");
    vec![Route::new(Protocol::Native, path, start, run)]
}

/// Why a request does not start anything.
#[derive(Debug, ThisError)]
enum StartError {
    /// Not an instant.
    #[error("'data_time' is an RFC 3339 instant such as 2013-03-01T00:00:00Z")]
    DataTime,
    /// Not a key.
    #[error("'idempotency_key' is a text of 1 to {MAX_KEY} bytes")]
    Key,
    /// Not a directory.
    #[error("the parameter '{ROOT}' is the absolute path of the directory where relative paths start")]
    Root,
}

impl Coded for StartError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartBody {
    #[serde(default)]
    params: Map<String, Value>,
    data_time: Option<String>,
    idempotency_key: Option<String>,
}

#[derive(Debug, Serialize)]
struct StartedBody {
    run: PipelineRunId,
    how: &'static str,
}

async fn run(
    State(state): State<PipelineState>,
    caller: Caller,
    One(name): One<Name>,
    JsonBody(body): JsonBody<StartBody>,
) -> Result<impl IntoResponse, Error> {
    let StartBody { params, data_time, idempotency_key } = body;
    let data_time = data_time.map(|text| DataTime::parse(&text).ok_or(StartError::DataTime)).transpose()?;
    let fits = |key: &String| !key.is_empty() && key.len() <= MAX_KEY && !key.contains('\0');
    if !idempotency_key.as_ref().is_none_or(fits) {
        return Err(StartError::Key.into());
    }
    let mut overrides = params.clone();
    match overrides.shift_remove(ROOT) {
        None => {}
        Some(Value::String(path)) if path.starts_with('/') && !path.contains('\0') => {}
        Some(_) => return Err(StartError::Root.into()),
    }
    let pipeline = state.reader.pipeline(&caller.workspace, &name).await?.ok_or(NoPipeline(name))?;
    let parameters = Parameters { files: BTreeMap::new(), overrides };
    let definition = Source::parse(&pipeline.source)?.resolve_with(&parameters, &*state.built_ins)?;
    let start = StartRun {
        workspace: caller.workspace,
        id: PipelineRunId::draw(&*state.entropy),
        pipeline: pipeline.name,
        definition: Arc::new(definition),
        params,
        data_time,
        cause: Cause { kind: CauseKind::Manual, evidence: json!({ "revision": pipeline.revision }) },
        idempotency_key,
    };
    let started = state.commands.run(&caller.principal, start).await?;
    let (status, how) = match started.how {
        How::Running => (StatusCode::CREATED, "running"),
        How::Queued => (StatusCode::CREATED, "queued"),
        How::Existing => (StatusCode::OK, "existing"),
        How::Attached => (StatusCode::OK, "attached"),
    };
    Ok((status, Json(StartedBody { run: started.run, how })))
}
