//! `PUT /api/v1/endpoints/{name}`: creates an endpoint, or changes its definition.
//!
//! The body is the definition without the name. A change names the revision that it was made against, by
//! `If-Match` or `?expected=`; the same definition once more changes nothing and needs no such statement,
//! so that a definition can be applied from a file again and again.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_serving::command::{ChangeEndpoint, CreateEndpoint};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::error::ServingError;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error as ThisError;

use super::read::EndpointBody;
use super::{EndpointState, ONE};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::precondition::{etag, expected};
use crate::native::request::{JsonBody, One, Params};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route<EndpointState>> {
    let write = (Action::EndpointWrite, ONE);
    vec![Route::new(Protocol::Native, (Method::PUT, "/api/v1/endpoints/{name}"), write, define)]
}

/// Why a definition is not taken.
#[derive(Debug, ThisError)]
enum DefineError {
    /// Not a definition.
    #[error("the definition cannot be read: {0}")]
    Unreadable(serde_json::Error),
    /// Another name than the path's.
    #[error("the definition is of '{0}', and the address of another endpoint; leave 'name' out")]
    OtherName(String),
    /// A change against nothing.
    #[error(
        "endpoint '{endpoint}' is there, at revision {current}, and this definition differs; read it, and change it with If-Match: \"{current}\""
    )]
    Unconditional {
        /// The endpoint.
        endpoint: Name,
        /// Its revision.
        current: u64,
    },
}

impl Coded for DefineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unreadable(_) => ErrorCode::InvalidDefinition,
            Self::OtherName(_) => ErrorCode::InvalidArgument,
            Self::Unconditional { .. } => ErrorCode::RevisionConflict,
        }
    }
}

#[derive(Debug, Deserialize)]
struct DefineParams {
    expected: Option<u64>,
}

async fn define(
    State(state): State<EndpointState>,
    caller: Caller,
    One(name): One<Name>,
    Params(params): Params<DefineParams>,
    headers: HeaderMap,
    JsonBody(document): JsonBody<Map<String, Value>>,
) -> Result<Response, Error> {
    let expected = expected(&headers, params.expected)?;
    let endpoint = read(&name, document)?;
    let workspace = caller.workspace.clone();
    let present = state.endpoints.endpoint(&workspace, &name).await?;
    let (status, revision) = match (present, expected) {
        (None, Some(_)) => return Err(ServingError::NoEndpoint(name).into()),
        (None, None) => {
            let create = CreateEndpoint { workspace: workspace.clone(), endpoint: endpoint.clone() };
            (StatusCode::CREATED, state.serving.run(&caller.principal, create).await?)
        }
        (Some((known, revision)), None) if known == endpoint => (StatusCode::OK, revision),
        (Some((_, revision)), None) => {
            return Err(DefineError::Unconditional { endpoint: name, current: revision.number }.into());
        }
        (Some((known, _)), Some(expected)) => {
            let change = ChangeEndpoint {
                workspace: workspace.clone(),
                expected,
                governed: known.governed,
                endpoint: endpoint.clone(),
            };
            (StatusCode::OK, state.commands.change(&caller.principal, change).await?)
        }
    };
    let tag = etag(revision.number);
    let body = EndpointBody::gather(&state, &workspace, (endpoint, revision)).await?;
    Ok((status, tag, Json(body)).into_response())
}

fn read(name: &Name, mut document: Map<String, Value>) -> Result<Endpoint, DefineError> {
    let named = document.insert("name".to_owned(), Value::from(name.as_str()));
    match named {
        Some(other) if other.as_str() != Some(name.as_str()) => {
            Err(DefineError::OtherName(other.to_string().chars().take(100).collect()))
        }
        _ => serde_json::from_value(Value::Object(document)).map_err(DefineError::Unreadable),
    }
}
