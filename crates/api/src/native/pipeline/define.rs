//! `/api/v1/pipelines`: texts under names.
//!
//! `PUT` takes the YAML as it is, or, with `Content-Type: application/json`, as a JSON string. The text is
//! kept with its comments; the same text once more changes nothing. It is checked as the start of a run does;
//! only variables that it gives no value may come with the run.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use http::{Method, header};
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_pipelines::commands::DefinePipeline;
use mainstay_pipelines::port::Pipeline;
use mainstay_pipelines::run::CauseKind;
use mainstay_pipelines::trigger::{Instant, Standing, standing};
use serde::Serialize;

use super::{NoPipeline, PIPELINE, PipelineState};
use crate::caller::Caller;
use crate::dialect::{BodyError, Protocol};
use crate::native::Error;
use crate::native::listing::Listing;
use crate::native::request::{One, whole_body};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<PipelineState>> {
    let all = (Action::PipelineRead, RouteScope::Workspace);
    let path = "/api/v1/pipelines/{name}";
    vec![
        Route::new(Protocol::Native, (Method::GET, "/api/v1/pipelines"), all, list),
        Route::new(Protocol::Native, (Method::GET, path), (Action::PipelineRead, PIPELINE), one),
        Route::new(Protocol::Native, (Method::PUT, path), (Action::PipelineRun, PIPELINE), define),
    ]
}

/// A pipeline on the wire. `updated` is machine time.
#[derive(Debug, Serialize)]
struct PipelineBody {
    name: Name,
    revision: u64,
    updated: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    triggers: Option<Vec<TriggerBody>>,
}

/// A trigger on the wire. `last` and `next` are instants of its own clock (machine time for `cron`, data time
/// for `schedule`), `last` of an `event` names the event.
#[derive(Debug, Serialize)]
struct TriggerBody {
    kind: CauseKind,
    when: String,
    last: Option<String>,
    next: Option<String>,
}

impl From<Standing> for TriggerBody {
    fn from(Standing { trigger, last, next }: Standing) -> Self {
        let text = |instant: Option<Instant>| instant.map(|instant| instant.to_string());
        Self { kind: trigger.kind(), when: trigger.when(), last: text(last), next: text(next) }
    }
}

impl PipelineBody {
    async fn whole(state: &PipelineState, workspace: &Name, pipeline: Pipeline) -> Result<Self, Error> {
        let triggers = standing(&*state.reader, workspace, &pipeline).await?;
        let triggers = Some(triggers.into_iter().map(TriggerBody::from).collect());
        let source = Some(pipeline.source.clone());
        Ok(Self { source, triggers, ..Self::brief(pipeline) })
    }

    fn brief(pipeline: Pipeline) -> Self {
        let Pipeline { name, revision, updated, .. } = pipeline;
        Self { name, revision, updated: updated.to_string(), source: None, triggers: None }
    }
}

async fn list(
    State(state): State<PipelineState>,
    caller: Caller,
) -> Result<Json<Listing<PipelineBody>>, Error> {
    let all = state.reader.pipelines(&caller.workspace).await?;
    Ok(Json(Listing::whole(all.into_iter().map(PipelineBody::brief).collect())))
}

async fn one(
    State(state): State<PipelineState>,
    caller: Caller,
    One(name): One<Name>,
) -> Result<Json<PipelineBody>, Error> {
    let found = state.reader.pipeline(&caller.workspace, &name).await?.ok_or(NoPipeline(name))?;
    Ok(Json(PipelineBody::whole(&state, &caller.workspace, found).await?))
}

async fn define(
    State(state): State<PipelineState>,
    caller: Caller,
    One(name): One<Name>,
    request: Request,
) -> Result<Json<PipelineBody>, Error> {
    let json = is_json(&request);
    let source = text(&whole_body(request, &state).await?, json)?;
    let command = DefinePipeline::new(caller.workspace.clone(), name, source, &*state.built_ins)?;
    let defined = state.commands.run(&caller.principal, command).await?;
    Ok(Json(PipelineBody::whole(&state, &caller.workspace, defined).await?))
}

fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn text(body: &Bytes, json: bool) -> Result<String, BodyError> {
    if json {
        return serde_json::from_slice(body).map_err(|error| BodyError::Malformed(error.to_string()));
    }
    let text = std::str::from_utf8(body).map_err(|error| BodyError::Malformed(error.to_string()))?;
    Ok(text.to_owned())
}
