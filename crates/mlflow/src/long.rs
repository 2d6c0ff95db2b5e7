//! Long answers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header;
use mainstay_core::error::StorageError;
use serde::Serialize;

use crate::Error;

/// An answer in JSON that may be megabytes long. axum's `Json` says the same, but writes token by token into a buffer
/// that is slower at that than a vector.
#[derive(Debug)]
pub(crate) struct Long<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Long<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => ([(header::CONTENT_TYPE, "application/json")], Body::from(text)).into_response(),
            Err(error) => Error::from(StorageError::Failed(error.into())).into_response(),
        }
    }
}
