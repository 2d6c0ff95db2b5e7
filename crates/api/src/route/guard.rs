//! What stands before every handler: who calls, on which workspace, and may they.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, header};
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode, Failure};
use mainstay_core::principal::Actor;
use mainstay_core::scope::{ResourceKind, Scope, Subject};

use super::limit::{Asker, RateLimited};
use super::{Guarded, RouteScope};
use crate::caller::{Caller, workspace};
use crate::dialect::{Protocol, render};

/// The policy refuses.
#[derive(Debug, thiserror::Error)]
#[error("{actor} may not do {action} on {subject}; ask an admin of the workspace for a role that allows it")]
pub struct Denied {
    /// Who asked.
    pub actor: Actor,
    /// For what.
    pub action: Action,
    /// On what.
    pub subject: Subject,
}

impl Coded for Denied {
    fn code(&self) -> ErrorCode {
        if self.actor == Actor::anonymous() {
            ErrorCode::Unauthenticated
        } else {
            ErrorCode::PermissionDenied
        }
    }
}

/// Why a request does not reach its handler.
enum Refused {
    /// Nobody known, or not allowed.
    Failure(Failure),
    /// Too often.
    Limited(RateLimited),
}

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl Refused {
    fn render(self, protocol: Protocol) -> Response {
        match self {
            Self::Failure(failure) => render(protocol, &failure),
            Self::Limited(limited) => {
                let mut response = render(protocol, &limited.into());
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(limited.seconds));
                response
            }
        }
    }
}

pub(super) async fn check(State(guarded): State<Arc<Guarded>>, request: Request, next: Next) -> Response {
    let started = guarded.app.clock.now();
    let response = match admit(&guarded, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused.render(guarded.protocol),
    };
    let micros = guarded.app.clock.now().since(started);
    guarded.meter.note(response.status().as_u16(), micros);
    response
}

async fn admit(guarded: &Guarded, request: Request) -> Result<Request, Refused> {
    let (mut parts, body) = request.into_parts();
    let address = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
    let limiter = &guarded.app.limiter;
    let known = guarded.app.authenticator.authenticate(&parts).await;
    // Whoever is not known is counted by address, the guessing of credentials included.
    let asker = match &known {
        Ok(principal) if principal.actor != Actor::anonymous() => Asker::Actor(principal.actor.clone()),
        _ => Asker::Address(address),
    };
    limiter.admit(asker).map_err(Refused::Limited)?;
    let principal = known?;
    let workspace = workspace(&parts.headers)?;
    let subject = match guarded.scope {
        RouteScope::Server => Subject::new(ResourceKind::Server, "server"),
        RouteScope::Workspace => Subject::new(ResourceKind::Workspace, &workspace),
        RouteScope::Path(kind, parameter) => Subject::new(kind, path_parameter(&mut parts, parameter).await),
    };
    let scope = Scope::new(workspace, subject);
    let authorizer = &guarded.app.authorizer;
    if !authorizer.allows(&principal, guarded.action, &scope) {
        authorizer.refused(&principal, guarded.action, &scope);
        return Err(Denied { actor: principal.actor, action: guarded.action, subject: scope.subject }.into());
    }
    let Scope { workspace, .. } = scope;
    parts.extensions.insert(Caller { principal, workspace });
    Ok(Request::from_parts(parts, body))
}

async fn path_parameter(parts: &mut http::request::Parts, parameter: &str) -> String {
    use axum::extract::FromRequestParts as _;
    let named = RawPathParams::from_request_parts(parts, &()).await.ok();
    let value = named.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == parameter));
    // An empty name matches no policy that speaks of one thing.
    value.map_or_else(String::new, |(_, value)| value.to_owned())
}
