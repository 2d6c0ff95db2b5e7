//! Why a call on the gateway is refused before there is a command of it.

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

/// What is wrong with a call. Sentences that clients read begin as MLflow's do.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// Nothing of the gateway is named so.
    #[error("{kind} not found ({field}='{value}')")]
    NotFound {
        /// The kind of thing.
        kind: &'static str,
        /// What names it.
        field: &'static str,
        /// What stands there.
        value: String,
    },
    /// An endpoint of the gateway is named twice, or not at all.
    #[error("Exactly one of endpoint_id or name must be provided")]
    EndpointKey,
    /// A model is attached in no known way.
    #[error(
        "Invalid or missing value for required parameter 'linkage_type' in {0}. Must be one of: PRIMARY, FALLBACK."
    )]
    LinkageType(String),
    /// The address of a provider is not acceptable.
    #[error("Gateway secret api_base is not accepted: {0}")]
    ApiBase(String),
    /// A request to be passed on that says not whereto.
    #[error("Deployments proxy request must specify a gateway_path.")]
    NoGatewayPath,
    /// A request that is not passed on.
    #[error("Invalid gateway_path: {path} for method: {method}")]
    GatewayPath {
        /// Whereto.
        path: String,
        /// How.
        method: http::Method,
    },
    /// What needs requests to providers.
    #[error(
        "{0} is not offered: this server keeps the gateway's secrets, models and endpoints, and sends no requests to \
         providers yet"
    )]
    NoDataPlane(&'static str),
}

impl Coded for CallError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::NoDataPlane(_) => ErrorCode::Unsupported,
            Self::EndpointKey
            | Self::LinkageType(_)
            | Self::ApiBase(_)
            | Self::NoGatewayPath
            | Self::GatewayPath { .. } => ErrorCode::InvalidArgument,
        }
    }
}
