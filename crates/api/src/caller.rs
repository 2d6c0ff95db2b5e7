//! Who is calling, and on which workspace: found once per request, before any handler runs.

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use thiserror::Error;

/// The header in which `mlflow` clients name a workspace.
const MLFLOW_WORKSPACE: &str = "x-mlflow-workspace";
/// Our own.
const WORKSPACE: &str = "x-mainstay-workspace";

/// Why a request is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthenticationError {
    /// No credential where one is needed, or one that is not known.
    #[error("a valid credential is needed: send 'Authorization: Bearer <token>'")]
    Unauthenticated,
    /// A host, origin or content type that local mode does not take.
    #[error("{0}")]
    Foreign(&'static str),
}

impl Coded for AuthenticationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthenticated => ErrorCode::Unauthenticated,
            Self::Foreign(_) => ErrorCode::ForeignOrigin,
        }
    }
}

/// Turns a request's credential into a principal. The actor comes from it alone.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Who sent these headers. Somebody without a credential is [`Principal::anonymous`], and it is for
    /// the policy to say what that one may do.
    async fn authenticate(&self, parts: &Parts) -> Result<Principal, AuthenticationError>;
}

/// The caller of a request, as handlers see it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Where.
    pub workspace: Name,
}

/// The workspace that the headers name; the default one if they name none.
pub(crate) fn workspace(headers: &HeaderMap) -> Result<Name, mainstay_core::name::InvalidName> {
    let named = headers.get(WORKSPACE).or_else(|| headers.get(MLFLOW_WORKSPACE));
    match named.map(|value| value.to_str().unwrap_or_default()) {
        None => Ok(default_workspace()),
        Some(text) => Name::new(text),
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = http::StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // The route's guard put it there; without a guard there is no caller.
        parts.extensions.get::<Self>().cloned().ok_or(http::StatusCode::UNAUTHORIZED)
    }
}
