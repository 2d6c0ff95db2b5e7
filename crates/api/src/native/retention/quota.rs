//! Quotas: how much the workspace may have, and has.

use axum::Json;
use axum::extract::State;
use mainstay_retention::quota::{Limits, SetLimits, Usage};
use serde::Serialize;

use super::RetentionState;
use crate::caller::Caller;
use crate::native::Error;
use crate::native::request::JsonBody;

/// A quota on the wire. What is not limited is not counted.
#[derive(Debug, Serialize)]
pub(super) struct QuotaBody {
    limits: Limits,
    usage: Option<UsageBody>,
}

#[derive(Debug, Serialize)]
struct UsageBody {
    experiments: u64,
    runs: u64,
    traces_today: u64,
    artifact_bytes: u64,
    measured_at: Option<String>,
}

impl QuotaBody {
    fn of(usage: Option<Usage>, today: i64) -> Self {
        let limits = usage.map(|usage| usage.limits).unwrap_or_default();
        let usage = usage.map(|usage| UsageBody {
            experiments: usage.experiments,
            runs: usage.runs,
            traces_today: usage.traces_on(today),
            artifact_bytes: usage.artifact_bytes,
            measured_at: usage.measured.map(|at| at.to_string()),
        });
        Self { limits, usage }
    }
}

pub(super) async fn show(
    State(state): State<RetentionState>,
    caller: Caller,
) -> Result<Json<QuotaBody>, Error> {
    let usage = state.quotas.usage(&caller.workspace).await?;
    Ok(Json(QuotaBody::of(usage, state.clock.now().day())))
}

pub(super) async fn set(
    State(state): State<RetentionState>,
    caller: Caller,
    JsonBody(limits): JsonBody<Limits>,
) -> Result<Json<QuotaBody>, Error> {
    let workspace = caller.workspace.clone();
    state.limits.run(&caller.principal, SetLimits { workspace, limits }).await?;
    let usage = state.quotas.usage(&caller.workspace).await?;
    Ok(Json(QuotaBody::of(usage, state.clock.now().day())))
}
