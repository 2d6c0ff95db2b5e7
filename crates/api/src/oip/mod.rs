//! Open Inference Protocol v2 over HTTP, with the binary tensor extension: what `tritonclient`, `KServe`
//! and Seldon clients speak. The model that they name is an endpoint.
//!
//! Sources: the Open Inference Protocol's `open_inference_rest.yaml`; Triton's extensions
//! `extension_binary_data.md`, `extension_parameters.md` and `extension_model_configuration.md`.
//!
//! Not offered, and refused with a sentence: compressed bodies (415), shared memory, classification,
//! raw binary requests without JSON.

mod answer;
mod binary;
mod error;
mod health;
mod infer;
mod metadata;
pub mod per_row;
mod plain;
mod request;
mod scan;
pub mod service;
pub mod tensor;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
pub use error::OipError;
pub use per_row::{MAX_ROWS, PerRow};
use serde::Deserialize;
pub use service::{InferAnswer, InferRequest, InferenceService, Refusal};

use crate::dialect::{self, ApiError};
use crate::meter::Meter;
use crate::route::Route;

/// A handler's error here.
pub type Error = ApiError<dialect::Oip>;

/// What the handlers here need.
#[derive(Clone)]
pub struct OipState {
    /// The serving path.
    pub service: Arc<dyn InferenceService>,
    /// Which Mainstay this is.
    pub version: &'static str,
    /// Counts.
    pub meter: Arc<Meter>,
}

/// The table.
pub fn routes() -> Vec<Route<OipState>> {
    [health::routes(), metadata::routes(), infer::routes()].into_iter().flatten().collect()
}

/// The endpoint that a path names, and the version if it names one.
#[derive(Debug, Deserialize)]
struct ModelPath {
    model: String,
    version: Option<String>,
}

impl ModelPath {
    fn read(path: Result<Path<Self>, PathRejection>) -> Result<Self, OipError> {
        path.map(|Path(path)| path).map_err(|_| OipError::Path)
    }

    fn version(&self) -> Result<Option<u64>, OipError> {
        let number =
            |text: &String| text.parse().map_err(|_| OipError::Version(text.chars().take(60).collect()));
        self.version.as_ref().map(number).transpose()
    }
}
