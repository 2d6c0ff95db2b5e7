//! `GET metrics/get-history`: all points of a metric, or pages of them. A run that is not there has none.

use axum::extract::State;
use mainstay_core::action::Action;
use mainstay_core::page::Page;
use mainstay_tracking::metric::Point;
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::long::Long;
use crate::run::{admit, run_named};
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

const fn point_at((timestamp_ms, step, value): Key) -> Point {
    Point { step, timestamp_ms, value: f64::from_bits(value) }
}

async fn get_history(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<GetHistory>,
) -> Result<Long<History>, Error> {
    let run = run_named(request.run_id, request.run_uuid)?;
    let metric = required("metric_key", request.metric_key)?;
    // Without a limit a client wants them all.
    let page = page(request.max_results, (usize::MAX, usize::MAX), request.page_token.as_deref())?;
    let after = page.after.map(|token| token.key().map(point_at)).transpose()?;
    let limit = page.limit.saturating_add(1);
    let points = match run.parse() {
        Ok(run) => {
            admit(&state, &caller, &[run]).await?;
            state.tracked.history_after(&caller.workspace, run, &metric, after, limit).await?
        }
        // What is no run has no points either.
        Err(_) => Vec::new(),
    };
    let Page { items, next } = Page::of(points, page.limit, key);
    Ok(Long(History {
        metrics: items.into_iter().map(|point| MetricBody::new(&*metric, point)).collect(),
        next_page_token: next.map(|token| token.to_string()),
    }))
}
