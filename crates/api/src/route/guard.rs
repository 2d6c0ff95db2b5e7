//! What stands before every handler: who calls, on which workspace, and may they.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, RawPathParams, Request};
use axum::handler::Handler;
use axum::response::Response;
use futures::FutureExt as _;
use http::{HeaderValue, header};
use mainstay_core::action::Action;
use mainstay_core::command::Verdict;
use mainstay_core::error::{Coded, ErrorCode, Failure};
use mainstay_core::name::Name;
use mainstay_core::permission::Reach;
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::limit::{Asker, RateLimited};
use super::{App, RouteScope};
use crate::caller::{AuthenticationError, Caller, Levels, NoWorkspace, Policy, workspace};
use crate::dialect::{Protocol, render};
use crate::meter::RouteMeter;

/// Bodies beyond it take a while to read, in bytes.
const SHORT_BODY: u64 = 64 << 10;

/// What a guard knows of its route. One for all its requests.
pub(super) struct Guard {
    pub(super) app: App,
    pub(super) protocol: Protocol,
    pub(super) action: Action,
    pub(super) scope: RouteScope,
    pub(super) body_limit: DefaultBodyLimit,
    pub(super) is_brief: bool,
    pub(super) takes_levels: bool,
    pub(super) meter: Arc<RouteMeter>,
}

/// A handler behind its guard. A handler itself, and no layer around one: a layer costs every request a copy
/// of all that lies below it.
#[derive(Clone)]
pub(super) struct Guarded<H> {
    pub(super) guard: Arc<Guard>,
    pub(super) handler: H,
}

impl<S, T, H> Handler<T, S> for Guarded<H>
where
    S: Send + 'static,
    H: Handler<T, S>,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        Box::pin(async move {
            let guard = &*self.guard;
            let started = guard.app.clock.now();
            let response = match guard.admit(request).await {
                Ok((request, open)) => {
                    let workers = guard.workers(&request);
                    let answering = self.handler.call(request, state);
                    let answer = match workers {
                        None => AssertUnwindSafe(answering)
                            .catch_unwind()
                            .await
                            .unwrap_or_else(|_| unfinished(guard.protocol)),
                        Some(workers) => answered_by(workers, guard.protocol, answering).await,
                    };
                    match open {
                        Some(open) => open.passed(guard, answer),
                        None => answer,
                    }
                }
                Err(refused) => refused.render(guard.protocol),
            };
            let micros = guard.app.clock.now().since(started);
            guard.meter.note(response.status().as_u16(), micros);
            response
        })
    }
}

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
        if self.actor.is_anonymous() { ErrorCode::Unauthenticated } else { ErrorCode::PermissionDenied }
    }
}

/// A request that was let in although its caller may do the action to some things and not to others.
struct Open {
    reach: Option<Arc<Reach>>,
    denied: Denied,
}

impl Open {
    /// The answer, if the policy was asked about the thing at hand meanwhile. What nobody asked about is not shown:
    /// the handler does not know of levels on single things, and it takes a role to see what it shows.
    fn passed(self, guard: &Guard, answer: Response) -> Response {
        let was_asked = self.reach.is_some_and(|reach| reach.was_asked());
        let is_refusal = answer.status().is_client_error() || answer.status().is_server_error();
        if was_asked || is_refusal { answer } else { render(guard.protocol, &self.denied.into()) }
    }
}

/// Why a request does not reach its handler.
enum Refused {
    /// Nobody known, or not allowed.
    Failure(Failure),
    /// Too often: so many seconds are to pass.
    Later(Failure, u64),
}

impl<E: Into<Failure>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl Refused {
    fn limited(limited: RateLimited) -> Self {
        Self::Later(limited.into(), limited.seconds)
    }

    fn unknown(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::TooManyAttempts(seconds) => Self::Later(error.into(), seconds),
            _ => Self::Failure(error.into()),
        }
    }

    fn render(self, protocol: Protocol) -> Response {
        match self {
            Self::Failure(failure) => render(protocol, &failure),
            Self::Later(failure, seconds) => {
                let mut response = render(protocol, &failure);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
        }
    }
}

/// A handler panicked, or the server stops.
#[derive(Debug, thiserror::Error)]
#[error("the answer was not finished; try again, and see the log")]
pub(crate) struct Unfinished;

impl Coded for Unfinished {
    fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }
}

