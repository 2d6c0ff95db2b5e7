//! `/pipeline-runs/{id}/steps/{step}/log`: what an attempt printed, from an offset on, as plain text.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::id::PipelineRunId;
use mainstay_core::scope::ResourceKind;
use mainstay_pipelines::definition::StepName;
use serde::Deserialize;

use super::{Row, asked, reads};
use crate::State;
use crate::frame::{Error, Missing};

/// Most bytes of one answer.
const PART: u64 = 256 * 1024;

/// Tells where to go on, in bytes from the start.
static NEXT: HeaderName = HeaderName::from_static("x-mainstay-next-offset");

pub(super) fn routes() -> Vec<Row> {
    let run = RouteScope::Path(ResourceKind::PipelineRun, "id");
    vec![reads("/pipeline-runs/{id}/steps/{step}/log", Action::PipelineRead, run, show)]
}

#[derive(Debug, Deserialize)]
struct Part {
    attempt: Option<u32>,
    #[serde(default)]
    offset: u64,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    Path((id, step)): Path<(String, String)>,
    query: Result<Query<Part>, QueryRejection>,
) -> Result<Response, Error> {
    let id: PipelineRunId = id.parse()?;
    let step = StepName::new(step)?;
    let Part { attempt, offset } = asked(query)?;
    // A step of this run, in this workspace: nothing else names a file.
    let steps = console.pipelines.steps(&caller.workspace, id).await?;
    let known = steps.into_iter().find(|known| known.name == step);
    let known = known.ok_or_else(|| Missing(format!("step {step} in run {id}")))?;
    let part = console.logs.read(id, &step, attempt.unwrap_or(known.attempt), offset, PART).await?;
    let text = String::from_utf8_lossy(&part.bytes).into_owned();
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (NEXT.clone(), part.next.to_string()),
    ];
    Ok((headers, text).into_response())
}
