//! `POST /api/v1/pipeline-runs/{id}/reproduce`: does a run again.
//!
//! The steps that compute are done once more, with the recorded definition, parameters, data time, versions of data
//! and seeds, and with no earlier result standing for them; what the run did to the record is taken over. Whether what
//! they found is there as it was is looked at first: if not, the answer is 409 `not-reproducible` and nothing starts.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_pipelines::commands::StartRun;
use mainstay_pipelines::refusal::PipelineError;
use mainstay_pipelines::reproduction::{Plan, cause, plan};
use mainstay_pipelines::run::PipelineRun;
use serde::Serialize;

use super::{PipelineState, RUN, existing_run};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::request::One;
use crate::route::Route;

/// Looks whether what a run found is there as it was.
#[async_trait]
pub trait Surroundings: Send + Sync {
    /// Refuses with `not-reproducible`, and says what is missing.
    async fn check(&self, workspace: &Name, run: &PipelineRun, plan: &Plan) -> Result<(), PipelineError>;
}

pub(super) fn routes() -> Vec<Route<PipelineState>> {
    let path = (Method::POST, "/api/v1/pipeline-runs/{id}/reproduce");
    vec![Route::new(Protocol::Native, path, (Action::PipelineRun, RUN), reproduce)]
}

#[derive(Debug, Serialize)]
struct StartedBody {
    run: PipelineRunId,
    reproduces: PipelineRunId,
}

async fn reproduce(
    State(state): State<PipelineState>,
    caller: Caller,
    One(id): One<PipelineRunId>,
) -> Result<(StatusCode, Json<StartedBody>), Error> {
    let run = existing_run(&state, &caller, id).await?;
    let definition = state.reader.definition(&run.definition).await?;
    let definition =
        definition.ok_or_else(|| StorageError::Corrupt(format!("the definition of pipeline run {id}")))?;
    let results = state.reader.results(&caller.workspace, id).await?;
    let plan = plan(&run, &definition, &results)?;
    state.surroundings.check(&caller.workspace, &run, &plan).await?;
    let start = StartRun {
        workspace: caller.workspace,
        id: PipelineRunId::draw(&*state.entropy),
        pipeline: run.pipeline,
        definition: Arc::new(plan.definition),
        params: run.params,
        data_time: run.data_time,
        cause: cause(id),
        idempotency_key: None,
    };
    let started = state.commands.run(&caller.principal, start).await?;
    Ok((StatusCode::CREATED, Json(StartedBody { run: started.run, reproduces: id })))
}
