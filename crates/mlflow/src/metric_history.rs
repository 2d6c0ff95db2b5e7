//! `GET metrics/get-history`: all points of a metric, or pages of them.

use std::cmp::Ordering;

use axum::Json;
use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::page::Page;
use mainstay_tracking::metric::{Point, history};
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::run::{existing, run_id};
use crate::run_body::MetricBody;
use crate::table::Table;
use crate::wire::{int64, page, required};
use crate::{Error, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::v2().get("metrics/get-history", Action::RunRead, get_history).rows()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GetHistory {
    #[serde(alias = "runId")]
    run_id: Option<String>,
    #[serde(alias = "runUuid")]
    run_uuid: Option<String>,
    #[serde(alias = "metricKey")]
    metric_key: Option<String>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
struct History {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The position of a point: timestamp, step, and the bits of its value.
type Key = (i64, i64, u64);

const fn key(point: &Point) -> Key {
    (point.timestamp_ms, point.step, point.value.to_bits())
}

/// The order of a history.
fn order(a: Key, b: Key) -> Ordering {
    let values = || f64::from_bits(a.2).total_cmp(&f64::from_bits(b.2));
    (a.0, a.1).cmp(&(b.0, b.1)).then_with(values)
}

async fn get_history(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<GetHistory>,
) -> Result<Json<History>, Error> {
    let run = run_id(request.run_id, request.run_uuid)?;
    let metric = required("metric_key", request.metric_key)?;
    // Without a limit a client wants them all.
    let page = page(request.max_results, (usize::MAX, usize::MAX), request.page_token.as_deref())?;
    if caller.is_confined() {
        existing(&state, &caller, run).await?;
    }
    let mut points = history(state.tracked.points(&caller.workspace, run, &metric).await?);
    if points.is_empty() {
        existing(&state, &caller, run).await?;
    }
    if let Some(token) = page.after {
        let after: Key = token.key()?;
        points.drain(..points.partition_point(|point| order(key(point), after).is_le()));
    }
    let Page { items, next } = Page::of(points, page.limit, key);
    Ok(Json(History {
        metrics: items.into_iter().map(|point| MetricBody::new(&*metric, point)).collect(),
        next_page_token: next.map(|token| token.to_string()),
    }))
}
