//! Quotas: how much the workspace may have, and has.

use axum::Json;
use axum::extract::State;
use mainstay_core::name::Name;
use mainstay_retention::quota::{ChangeLimits, LimitChanges, Limits, SetLimits, Usage};
use serde::Serialize;

use super::RetentionState;
use crate::caller::Caller;
use crate::native::Error;
use crate::native::request::JsonBody;

/// A quota on the wire.
#[derive(Debug, Serialize)]
pub(super) struct QuotaBody {
    limits: Limits,
    usage: UsageBody,
}

#[derive(Debug, Serialize)]
struct UsageBody {
    experiments: u64,
    runs: u64,
    /// `None` where they are not counted, which they are where something is limited.
    traces_today: Option<u64>,
    /// `None` where they were never measured.
    artifact_bytes: Option<u64>,
    measured_at: Option<String>,
}

impl QuotaBody {
    fn of(usage: Usage, traces_today: Option<u64>) -> Self {
        let Usage { limits, experiments, runs, artifact_bytes, measured, .. } = usage;
        let usage = UsageBody {
            experiments,
            runs,
            traces_today,
            artifact_bytes: measured.map(|_| artifact_bytes),
            measured_at: measured.map(|at| at.to_string()),
        };
        Self { limits, usage }
    }
}

async fn quota(state: &RetentionState, workspace: &Name) -> Result<Json<QuotaBody>, Error> {
    let body = match state.quotas.usage(workspace).await? {
        Some(usage) => QuotaBody::of(usage, Some(usage.traces_on(state.clock.now().day()))),
        None => QuotaBody::of(state.quotas.count(workspace).await?, None),
    };
    Ok(Json(body))
}

pub(super) async fn show(
    State(state): State<RetentionState>,
    caller: Caller,
) -> Result<Json<QuotaBody>, Error> {
    quota(&state, &caller.workspace).await
}

pub(super) async fn set(
    State(state): State<RetentionState>,
    caller: Caller,
    JsonBody(limits): JsonBody<Limits>,
) -> Result<Json<QuotaBody>, Error> {
    let workspace = caller.workspace.clone();
    state.limits.run(&caller.principal, SetLimits { workspace, limits }).await?;
    quota(&state, &caller.workspace).await
}

pub(super) async fn change(
    State(state): State<RetentionState>,
    caller: Caller,
    JsonBody(changes): JsonBody<LimitChanges>,
) -> Result<Json<QuotaBody>, Error> {
    let workspace = caller.workspace.clone();
    state.limits.run(&caller.principal, ChangeLimits { workspace, changes }).await?;
    quota(&state, &caller.workspace).await
}
