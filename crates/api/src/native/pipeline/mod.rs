//! `/api/v1/pipelines`, `/api/v1/pipeline-runs` and `/api/v1/approvals`: definitions, runs, and the
//! people whom runs wait for.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /api/v1/pipelines` | the pipelines, by name |
//! | `GET`, `PUT /api/v1/pipelines/{name}` | one with its text; keeps a text under a name |
//! | `POST /api/v1/pipelines/{name}/runs` | starts a run |
//! | `GET /api/v1/pipeline-runs` | runs, newest first |
//! | `GET /api/v1/pipeline-runs/{id}` | one with its steps |
//! | `POST /api/v1/pipeline-runs/{id}/cancel` | stops it |
//! | `POST /api/v1/pipeline-runs/{id}/reproduce` | does it again |
//! | `GET /api/v1/pipeline-runs/{id}/steps/{step}/log` | a part of a step's log |
//! | `GET /api/v1/approvals`, `POST /api/v1/approvals/{id}` | what waits for a person; their decision |

mod approval;
mod define;
mod reproduce;
mod run;
mod start;
mod step_log;

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::PipelineRunId;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_pipelines::definition::BuiltIns;
use mainstay_pipelines::port::{PipelineReader, PipelineTx};
use mainstay_pipelines::refusal::PipelineError;
use mainstay_pipelines::run::PipelineRun;
use thiserror::Error as ThisError;

pub use reproduce::Surroundings;
pub use step_log::{LogPart, StepLogs};

use super::Error;
use crate::caller::Caller;
use crate::route::{Route, RouteScope};

/// What the handlers here need.
#[derive(Clone)]
pub struct PipelineState {
    /// Pipelines, runs and approvals.
    pub reader: Arc<dyn PipelineReader>,
    /// Commands on them.
    pub commands: Commands<dyn PipelineTx>,
    /// The steps that `uses` may name.
    pub built_ins: Arc<dyn BuiltIns>,
    /// Logs of steps.
    pub logs: Arc<dyn StepLogs>,
    /// What runs found, and what is there now.
    pub surroundings: Arc<dyn Surroundings>,
    /// Ids of runs.
    pub entropy: Arc<dyn Entropy>,
}

/// The table.
pub fn routes() -> Vec<Route<PipelineState>> {
    let about_runs = [run::routes(), reproduce::routes(), step_log::routes()];
    let parts = [define::routes(), start::routes()].into_iter().chain(about_runs).chain([approval::routes()]);
    parts.flatten().collect()
}

/// The scope of a route on one pipeline.
const PIPELINE: RouteScope = RouteScope::Path(ResourceKind::Pipeline, "name");
/// The scope of a route on one run.
const RUN: RouteScope = RouteScope::Path(ResourceKind::PipelineRun, "id");

/// There is no pipeline of that name.
#[derive(Debug, ThisError)]
#[error("there is no pipeline '{0}'; PUT its definition there first")]
struct NoPipeline(Name);

impl Coded for NoPipeline {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// A run of the caller's workspace.
async fn existing_run(
    state: &PipelineState,
    caller: &Caller,
    id: PipelineRunId,
) -> Result<PipelineRun, Error> {
    let found = state.reader.run(&caller.workspace, id).await?;
    Ok(found.ok_or(PipelineError::NoSuchRun(id))?)
}
