//! `POST traces` of version 3: what a client tells of a trace when it has ended.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentId;
use mainstay_traces::assessment::AssessmentId;
use mainstay_traces::command::StartTrace;
use mainstay_traces::id::TraceId;
use serde::Deserialize;

use crate::body::{InfoMessage, OneBody};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::{Error, MlflowError, MlflowState};

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
    let mut info = request.trace.ok_or(MlflowError::Missing("trace"))?.trace_info;
    let experiment = info.trace_location.as_ref().and_then(|location| location.experiment());
    let experiment = ExperimentId::parse(experiment.ok_or(MlflowError::Missing("experiment_id"))?)?;
    let id = TraceId::parse(info.trace_id.as_deref().unwrap_or_default())?;
    let (now_ms, drawn) = (state.clock.now().millis(), || AssessmentId::draw(&*state.entropy));
    let told = std::mem::take(&mut info.assessments).into_iter().map(|told| told.told(&id, drawn, now_ms));
    let assessments = told.collect::<Result<_, _>>()?;
    let command =
        StartTrace { workspace: caller.workspace, experiment, id, summary: info.summary()?, assessments };
    let trace = state.traces.run(&caller.principal, command).await?;
    Ok(Json(trace.into()))
}
