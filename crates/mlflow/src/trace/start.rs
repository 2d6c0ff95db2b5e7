//! `POST traces` of version 3: what a client tells of a trace when it has ended.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::trace::command::StartTrace;
use mainstay_tracking::trace::id::TraceId;
use serde::Deserialize;

use super::body::{InfoMessage, OneBody};
use crate::body::Call;
use crate::table::Table;
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3().post("traces", Action::RunWrite, start).brief().rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Start {
    trace: Option<TraceMessage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TraceMessage {
    #[serde(alias = "traceInfo")]
    trace_info: InfoMessage,
}

async fn start(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Start>,
) -> Result<Json<OneBody>, Error> {
    let info = request.trace.ok_or(MlflowError::Missing("trace"))?.trace_info;
    let experiment = info.trace_location.as_ref().and_then(|location| location.experiment());
    let command = StartTrace {
        workspace: caller.workspace,
        experiment: ExperimentId::parse(experiment.ok_or(MlflowError::Missing("experiment_id"))?)?,
        id: TraceId::parse(info.trace_id.as_deref().unwrap_or_default())?,
        summary: info.summary()?,
    };
    let info = state.traces.run(&caller.principal, command).await?;
    Ok(Json(info.into()))
}
