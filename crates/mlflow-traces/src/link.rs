//! What traces are linked to: `traces/link-to-run` and `traces/link-prompts`.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_traces::command::{LinkPrompts, LinkTracesToRun};
use mainstay_traces::id::TraceId;
use serde::Deserialize;

use crate::named;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, list, looked_up_nowhere, required};
use mainstay_mlflow::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2()
        .post("traces/link-to-run", Action::RunWrite, link_to_run)
        .post("traces/link-prompts", Action::RunWrite, link_prompts)
        .brief()
        .rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LinkToRun {
    #[serde(alias = "traceIds")]
    trace_ids: Option<Vec<String>>,
    #[serde(alias = "runId")]
    run_id: Option<String>,
}

async fn link_to_run(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LinkToRun>,
) -> Result<Json<Empty>, Error> {
    let ids = request.trace_ids.ok_or(MlflowError::Missing("trace_ids"))?;
    let command = LinkTracesToRun {
        workspace: caller.workspace,
        run: looked_up_nowhere("run_id", required("run_id", request.run_id)?)?,
        traces: ids.iter().map(|id| TraceId::parse(id)).collect::<Result<_, _>>()?,
    };
    state.traces.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LinkPromptsMessage {
    #[serde(alias = "traceId")]
    trace_id: Option<String>,
    #[serde(alias = "promptVersions", deserialize_with = "list")]
    prompt_versions: Vec<PromptVersion>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptVersion {
    name: Option<String>,
    version: Option<String>,
}

impl PromptVersion {
    /// `name/version`.
    fn key(self) -> Result<String, MlflowError> {
        let (name, version) = (required("name", self.name)?, required("version", self.version)?);
        let number: u64 = version.parse().map_err(|_| MlflowError::NotVersion(version))?;
        Ok(format!("{}/{number}", looked_up_nowhere("name", name)?))
    }
}

async fn link_prompts(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<LinkPromptsMessage>,
) -> Result<Json<Empty>, Error> {
    let prompts = request.prompt_versions.into_iter().map(PromptVersion::key);
    let command = LinkPrompts {
        workspace: caller.workspace,
        trace: named(&required("trace_id", request.trace_id)?)?,
        prompts: prompts.collect::<Result<_, _>>()?,
    };
    state.traces.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