/// Lets a worker answer, who stops as soon as nobody waits for it.
async fn answered_by(
    workers: &Handle,
    protocol: Protocol,
    answering: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let mut answer = JoinSet::new();
    answer.spawn_on(answering, workers);
    match answer.join_next().await {
        Some(Ok(response)) => response,
        _ => unfinished(protocol),
    }
}

/// What is answered in place of a handler that panicked, which has said so in the log.
fn unfinished(protocol: Protocol) -> Response {
    render(protocol, &Unfinished.into())
}

impl Guard {
    /// Who is to answer a request, if not the thread that it came to.
    fn workers(&self, request: &Request) -> Option<&Handle> {
        let is_short = request.body().size_hint().upper().is_some_and(|bytes| bytes <= SHORT_BODY);
        if self.is_brief && is_short { None } else { self.app.workers.as_ref() }
    }

    async fn admit(&self, request: Request) -> Result<(Request, Option<Open>), Refused> {
        let (mut parts, body) = request.into_parts();
        let address = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
        let known = self.app.authenticator.authenticate(&parts).await;
        // Whoever is not known is counted by address, the guessing of credentials included.
        let asker = match &known {
            Ok(principal) if !principal.actor.is_anonymous() => Asker::Actor(principal.actor.clone()),
            _ => Asker::Address(address),
        };
        self.app.limiter.admit(asker).map_err(Refused::limited)?;
        let principal = known.map_err(Refused::unknown)?;
        let workspace = workspace(&parts.headers)?;
        let subject = match self.scope {
            RouteScope::Server => Subject::new(ResourceKind::Server, "server"),
            RouteScope::Workspace => Subject::new(ResourceKind::Workspace, &workspace),
            RouteScope::Path(kind, parameter) => {
                Subject::new(kind, path_parameter(&mut parts, parameter).await)
            }
        };
        let scope = Scope::new(workspace, subject);
        let authorizer = &self.app.authorizer;
        let verdict = self.judge(&principal, &scope);
        if verdict == Verdict::Refused {
            authorizer.refused(&principal, self.action, &scope);
            return Err(Denied { actor: principal.actor, action: self.action, subject: scope.subject }.into());
        }
        let Scope { workspace, subject } = scope;
        // Asked last, so that nobody learns which there are who has no part in them.
        self.expect(&workspace).await?;
        let (actor, action, is_open) = (&principal.actor, self.action, verdict == Verdict::Open);
        let open = is_open.then(|| Open {
            reach: principal.reach.clone(),
            denied: Denied { actor: actor.clone(), action, subject },
        });
        let levels = principal.reach.is_some();
        let levels = levels.then(|| Levels { authorizer: Arc::clone(authorizer), action, is_open });
        let policy = Some(Policy(Arc::clone(authorizer)));
        parts.extensions.insert(Caller { principal, workspace, levels, policy });
        let mut request = Request::from_parts(parts, body);
        self.body_limit.apply(&mut request);
        Ok((request, open))
    }

    /// What the policy says. Pages and accounts that put together what many things hold take a role: a level on one of
    /// them opens none; it only closes some.
    fn judge(&self, principal: &Principal, scope: &Scope) -> Verdict {
        let authorizer = &self.app.authorizer;
        let takes_role = principal.reach.is_some() && !self.takes_levels;
        if takes_role && !authorizer.allows(&principal.by_roles(), self.action, scope) {
            return Verdict::Refused;
        }
        authorizer.judges(principal, self.action, scope)
    }

    /// Refuses a workspace that is not there. Whether the server lives does not depend on one.
    async fn expect(&self, workspace: &Name) -> Result<(), Refused> {
        let Some(known) = self.app.workspaces.as_ref().filter(|_| !workspace.is_default()) else {
            return Ok(());
        };
        if self.action == Action::ServerProbe || known.exists(workspace).await? {
            return Ok(());
        }
        Err(NoWorkspace(workspace.clone()).into())
    }
}

async fn path_parameter(parts: &mut http::request::Parts, parameter: &str) -> String {
    use axum::extract::FromRequestParts as _;
    let named = RawPathParams::from_request_parts(parts, &()).await.ok();
    let value = named.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == parameter));
    // An empty name matches no policy that speaks of one thing.
    value.map_or_else(String::new, |(_, value)| value.to_owned())
}
