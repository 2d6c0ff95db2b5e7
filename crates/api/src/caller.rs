//! Who is calling, and on which workspace: found once per request, before any handler runs.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use mainstay_core::action::Action;
use mainstay_core::command::Authorizer;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::name::Name;
use mainstay_core::permission::Readable;
use mainstay_core::principal::Principal;
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use thiserror::Error;

use crate::route::Denied;

/// The header in which `mlflow` clients name a workspace.
const MLFLOW_WORKSPACE: &str = "x-mlflow-workspace";
/// Our own.
const WORKSPACE: &str = "x-mainstay-workspace";

/// Why a request is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthenticationError {
    /// No credential where one is needed, or one that is not known.
    #[error(
        "a valid credential is needed: send 'Authorization: Bearer <token>', or a name and password by Basic"
    )]
    Unauthenticated,
    /// Too many wrong passwords.
    #[error("too many wrong passwords were tried; try again in {0} s")]
    TooManyAttempts(u64),
    /// A host, origin or content type that local mode does not take.
    #[error("{0}")]
    Foreign(&'static str),
}

impl Coded for AuthenticationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthenticated => ErrorCode::Unauthenticated,
            Self::TooManyAttempts(_) => ErrorCode::RateLimited,
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

/// Knows which workspaces there are.
#[async_trait]
pub trait Workspaces: Send + Sync {
    /// Whether there is one of that name.
    async fn exists(&self, name: &Name) -> Result<bool, StorageError>;
}

/// A request names a workspace that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Workspace '{0}' not found; an admin of the server creates workspaces")]
pub struct NoWorkspace(pub Name);

impl Coded for NoWorkspace {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// The caller of a request, as handlers see it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Where.
    pub workspace: Name,
    /// What decides about single things, for those who hold levels on them.
    pub(crate) levels: Option<Levels>,
    /// What decides about everything else that the caller might do; nothing outside a request.
    pub(crate) policy: Option<Policy>,
}

/// The policy, as a page asks it.
#[derive(Clone)]
pub(crate) struct Policy(pub(crate) Arc<dyn Authorizer>);

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Policy")
    }
}

/// What decides about single things.
#[derive(Clone)]
pub(crate) struct Levels {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    /// The route's action.
    pub(crate) action: Action,
    /// Whether the caller may do it to some things and not to others.
    pub(crate) is_open: bool,
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Levels")
            .field("action", &self.action)
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// A caller with roles alone, outside a request.
    pub const fn new(principal: Principal, workspace: Name) -> Self {
        Self { principal, workspace, levels: None, policy: None }
    }

    /// Whether the caller could do another action to a thing: what a page offers. Whoever does it is asked again, so
    /// nothing is let in by this, and a no is no refusal for the record.
    pub fn could(&self, action: Action, kind: ResourceKind, id: impl fmt::Display) -> bool {
        let scope = Scope::new(self.workspace.clone(), Subject::new(kind, id));
        self.policy.as_ref().is_some_and(|Policy(policy)| policy.allows(&self.principal, action, &scope))
    }

    /// Whether the caller's roles alone allow an action on all of the workspace, as it takes for what puts together
    /// many things.
    pub fn has_role_for(&self, action: Action) -> bool {
        if let Some(reach) = &self.principal.reach {
            reach.note_asked();
        }
        self.could_by_role(action)
    }

    /// The same of what a page offers: nothing is let in by this.
    pub fn could_by_role(&self, action: Action) -> bool {
        let workspace = Subject::new(ResourceKind::Workspace, &self.workspace);
        let scope = Scope::new(self.workspace.clone(), workspace);
        let by_roles = self.principal.by_roles();
        self.policy.as_ref().is_some_and(|Policy(policy)| policy.allows(&by_roles, action, &scope))
    }

    /// Whether the caller may do the route's action to some experiments or models and not to others, so that a
    /// handler must ask about each before it shows or changes anything of it. Commands ask by themselves.
    pub fn is_confined(&self) -> bool {
        self.levels.as_ref().is_some_and(|levels| levels.is_open)
    }

    /// Whether the caller holds levels on single things, so that what a request names besides is to be looked at.
    pub const fn holds_levels(&self) -> bool {
        self.levels.is_some()
    }

    /// Refuses if the caller may not do the route's action to this experiment or model.
    pub fn admitted(&self, kind: ResourceKind, id: impl fmt::Display) -> Result<(), Denied> {
        match &self.levels {
            Some(levels) if levels.is_open => self.ask(levels, levels.action, kind, id),
            _ => Ok(()),
        }
    }

    /// Refuses if the caller may not do another action to an experiment or model that the request names besides.
    /// A role that allows the route's action allows the reading of what it needs.
    pub fn may(&self, action: Action, kind: ResourceKind, id: impl fmt::Display) -> Result<(), Denied> {
        self.levels.as_ref().map_or(Ok(()), |levels| self.ask(levels, action, kind, id))
    }

    fn ask(
        &self,
        levels: &Levels,
        action: Action,
        kind: ResourceKind,
        id: impl fmt::Display,
    ) -> Result<(), Denied> {
        if let Some(reach) = &self.principal.reach {
            reach.note_asked();
        }
        let scope = Scope::new(self.workspace.clone(), Subject::new(kind, id));
        if levels.authorizer.allows(&self.principal, action, &scope) {
            return Ok(());
        }
        levels.authorizer.refused(&self.principal, action, &scope);
        Err(Denied { actor: self.principal.actor.clone(), action, subject: scope.subject })
    }

    /// The caller at another action, which a route does besides its own: of whom levels decide, it is asked about each
    /// thing.
    #[must_use]
    pub fn doing(&self, action: Action) -> Self {
        let levels = self.levels.clone().map(|levels| Levels { action, is_open: true, ..levels });
        Self { levels, ..self.clone() }
    }

    /// To which experiments or models the caller may do the route's action: a search looks among those alone.
    pub fn readable(&self) -> Readable {
        match &self.levels {
            Some(levels) if levels.is_open => {
                if let Some(reach) = &self.principal.reach {
                    reach.note_asked();
                }
                levels.authorizer.readable(&self.principal, levels.action, &self.workspace)
            }
            _ => Readable::All,
        }
    }
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
