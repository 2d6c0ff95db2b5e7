//! `GET get-trace-artifact`: the spans of a trace as a file, or a file that a span has attached.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::object::ObjectPath;
use mainstay_core::scope::ResourceKind;
use mainstay_traces::id::TraceId;
use mainstay_traces::info::{TraceInfo, key};
use mainstay_traces::span_text::write_span;
use mainstay_traces::stored::StoredSpans;
use serde::Deserialize;

use crate::get::with_spans;
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;
use mainstay_mlflow::artifact_owner::owned;
use mainstay_mlflow::artifact_path::stored_at;
use mainstay_mlflow::body::Call;
use mainstay_mlflow::download::download;
use mainstay_mlflow::table::Table;
use mainstay_mlflow::{Error, Mlflow, MlflowError, MlflowState};

/// The name under which clients store spans that they do not send.
const FILE: &str = "traces.json";

pub(super) fn routes() -> Vec<Route<MlflowState>> {
    let rows = |version| Table::ajax(version).get("get-trace-artifact", Action::RunRead, get).rows();
    ["/2.0/mlflow", "/3.0/mlflow"].into_iter().flat_map(rows).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    request_id: Option<String>,
    path: Option<String>,
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    headers: HeaderMap,
    Call(wanted): Call<Wanted>,
) -> Result<Response, Error> {
    let id = wanted.request_id.filter(|id| !id.is_empty()).ok_or(MlflowError::NoRequestId)?;
    let id = TraceId::parse(&id).map_err(|_| MlflowError::NoTraceYet(id))?;
    let found = state.traced.traces(&caller.workspace, std::slice::from_ref(&id)).await?;
    let info = found.into_iter().next().ok_or_else(|| MlflowError::NoTraceYet(id.to_string()))?.info;
    caller.admitted(ResourceKind::Experiment, info.experiment)?;
    let below = match wanted.path {
        Some(path) if !is_uuid(&path) => return Err(MlflowError::InvalidAttachment(path).into()),
        Some(path) => format!("attachments/{path}"),
        None if info.tags.get(key::SPANS_LOCATION).is_some_and(|place| place == key::TRACKING_STORE) => {
            let (_, spans) = with_spans(&state, &caller, &id).await?;
            let writing = tokio::task::spawn_blocking(move || traces_json(&id, &spans));
            let body = writing.await.map_err(|error| StorageError::Failed(error.into()))??;
            return Ok(file(body.into()));
        }
        None => FILE.to_owned(),
    };
    let path = path(&state, &caller, &info, &below).await?;
    if below != FILE {
        return download(&*state.objects, &path, &headers).await;
    }
    let content = state.objects.get(&path, None).await?;
    let content = content.ok_or_else(|| MlflowError::NoArtifact(path.to_string()))?;
    Ok(file(Body::from_stream(content.bytes)))
}

/// `{"spans": […]}`.
fn traces_json(id: &TraceId, spans: &StoredSpans) -> Result<String, StorageError> {
    let unpacked = spans.unpack()?;
    let mut text = String::from("{\"spans\": [");
    for (at, span) in unpacked.read::<&str>()?.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { ", " });
        write_span(&mut text, id, span);
    }
    text.push_str("]}");
    Ok(text)
}

/// `traces.json`, as the tests of clients want to see it sent.
fn file(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_DISPOSITION, "attachment; filename=traces.json"),
    ];
    (headers, body).into_response()
}

/// Where a file lies below the trace's artifacts.
async fn path(state: &Mlflow, caller: &Caller, info: &TraceInfo, below: &str) -> Result<ObjectPath, Error> {
    let location = info.tags.get(key::ARTIFACT_LOCATION).cloned().unwrap_or_default();
    let root = stored_at(&location).ok_or_else(|| MlflowError::ElsewhereArtifacts(location.clone()))??;
    let root = owned(state, caller, root).await?;
    Ok(root.join(below).map_err(|_| MlflowError::InvalidPath)?)
}

/// Whether a text is a UUID as it is usually written: 8-4-4-4-12 lower-case hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let are_digits = |group: &&str| group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(are_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_named_by_uuids() {
        assert!(is_uuid("01234567-89ab-cdef-0123-456789abcdef"));
        for bad in ["", "..", "01234567-89AB-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef"] {
            assert!(!is_uuid(bad), "{bad}");
        }
    }
}
