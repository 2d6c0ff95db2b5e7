//! `POST traces/delete-traces`, in both versions.

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentId;
use mainstay_traces::command::{DeleteTraces, Doomed, MAX_DELETED};
use mainstay_traces::id::TraceId;
use serde::{Deserialize, Serialize};

use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{int64, list, required};
use mainstay_mlflow::{Error, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let rows = |table: Table| table.post("traces/delete-traces", Action::RunDelete, delete).rows();
    [Table::v2(), Table::v3()].into_iter().flat_map(rows).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delete {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    #[serde(alias = "maxTimestampMillis", deserialize_with = "int64")]
    max_timestamp_millis: Option<i64>,
    #[serde(alias = "maxTraces", deserialize_with = "int64")]
    max_traces: Option<i64>,
    #[serde(alias = "requestIds", deserialize_with = "list")]
    request_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Deleted {
    traces_deleted: usize,
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Delete>,
) -> Result<Json<Deleted>, Error> {
    let experiment = ExperimentId::parse(&required("experiment_id", request.experiment_id)?)?;
    let ids: Vec<TraceId> = request.request_ids.iter().filter_map(|id| TraceId::parse(id).ok()).collect();
    let names_only_unknown = ids.is_empty() && !request.request_ids.is_empty();
    let mut traces_deleted = 0;
    if names_only_unknown && request.max_timestamp_millis.is_none() && request.max_traces.is_none() {
        return Ok(Json(Deleted { traces_deleted }));
    }
    let doomed = Doomed::new(request.max_timestamp_millis, request.max_traces, ids)?;
    // One command after the other, so that others are written in between.
    for doomed in parts(doomed) {
        loop {
            let left = match &doomed {
                Doomed::Until(ms, limit) => Doomed::Until(*ms, limit.saturating_sub(traces_deleted)),
                named @ Doomed::Named(_) => named.clone(),
            };
            let command = DeleteTraces { workspace: caller.workspace.clone(), experiment, doomed: left };
            let gone = state.traces.run(&caller.principal, command).await?;
            traces_deleted += gone;
            if gone < MAX_DELETED || matches!(doomed, Doomed::Named(_)) {
                break;
            }
        }
    }
    Ok(Json(Deleted { traces_deleted }))
}

/// Lists of as many ids as one command takes.
fn parts(doomed: Doomed) -> Vec<Doomed> {
    match doomed {
        Doomed::Named(ids) => ids.chunks(MAX_DELETED).map(|ids| Doomed::Named(ids.to_vec())).collect(),
        until @ Doomed::Until(..) => vec![until],
    }
}
