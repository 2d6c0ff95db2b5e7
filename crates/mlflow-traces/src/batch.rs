//! Several traces by their ids: with spans, or without.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::permission::Readable;
use mainstay_traces::id::TraceId;
use mainstay_traces::info::TraceInfo;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::body::InfoBody;
use crate::json;
use crate::span_json::trace_json;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::wire::{list, some_list};
use mainstay_mlflow::{Error, Mlflow, MlflowError, MlflowState};

/// Most traces in one call. Clients ask for tens at once.
const MAX_TRACES: usize = 500;

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    Table::v3()
        .get("traces/batchGet", Action::RunRead, batch_get)
        .post("traces/batchGetInfos", Action::RunRead, batch_get_infos)
        .rows()
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct BatchGet {
    #[serde(alias = "traceIds", deserialize_with = "list")]
    trace_ids: Vec<String>,
    #[serde(alias = "experimentIds", deserialize_with = "some_list")]
    experiment_ids: Option<Vec<String>>,
}

impl BatchGet {
    /// The ids, each once, where it stands last. What no trace can be called is left out.
    fn ids(&self) -> Result<Vec<TraceId>, MlflowError> {
        if self.trace_ids.len() > MAX_TRACES {
            let hint = format!("ask for at most {MAX_TRACES} at once");
            return Err(MlflowError::invalid("trace_ids", self.trace_ids.len(), hint));
        }
        let parsed: Vec<TraceId> = self.trace_ids.iter().filter_map(|id| TraceId::parse(id).ok()).collect();
        let last: HashMap<&TraceId, usize> = parsed.iter().enumerate().map(|(at, id)| (id, at)).collect();
        let is_last = |(at, id): &(usize, &TraceId)| last.get(id) == Some(at);
        Ok(parsed.iter().enumerate().filter(is_last).map(|(_, id)| id.clone()).collect())
    }

    /// Whether a trace is in one of the experiments, if any are named.
    fn covers(&self, info: &TraceInfo) -> bool {
        let own = info.experiment.to_string();
        self.experiment_ids.as_ref().is_none_or(|ids| ids.contains(&own))
    }
}

async fn batch_get(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<BatchGet>,
) -> Result<Response, Error> {
    let (ids, readable) = (request.ids()?, caller.readable());
    let mut traces = Box::pin(stream::iter(ids).filter_map(move |id| {
        let (state, workspace) = (Arc::clone(&state), caller.workspace.clone());
        let wanted = (request.clone(), readable.clone());
        async move { whole(&state, &workspace, &wanted, &id).await.transpose() }
    }));
    // What goes wrong before anything is sent can still be told.
    let first = traces.next().await.transpose()?;
    let others = traces.map(|trace| Ok::<_, Error>([&b","[..], &*trace?].concat()));
    let begin = [&b"{\"traces\":["[..], &*first.unwrap_or_default()].concat();
    let parts = stream::iter([Ok(begin)]).chain(others).chain(stream::iter([Ok(b"]}".to_vec())]));
    // One trace is in memory at a time: each may have any number of spans.
    Ok(json(Body::from_stream(parts.map_ok(Bytes::from).map_err(Broken::from))))
}

/// A trace was announced that could not be read.
#[derive(Debug, Error)]
#[error("the traces could not be read to the end")]
struct Broken;

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        // It is too late to tell the client why; the answer that would have told it logs the reason.
        drop(error.into_response());
        Self
    }
}

/// A trace in JSON, if all its spans are there.
async fn whole(
    state: &Mlflow,
    workspace: &Name,
    (request, readable): &(BatchGet, Readable),
    id: &TraceId,
) -> Result<Option<Vec<u8>>, Error> {
    match state.traced.trace_with_spans(workspace, id).await? {
        Some((trace, spans))
            if request.covers(&trace.info)
                && readable.has(trace.info.experiment)
                && trace.info.is_complete(spans.count()?) =>
        {
            trace_json(trace, spans).await.map(Some)
        }
        _ => Ok(None),
    }
}

#[derive(Debug, Serialize)]
struct Infos {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trace_infos: Vec<InfoBody>,
}

async fn batch_get_infos(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<BatchGet>,
) -> Result<Json<Infos>, Error> {
    let found = state.traced.traces(&caller.workspace, &request.ids()?).await?;
    let readable = caller.readable();
    let wanted =
        found.into_iter().filter(|trace| request.covers(&trace.info) && readable.has(trace.info.experiment));
    Ok(Json(Infos { trace_infos: wanted.map(InfoBody::from).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trace_comes_once_where_it_stands_last() {
        let ids = ["a", "b/", "b", "a", "c"].map(str::to_owned).to_vec();
        let ids = BatchGet { trace_ids: ids, experiment_ids: None }.ids().unwrap();
        assert_eq!(ids.iter().map(TraceId::as_str).collect::<Vec<_>>(), ["b", "a", "c"]);
        let many = vec!["a".to_owned(); MAX_TRACES + 1];
        assert!(BatchGet { trace_ids: many, experiment_ids: None }.ids().is_err());
    }
}
