//! Who is calling, and what they may do.

mod refusals;
mod tokens;

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use http::{HeaderMap, header};
use mainstay_api::caller::{AuthenticationError, Authenticator};
use mainstay_api::route::check_local;
use mainstay_core::action::Action;
use mainstay_core::command::Authorizer;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::Scope;
use mainstay_core::time::Clock;
use mainstay_governance::policy::{CedarPolicy, Mode};
use mainstay_governance::token::ApiToken;
use mainstay_store::Database;

use self::refusals::Refusals;
use self::tokens::Tokens;

/// The policy, and where its refusals go on the record.
pub struct Authority {
    policy: Arc<CedarPolicy>,
    refusals: Refusals,
}

impl Authority {
    /// Loads the policy. In local mode whoever reaches loopback may do everything.
    pub fn open(mode: Mode, database: &Database) -> Result<Self, crate::Failed> {
        let policy = Arc::new(CedarPolicy::new(mode)?);
        let refusals = Refusals::start(Arc::new(database.writer.clone()), policy.clone());
        Ok(Self { policy, refusals })
    }
}

impl Authorizer for Authority {
    fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool {
        self.policy.allows(principal, action, scope)
    }

    fn refused(&self, principal: &Principal, action: Action, scope: &Scope) {
        self.refusals.note(principal, action, scope);
    }
}

/// The person at this machine, for the command line.
pub fn local_user() -> Principal {
    let everywhere = Grant { workspace: None, role: Role::Admin };
    Principal { actor: Actor::local(), grants: vec![everywhere] }
}

/// Local single-user mode.
pub struct LocalUser {
    /// Host names to answer to besides those of loopback.
    pub allowed_hosts: Vec<String>,
}

#[async_trait]
impl Authenticator for LocalUser {
    async fn authenticate(&self, parts: &Parts) -> Result<Principal, AuthenticationError> {
        check_local(parts, &self.allowed_hosts)?;
        Ok(local_user())
    }
}

/// Callers show an API token; whoever shows none is anonymous.
pub struct TokenBearer {
    tokens: Tokens,
    clock: Arc<dyn Clock>,
}

impl TokenBearer {
    /// Tokens are looked up in the database; the clock tells which have expired.
    pub fn new(database: &Database, clock: Arc<dyn Clock>) -> Self {
        let reader = Arc::new(database.reader.clone());
        Self { tokens: Tokens::new(reader, database.writer.access_changes(), clock.clone()), clock }
    }
}

#[async_trait]
impl Authenticator for TokenBearer {
    async fn authenticate(&self, parts: &Parts) -> Result<Principal, AuthenticationError> {
        let Some(presented) = bearer(&parts.headers)? else { return Ok(Principal::anonymous()) };
        let known = self.tokens.find(presented.id()).await.map_err(|error| {
            tracing::warn!(%error, "tokens");
            AuthenticationError::Unauthenticated
        })?;
        let known = known.and_then(|token| token.principal(&presented, self.clock.now()).ok());
        known.ok_or(AuthenticationError::Unauthenticated)
    }
}

/// The token in the `Authorization` header; `None` if there is no such header.
fn bearer(headers: &HeaderMap) -> Result<Option<ApiToken>, AuthenticationError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| AuthenticationError::Unauthenticated)?;
    let (scheme, token) = text.split_once(' ').ok_or(AuthenticationError::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthenticationError::Unauthenticated);
    }
    token.trim().parse().map(Some).map_err(|_| AuthenticationError::Unauthenticated)
}
