//! The table of routes: the only way to register one.

mod guard;
mod limit;
mod local;
#[cfg(test)]
pub(crate) mod tests;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::command::Authorizer;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::Clock;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::caller::{Authenticator, Workspaces};
use crate::dialect::Protocol;
use crate::meter::Meter;

use self::guard::{Guard, Guarded};

pub use guard::Denied;
pub(crate) use guard::Unfinished;
pub use limit::{Rate, RateLimiter};
pub use local::{check_local, check_page};

/// Largest body of a call that does not say otherwise, in bytes.
pub const BODY_LIMIT: usize = 1 << 20;

/// On what a route's action is: decided from its path alone, before the body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteScope {
    /// The server.
    Server,
    /// The workspace that the request names. Commands look closer.
    Workspace,
    /// The thing that a path parameter names.
    Path(ResourceKind, &'static str),
}

/// One row of the table.
pub struct Route<S> {
    /// In whose dialect errors are written.
    pub protocol: Protocol,
    /// The method.
    pub method: Method,
    /// The path, in axum's notation.
    pub path: String,
    /// What a caller must be allowed to do.
    pub action: Action,
    /// On what.
    pub scope: RouteScope,
    /// Largest body, in bytes.
    pub body_limit: usize,
    /// Whether the thread that talks to the client answers by itself.
    is_brief: bool,
    /// Whether levels on single experiments and models let in.
    takes_levels: bool,
    handler: Box<dyn Guardable<S>>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A row.
    pub fn new<T: 'static>(
        protocol: Protocol,
        (method, path): (Method, impl Into<String>),
        (action, scope): (Action, RouteScope),
        handler: impl Handler<T, S>,
    ) -> Self {
        let handler = Box::new(Unguarded { handler, extracted: PhantomData });
        Self {
            protocol,
            method,
            path: path.into(),
            action,
            scope,
            body_limit: BODY_LIMIT,
            is_brief: false,
            // The clients of a stock server expect it; what we put together ourselves takes a role.
            takes_levels: !matches!(protocol, Protocol::Native | Protocol::Ui),
            handler,
        }
    }

    /// Says that answering a short body takes microseconds, or waits for the writer alone: then it is not worth
    /// waking another thread.
    #[must_use]
    pub fn brief(mut self) -> Self {
        self.is_brief = true;
        self
    }

    /// Says that a level on an experiment or a model is enough for a route of ours, which otherwise takes a role: its
    /// handler asks about each thing that it shows. An answer for which nobody asked is withheld all the same.
    #[must_use]
    pub fn for_levels(mut self) -> Self {
        self.takes_levels = true;
        self
    }

    /// Accepts larger (or only smaller) bodies.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
}

/// A handler that has no guard yet, whatever it extracts from requests.
trait Guardable<S>: Send + Sync {
    fn behind(self: Box<Self>, guard: Guard, method: MethodFilter) -> MethodRouter<S>;
}

struct Unguarded<H, T> {
    handler: H,
    extracted: PhantomData<fn() -> T>,
}

impl<S, T, H> Guardable<S> for Unguarded<H, T>
where
    S: Clone + Send + Sync + 'static,
    T: 'static,
    H: Handler<T, S> + Sync,
{
    fn behind(self: Box<Self>, guard: Guard, method: MethodFilter) -> MethodRouter<S> {
        on(method, Guarded { guard: Arc::new(guard), handler: self.handler })
    }
}

/// What every guard needs.
#[derive(Clone)]
pub struct App {
    /// Finds the caller.
    pub authenticator: Arc<dyn Authenticator>,
    /// Decides.
    pub authorizer: Arc<dyn Authorizer>,
    /// Knows which workspaces there are; any name is one, if absent.
    pub workspaces: Option<Arc<dyn Workspaces>>,
    /// Holds up who asks too often.
    pub limiter: Arc<RateLimiter>,
    /// Counts.
    pub meter: Arc<Meter>,
    /// Machine time.
    pub clock: Arc<dyn Clock>,
    /// Who answers what is not brief; whoever asks, if there are none.
    pub workers: Option<Handle>,
    /// Turns true when the server drains: what would be answered for as long as it lives ends then.
    pub stopping: Option<watch::Receiver<bool>>,
}

impl App {
    /// An application without workers that holds nobody up, if `rate` is `None`.
    pub fn new(
        authenticator: Arc<dyn Authenticator>,
        authorizer: Arc<dyn Authorizer>,
        clock: Arc<dyn Clock>,
        rate: Option<Rate>,
    ) -> Self {
        let limiter = Arc::new(RateLimiter::new(Arc::clone(&clock), rate));
        let (meter, workers, workspaces) = (Arc::default(), None, None);
        Self { authenticator, authorizer, workspaces, limiter, meter, clock, workers, stopping: None }
    }
}

/// Builds the router of a table: each route behind its guard.
pub fn router<S: Clone + Send + Sync + 'static>(app: &App, table: Vec<Route<S>>, state: S) -> Router {
    let mut router: Router<S> = Router::new();
    for route in table {
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else {
            tracing::error!(method = %route.method, path = route.path, "no route can have such a method");
            continue;
        };
        let guard = Guard {
            app: app.clone(),
            protocol: route.protocol,
            action: route.action,
            scope: route.scope,
            body_limit: DefaultBodyLimit::max(route.body_limit),
            is_brief: route.is_brief,
            takes_levels: route.takes_levels,
            meter: app.meter.route(route.method, route.path.clone()),
        };
        router = register(router, &route.path, route.handler.behind(guard, filter));
    }
    router.with_state(state)
}

#[expect(clippy::disallowed_methods, reason = "the one place where routes are registered")]
fn register<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    path: &str,
    handler: MethodRouter<S>,
) -> Router<S> {
    router.route(path, handler)
}
