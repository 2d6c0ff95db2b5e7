//! One trace: `GET traces/{id}` without its spans, `GET traces/get` with them.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::id::TraceId;
use mainstay_traces::stored::StoredSpans;
use serde::Deserialize;

use crate::body::{OneBody, flag};
use crate::span_json::trace_json;
use crate::{existing, json, named};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::required;
use mainstay_mlflow::{Error, Mlflow, MlflowError, MlflowState};

/// How long a reader waits for spans that are on their way: as long as a stock server tries.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it rests between the first two looks, and twice as long each time after: a look reads all the spans that
/// there are.
const REST: Duration = Duration::from_millis(50);

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3().get("traces/{trace_id}", Action::RunRead, info).get("traces/get", Action::RunRead, get).rows()
}

async fn info(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<OneBody>, Error> {
    Ok(Json(existing(&state, &caller, &named(&id)?).await?.into()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Get {
    #[serde(alias = "traceId")]
    trace_id: Option<String>,
    #[serde(alias = "allowPartial", deserialize_with = "flag")]
    allow_partial: bool,
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Get>,
) -> Result<Response, Error> {
    let text = required("trace_id", request.trace_id)?;
    let id = TraceId::parse(&text).map_err(|_| MlflowError::NoTraceYet(text))?;
    let (trace, spans) = if request.allow_partial {
        with_spans(&state, &caller, &id).await?
    } else {
        whole(&state, &caller, &id).await?
    };
    let trace = trace_json(trace, spans).await?;
    Ok(json([&b"{\"trace\":"[..], &*trace, &b"}"[..]].concat()))
}

/// A trace with the spans that there are, if the caller may do to its experiment what the route does.
pub(super) async fn with_spans(
    state: &Mlflow,
    caller: &Caller,
    id: &TraceId,
) -> Result<(AssessedTrace, StoredSpans), Error> {
    let found = state.traced.trace_with_spans(&caller.workspace, id).await?;
    let found = found.ok_or_else(|| MlflowError::NoTraceYet(id.to_string()))?;
    caller.admitted(ResourceKind::Experiment, found.0.info.experiment)?;
    Ok(found)
}

/// A trace with all its spans; for those that are on their way it waits a while.
async fn whole(state: &Mlflow, caller: &Caller, id: &TraceId) -> Result<(AssessedTrace, StoredSpans), Error> {
    let mut head = state.events.head();
    let gathering = async {
        let mut rest = REST;
        loop {
            let (trace, spans) = with_spans(state, caller, id).await?;
            // If the writer has stopped, nothing more will come.
            if trace.info.is_complete(spans.count()?) || head.changed().await.is_err() {
                return Ok::<_, Error>((trace, spans));
            }
            tokio::time::sleep(rest).await;
            rest *= 2;
        }
    };
    let gathered = match tokio::time::timeout(PATIENCE, gathering).await {
        Ok(gathered) => gathered?,
        // What came during the last rest is looked at once more.
        Err(_) => with_spans(state, caller, id).await?,
    };
    if gathered.0.info.is_complete(gathered.1.count()?) {
        Ok(gathered)
    } else {
        Err(MlflowError::TraceNotWhole(id.to_string()).into())
    }
}
