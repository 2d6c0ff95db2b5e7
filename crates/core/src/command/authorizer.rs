//! Who may do what: the port that every command asks before it is applied.

use std::collections::HashSet;

use crate::action::Action;
use crate::name::Name;
use crate::permission::Readable;
use crate::principal::Principal;
use crate::scope::{ResourceKind, Scope, Subject};

/// What the policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No.
    Refused,
    /// The scope does not name the experiment or model that it is about, and the principal may do it to some and
    /// not to others: to be asked again when that is known.
    Open,
}

/// Decides whether a principal may do an action in a scope.
pub trait Authorizer: Send + Sync {
    /// `true` to allow; `false` too if it is [`Verdict::Open`].
    fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool;

    /// What the policy says. Whoever has no levels on single things is allowed or refused.
    fn judges(&self, principal: &Principal, action: Action, scope: &Scope) -> Verdict {
        if self.allows(principal, action, scope) { Verdict::Allowed } else { Verdict::Refused }
    }

    /// To which experiments or models of a workspace the principal may do the action, which must be about one of
    /// them.
    fn readable(&self, principal: &Principal, action: Action, workspace: &Name) -> Readable {
        let scope = Scope::new(workspace.clone(), Subject::new(ResourceKind::Workspace, workspace));
        if self.allows(principal, action, &scope) { Readable::All } else { Readable::Only(HashSet::new()) }
    }

    /// Called after a refusal, so that it gets on the record.
    fn refused(&self, principal: &Principal, action: Action, scope: &Scope);
}
