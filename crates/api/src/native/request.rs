//! Paths, queries and bodies of our own API, with refusals in its own dialect.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::StatusCode;
use http::request::Parts;
use mainstay_core::error::{Coded, ErrorCode};
use serde::de::DeserializeOwned;
use thiserror::Error as ThisError;

use super::Error;
use crate::dialect::BodyError;
use crate::route::BODY_LIMIT;

/// A path or query that cannot be read.
#[derive(Debug, ThisError)]
pub(super) enum RequestError {
    /// Not percent-encoded UTF-8.
    #[error("the address cannot be read; percent-encode its parts as UTF-8")]
    Path,
    /// A parameter of another type.
    #[error("the query cannot be read: {0}")]
    Query(String),
}

impl Coded for RequestError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A JSON body. An empty one is read as `{}`; fields that are not known are refused by the type.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = whole_body(request, state).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        BodyError::unless_object(text)?;
        let value = serde_json::from_slice(text).map_err(|e| BodyError::Malformed(e.to_string()))?;
        Ok(Self(value))
    }
}

/// The bytes of a body of at most [`BODY_LIMIT`].
pub(super) async fn whole_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, BodyError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            BodyError::TooLarge { limit: BODY_LIMIT }
        } else {
            BodyError::Incomplete
        }
    })
}

/// The query. Parameters that are not known are left alone.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let Query(value) =
            Query::try_from_uri(&parts.uri).map_err(|error| RequestError::Query(error.to_string()))?;
        Ok(Self(value))
    }
}

/// The one parameter of a path.
pub(super) struct One<T>(pub(super) T);

impl<S: Send + Sync, T: FromStr<Err: Coded>> FromRequestParts<S> for One<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(text): Path<String> =
            Path::from_request_parts(parts, state).await.map_err(|_| RequestError::Path)?;
        Ok(Self(text.parse()?))
    }
}

/// The two parameters of a path.
pub(super) struct Two<A, B>(pub(super) A, pub(super) B);

impl<S: Send + Sync, A: FromStr<Err: Coded>, B: FromStr<Err: Coded>> FromRequestParts<S> for Two<A, B> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path((first, second)): Path<(String, String)> =
            Path::from_request_parts(parts, state).await.map_err(|_| RequestError::Path)?;
        Ok(Self(first.parse()?, second.parse()?))
    }
}
