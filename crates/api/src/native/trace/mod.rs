//! `/api/v1/traces`: search over traces, and the spans of one, for pages and scripts.
//!
//! | route | what it gives |
//! |---|---|
//! | `POST /api/v1/traces/search` | rows, of which only some columns |
//! | `POST /api/v1/traces/columns` | which tags, metadata and assessments there are |
//! | `POST /api/v1/traces/columns/values` | which values one of them, or a text attribute, has |
//! | `GET /api/v1/traces/{trace}/spans?columns=&contains=` | all spans, column by column: what a timeline needs |
//! | `GET /api/v1/traces/{trace}/spans/{span}` | one, whole |
//!
//! They are logged through OpenTelemetry's and `MLflow`'s protocols. The language of filters and orders is that of
//! [`mainstay_traces::search`].

mod columns;
mod row;
mod search;
mod span;
mod vocabulary;

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{Method, header};
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::scope::ResourceKind;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::error::TraceError;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::port::{TraceReader, TraceScope, TraceTable};
use mainstay_traces::search::TraceFilter;
use mainstay_traces::stored::StoredSpans;
use serde::Deserialize;
use thiserror::Error as ThisError;

use self::columns::{Columns, SpanList};
use super::Error;
use super::request::{One, Params, Two};
use super::run::{MAX_EXPERIMENTS, RequestError, in_field};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// What the handlers here need.
#[derive(Clone)]
pub struct TraceState {
    /// Traces and their spans.
    pub reader: Arc<dyn TraceReader>,
    /// The index of traces.
    pub table: Arc<dyn TraceTable>,
}

/// The table.
pub fn routes() -> Vec<Route<TraceState>> {
    let read = (Action::RunRead, RouteScope::Workspace);
    let (native, one) = (Protocol::Native, "/api/v1/traces/{trace}/spans/{span}");
    vec![
        Route::new(native, (Method::POST, "/api/v1/traces/search"), read, search::search).for_levels(),
        Route::new(native, (Method::POST, "/api/v1/traces/columns"), read, vocabulary::columns).for_levels(),
        Route::new(native, (Method::POST, "/api/v1/traces/columns/values"), read, vocabulary::values)
            .for_levels(),
        Route::new(native, (Method::GET, "/api/v1/traces/{trace}/spans"), read, list).for_levels(),
        Route::new(native, (Method::GET, one), read, show).for_levels(),
    ]
}

/// What is asked for is not there, or cannot be.
#[derive(Debug, ThisError)]
enum SpanError {
    #[error("there is no trace '{0}'")]
    NoTrace(TraceId),
    #[error("trace '{0}' has no span '{1}'")]
    NoSpan(TraceId, SpanId),
    #[error("the name of a span is 16 hexadecimal digits")]
    Id,
    #[error("there is no column '{0}': name some of {known}", known = columns::NAMES.join(", "))]
    Column(String),
}

impl Coded for SpanError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoTrace(_) | Self::NoSpan(..) => ErrorCode::NotFound,
            Self::Id | Self::Column(_) => ErrorCode::InvalidArgument,
        }
    }
}

/// Among which traces is looked, and which of them are wanted: of those experiments that the caller may read, that
/// began within a time in milliseconds since the Unix epoch.
async fn selection(
    state: &TraceState,
    caller: &Caller,
    experiments: Option<Vec<String>>,
    filter: Option<&str>,
    (since, until): (Option<i64>, Option<i64>),
) -> Result<(TraceScope, TraceFilter), Error> {
    let since = since.map(|since| format!("timestamp_ms >= {}", since.max(0)));
    let until = until.map(|until| format!("timestamp_ms < {}", until.max(0)));
    let within: Vec<String> = since.into_iter().chain(until).collect();
    let filter = TraceFilter::parse_both(filter.unwrap_or_default(), &within.join(" AND "));
    let mut experiments = match experiments {
        Some(ids) if ids.len() > MAX_EXPERIMENTS => return Err(RequestError::Experiments.into()),
        Some(ids) => ids.iter().map(|id| ExperimentId::parse(id)).collect::<Result<Vec<_>, _>>()?,
        None => state.table.experiments_with_traces(&caller.workspace).await?,
    };
    let readable = caller.readable();
    experiments.retain(|id| readable.has(id));
    let scope = TraceScope { workspace: caller.workspace.clone(), experiments };
    Ok((scope, filter.map_err(in_field("filter"))?))
}

/// A span's name in a path.
struct Named(SpanId);

impl FromStr for Named {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| SpanError::Id)?;
        Ok(Self(SpanId(bytes)))
    }
}

/// A trace's name in a path. A text that no trace can have is refused.
struct Which(TraceId);

impl FromStr for Which {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        TraceId::parse(text).map(Self)
    }
}

/// The trace with its spans, if the caller may read its experiment.
async fn found(
    state: &TraceState,
    caller: &Caller,
    id: TraceId,
) -> Result<(AssessedTrace, StoredSpans), Error> {
    let found = state.reader.trace_with_spans(&caller.workspace, &id).await?;
    let found = found.ok_or(SpanError::NoTrace(id))?;
    caller.admitted(ResourceKind::Experiment, found.0.info.experiment)?;
    Ok(found)
}

#[derive(Debug, Deserialize)]
struct ListParams {
    columns: Option<String>,
    contains: Option<String>,
}

async fn list(
    State(state): State<TraceState>,
    caller: Caller,
    One(Which(id)): One<Which>,
    Params(params): Params<ListParams>,
) -> Result<Response, Error> {
    let wanted = Columns::parse(params.columns.as_deref())?;
    let (trace, spans) = found(&state, &caller, id).await?;
    let body =
        written(move || SpanList::read(&trace.info, &spans, wanted, params.contains.as_deref())).await?;
    Ok(json(body))
}

async fn show(
    State(state): State<TraceState>,
    caller: Caller,
    Two(Which(id), Named(span)): Two<Which, Named>,
) -> Result<Response, Error> {
    let (_, spans) = found(&state, &caller, id.clone()).await?;
    let body = written(move || span::read(&spans, span)).await?;
    Ok(json(body.ok_or(SpanError::NoSpan(id, span))?.into_bytes()))
}

/// Many spans take a while, and whoever answers requests must not wait for them.
async fn written<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StorageError::Failed(error.into()))?
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}
