//! Who is calling, and what they may do.

mod refusals;

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
use mainstay_governance::port::GovernanceReader as _;
use mainstay_governance::token::ApiToken;
use mainstay_store::Database;

use self::refusals::Refusals;

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
    /// Where tokens are looked up.
    pub database: Database,
    /// Tells which have expired.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Authenticator for TokenBearer {
    async fn authenticate(&self, parts: &Parts) -> Result<Principal, AuthenticationError> {
        let Some(presented) = bearer(&parts.headers)? else { return Ok(Principal::anonymous()) };
        let tokens = self.database.reader.tokens().await.map_err(|error| {
            tracing::warn!(%error, "tokens");
            AuthenticationError::Unauthenticated
        })?;
        let known = tokens.iter().find_map(|token| token.principal(&presented, self.clock.now()).ok());
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
