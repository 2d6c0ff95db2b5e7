//! `/api/v1/pipeline-runs`: runs, their steps, and stopping them. Instants are machine time, but for
//! `data_time`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::id::{ApprovalId, PipelineRunId};
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::time::MachineTime;
use mainstay_pipelines::circumstances::Circumstances;
use mainstay_pipelines::commands::CancelRun;
use mainstay_pipelines::definition::{Stage, StepName, Work};
use mainstay_pipelines::port::RunFilter;
use mainstay_pipelines::run::{CauseKind, PipelineRun, RunState, Step, StepResult, StepState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error as ThisError;

use super::{PipelineState, RUN, existing_run};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::{Listing, PageParams};
use crate::native::reason::reason;
use crate::native::request::{JsonBody, One, Params};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<PipelineState>> {
    let (read, all) = (Action::PipelineRead, RouteScope::Workspace);
    let native = Protocol::Native;
    vec![
        Route::new(native, (Method::GET, "/api/v1/pipeline-runs"), (read, all), list),
        Route::new(native, (Method::GET, "/api/v1/pipeline-runs/{id}"), (read, RUN), one),
        Route::new(
            native,
            (Method::POST, "/api/v1/pipeline-runs/{id}/cancel"),
            (Action::PipelineRun, RUN),
            cancel,
        ),
    ]
}

/// Not a state.
#[derive(Debug, ThisError)]
#[error("'state' is one or more of waiting, running, succeeded, failed, cancelled, with commas between")]
struct InvalidState;

impl Coded for InvalidState {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A run on the wire.
#[derive(Debug, Serialize)]
struct RunBody {
    id: PipelineRunId,
    pipeline: Name,
    state: RunState,
    definition: Digest,
    params: Map<String, Value>,
    data_time: Option<String>,
    cause: CauseBody,
    author: Actor,
    group: Option<String>,
    created: String,
    started: Option<String>,
    finished: Option<String>,
}

#[derive(Debug, Serialize)]
struct CauseBody {
    kind: CauseKind,
    evidence: Value,
}

fn instant(at: Option<MachineTime>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl From<PipelineRun> for RunBody {
    fn from(run: PipelineRun) -> Self {
        Self {
            id: run.id,
            pipeline: run.pipeline,
            state: run.state,
            definition: run.definition,
            params: run.params,
            data_time: run.data_time.map(|at| at.to_string()),
            cause: CauseBody { kind: run.cause.kind, evidence: run.cause.evidence },
            author: run.author,
            group: run.group,
            created: run.created.to_string(),
            started: instant(run.started),
            finished: instant(run.finished),
        }
    }
}

/// A run with its steps. `needs` of the steps are the edges of the graph.
#[derive(Debug, Serialize)]
struct DetailBody {
    #[serde(flatten)]
    run: RunBody,
    steps: Vec<StepBody>,
}

#[derive(Debug, Serialize)]
struct StepBody {
    name: StepName,
    state: StepState,
    needs: Vec<StepName>,
    /// The built-in step that it is, if it is one.
    uses: Option<String>,
    /// The shell commands that it runs, if it does.
    commands: Option<Vec<String>>,
    description: Option<String>,
    /// Position within its group.
    map_index: Option<u32>,
    attempt: u32,
    /// Leases that ran out since it last made progress.
    losses: u32,
    /// Why it failed, was skipped, or is retried.
    reason: Option<String>,
    /// While it waits for a person: for which decision.
    approval: Option<ApprovalId>,
    started: Option<String>,
    ended: Option<String>,
    output: Option<OutputBody>,
}

#[derive(Debug, Serialize)]
struct OutputBody {
    value: Value,
    artifacts: BTreeMap<String, Digest>,
    attempt: u32,
    /// The run that computed it, if it was taken over from there.
    reused_from: Option<PipelineRunId>,
    /// What the step found where it ran, if that is recorded.
    circumstances: Option<Box<Circumstances>>,
    accepted: String,
}

impl StepBody {
    fn new(stage: Option<&Stage>, step: Step, result: Option<StepResult>) -> Self {
        let (uses, commands) = match stage.map(|stage| &stage.work) {
            Some(Work::BuiltIn { uses, .. }) => (Some(uses.clone()), None),
            Some(Work::Commands(lines)) => (None, Some(lines.clone())),
            Some(Work::Nothing) | None => (None, None),
        };
        Self {
            name: step.name,
            state: step.state,
            needs: stage.map(|stage| stage.needs.iter().cloned().collect()).unwrap_or_default(),
            uses,
            commands,
            description: stage.and_then(|stage| stage.desc.clone()),
            map_index: step.map_index,
            attempt: step.attempt,
            losses: step.losses,
            reason: step.reason,
            approval: step.approval,
            started: instant(step.started),
            ended: instant(step.ended),
            output: result.map(|result| OutputBody {
                value: result.output.value,
                artifacts: result.output.artifacts,
                attempt: result.attempt,
                reused_from: result.reused_from,
                circumstances: result.circumstances,
                accepted: result.at.to_string(),
            }),
        }
    }
}

#[derive(Debug, Deserialize)]
struct FilterParams {
    pipeline: Option<Name>,
    state: Option<String>,
}

async fn list(
    State(state): State<PipelineState>,
    caller: Caller,
    Params(filter): Params<FilterParams>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<RunBody>>, Error> {
    let named = |text: &str| RunState::named(text.trim()).ok_or(InvalidState);
    let states = filter.state.as_deref().map(|text| text.split(',').map(named).collect::<Result<_, _>>());
    let filter = RunFilter { pipeline: filter.pipeline, states: states.transpose()?.unwrap_or_default() };
    let page = state.reader.runs(&caller.workspace, &filter, &page.request::<(i64, String)>()?).await?;
    Ok(Json(Listing::of(page, RunBody::from)))
}

async fn one(
    State(state): State<PipelineState>,
    caller: Caller,
    One(id): One<PipelineRunId>,
) -> Result<Json<DetailBody>, Error> {
    Ok(Json(detail(&state, &caller, id).await?))
}

async fn detail(state: &PipelineState, caller: &Caller, id: PipelineRunId) -> Result<DetailBody, Error> {
    let run = existing_run(state, caller, id).await?;
    let definition = state.reader.definition(&run.definition).await?;
    let definition =
        definition.ok_or_else(|| StorageError::Corrupt(format!("the definition of pipeline run {id}")))?;
    let results = state.reader.results(&caller.workspace, id).await?;
    let mut results: BTreeMap<_, _> = results.into_iter().map(|r| (r.step.clone(), r)).collect();
    let steps = state.reader.steps(&caller.workspace, id).await?.into_iter().map(|step| {
        let result = results.remove(&step.name);
        StepBody::new(definition.stages.get(&step.name), step, result)
    });
    Ok(DetailBody { steps: steps.collect(), run: run.into() })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelBody {
    reason: String,
}

async fn cancel(
    State(state): State<PipelineState>,
    caller: Caller,
    One(id): One<PipelineRunId>,
    JsonBody(body): JsonBody<CancelBody>,
) -> Result<(StatusCode, Json<DetailBody>), Error> {
    let reason = reason(body.reason)?;
    let command = CancelRun { workspace: caller.workspace.clone(), run: id, reason };
    state.commands.run(&caller.principal, command).await?;
    Ok((StatusCode::OK, Json(detail(&state, &caller, id).await?)))
}
