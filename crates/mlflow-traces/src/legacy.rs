//! Traces as version 2 of the API has them, for clients before 3.0: begun, ended, read and searched.

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::page::Page;
use mainstay_traces::command::{BeginTrace, EndTrace};
use mainstay_traces::id::TraceId;
use mainstay_traces::info::{Pairs, TraceInfo, TraceState, checked_pairs};
use serde::{Deserialize, Serialize};

use crate::body::{shown_metadata, shown_tags};
use crate::search::{Wanted, found};
use crate::{existing, named};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{Choice, KeyValue, int64, list, pairs, required};
use mainstay_mlflow::{Error, MlflowError, MlflowState};

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let writing =
        Table::v2().post("traces", Action::RunWrite, begin).patch("traces/{trace_id}", Action::RunWrite, end);
    let reading = Table::v2().get("traces/{trace_id}/info", Action::RunRead, info).get(
        "traces",
        Action::RunRead,
        search,
    );
    [writing.brief(), reading].into_iter().flat_map(Table::rows).collect()
}

/// `TraceInfo` of version 2.
#[derive(Debug, Serialize)]
struct InfoV2 {
    request_id: String,
    experiment_id: String,
    timestamp_ms: i64,
    execution_time_ms: i64,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    request_metadata: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<KeyValue>,
}

impl From<TraceInfo> for InfoV2 {
    fn from(info: TraceInfo) -> Self {
        Self {
            request_id: info.id.to_string(),
            experiment_id: info.experiment.to_string(),
            timestamp_ms: info.request_ms,
            execution_time_ms: info.duration_ms.unwrap_or(0),
            status: if info.state == TraceState::Unspecified { UNSPECIFIED } else { info.state.as_str() },
            request_metadata: pairs(shown_metadata(info.metadata)),
            tags: pairs(shown_tags(info.tags)),
        }
    }
}

/// What this version calls a state that nobody told.
const UNSPECIFIED: &str = "TRACE_STATUS_UNSPECIFIED";

#[derive(Debug, Serialize)]
struct OneV2 {
    trace_info: InfoV2,
}

fn one(info: TraceInfo) -> Json<OneV2> {
    Json(OneV2 { trace_info: info.into() })
}

fn map(pairs: Vec<KeyValue>) -> Result<Pairs, Error> {
    Ok(checked_pairs(pairs.into_iter().map(|pair| (pair.key, pair.value)))?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Begin {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    #[serde(alias = "timestampMs", deserialize_with = "int64")]
    timestamp_ms: Option<i64>,
    #[serde(alias = "requestMetadata", deserialize_with = "list")]
    request_metadata: Vec<KeyValue>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
}

async fn begin(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Begin>,
) -> Result<Json<OneV2>, Error> {
    let command = BeginTrace {
        workspace: caller.workspace,
        experiment: ExperimentId::parse(&required("experiment_id", request.experiment_id)?)?,
        id: TraceId::drawn(state.entropy.bytes16()),
        request_ms: request.timestamp_ms.unwrap_or(0),
        tags: map(request.tags)?,
        metadata: map(request.request_metadata)?,
    };
    Ok(one(state.traces.run(&caller.principal, command).await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct End {
    #[serde(alias = "timestampMs", deserialize_with = "int64")]
    timestamp_ms: Option<i64>,
    status: Option<Choice>,
    #[serde(alias = "requestMetadata", deserialize_with = "list")]
    request_metadata: Vec<KeyValue>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
}

async fn end(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
    Call(request): Call<End>,
) -> Result<Json<OneV2>, Error> {
    let command = EndTrace {
        workspace: caller.workspace,
        id: named(&id)?,
        end_ms: request.timestamp_ms.unwrap_or(0),
        state: request.status.as_ref().map_or(Ok(TraceState::Unspecified), status)?,
        tags: map(request.tags)?,
        metadata: map(request.request_metadata)?,
    };
    Ok(one(state.traces.run(&caller.principal, command).await?))
}

/// `TraceStatus`: its names but for one, and its numbers, are those of a state.
fn status(choice: &Choice) -> Result<TraceState, MlflowError> {
    let names =
        [UNSPECIFIED, TraceState::Ok.as_str(), TraceState::Error.as_str(), TraceState::InProgress.as_str()];
    let name = choice.name(&names, 0);
    let at = name.and_then(|name| names.iter().position(|known| *known == name));
    let state = at.and_then(|at| TraceState::ALL.get(at).copied());
    state.ok_or_else(|| MlflowError::invalid("status", format!("{choice:?}"), "use OK, ERROR or IN_PROGRESS"))
}

async fn info(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<OneV2>, Error> {
    Ok(one(existing(&state, &caller, &named(&id)?).await?.info))
}

/// The fields of [`Wanted`] are written out: a query does not say which of them are lists.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    #[serde(alias = "experimentIds", deserialize_with = "list")]
    experiment_ids: Vec<String>,
    filter: Option<String>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "orderBy", deserialize_with = "list")]
    order_by: Vec<String>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    traces: Vec<InfoV2>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<Found>, Error> {
    let Search { experiment_ids, filter, max_results, order_by, page_token } = request;
    let experiments: Vec<&str> = experiment_ids.iter().map(String::as_str).collect();
    let wanted = Wanted { filter, max_results, order_by, page_token };
    let Page { items, next } = found(&state, &caller, &experiments, wanted).await?;
    Ok(Json(Found {
        traces: items.into_iter().map(|trace| trace.info.into()).collect(),
        next_page_token: next.map(|token| token.to_string()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_names_of_its_own() {
        let named = |name: &str| status(&Choice::Name(name.to_owned()));
        assert_eq!(named("TRACE_STATUS_UNSPECIFIED"), Ok(TraceState::Unspecified));
        assert_eq!(named("IN_PROGRESS"), Ok(TraceState::InProgress));
        assert_eq!(status(&Choice::Number(2)), Ok(TraceState::Error));
        assert!(named("STATE_UNSPECIFIED").is_err() && status(&Choice::Number(4)).is_err());
    }
}
