//! `PATCH` and `DELETE traces/{id}/tags`, in both versions.

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_traces::command::{DeleteTraceTag, SetTraceTag};
use serde::Deserialize;

use crate::named;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Empty, required};
use mainstay_mlflow::{Error, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let write = Action::RunWrite;
    let rows = |table: Table| {
        table
            .patch("traces/{trace_id}/tags", write, set)
            .delete("traces/{trace_id}/tags", write, delete)
            .brief()
            .rows()
    };
    [Table::v2(), Table::v3()].into_iter().flat_map(rows).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tag {
    key: Option<String>,
    value: Option<String>,
}

async fn set(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Tag>,
) -> Result<Json<Empty>, Error> {
    let command = SetTraceTag {
        workspace: caller.workspace,
        key: required("key", request.key)?,
        id: named(&id)?,
        value: request.value.unwrap_or_default(),
    };
    state.traces.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}

async fn delete(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<Tag>,
) -> Result<Json<Empty>, Error> {
    let key = required("key", request.key)?;
    let command = DeleteTraceTag { workspace: caller.workspace, id: named(&id)?, key };
    state.traces.run(&caller.principal, command).await?;
    Ok(Json(Empty {}))
}
