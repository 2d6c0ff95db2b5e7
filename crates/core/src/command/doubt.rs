//! Decisions that a command can only ask for once it knows which experiment or model it is about.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Authorizer;
use crate::action::Action;
use crate::name::Name;
use crate::principal::Principal;
use crate::scope::{ResourceKind, Scope, Subject};

/// Decisions about the things that a command is about or names besides, for a caller who may do the action to some and
/// not to others.
pub struct Doubt {
    authorizer: Arc<dyn Authorizer>,
    principal: Principal,
    action: Action,
    workspace: Name,
    /// Whether nothing was decided yet, so that a command that never asks does not stand.
    pub(super) is_open: bool,
    asked: AtomicBool,
    refused: Mutex<Option<Subject>>,
}

impl Doubt {
    pub(super) fn new(
        authorizer: Arc<dyn Authorizer>,
        principal: &Principal,
        (action, workspace): (Action, &Name),
        is_open: bool,
    ) -> Self {
        let (asked, refused) = (AtomicBool::new(false), Mutex::default());
        let (principal, workspace) = (principal.clone(), workspace.clone());
        Self { authorizer, principal, action, workspace, is_open, asked, refused }
    }

    /// Decides about one thing.
    pub fn admits(&self, kind: ResourceKind, id: &dyn fmt::Display) -> bool {
        self.asked.store(true, Ordering::Release);
        let scope = Scope::new(self.workspace.clone(), Subject::new(kind, id));
        let admitted = self.authorizer.allows(&self.principal, self.action, &scope);
        if !admitted {
            *self.refusal() = Some(scope.subject);
        }
        admitted
    }

    /// Whether the caller may do another action to a thing: what a command does besides, and leaves where it may not.
    pub fn could(&self, action: Action, kind: ResourceKind, id: &dyn fmt::Display) -> bool {
        let scope = Scope::new(self.workspace.clone(), Subject::new(kind, id));
        self.authorizer.allows(&self.principal, action, &scope)
    }

    /// Begins anew: a command may be applied again.
    pub(super) fn reset(&self) {
        self.asked.store(false, Ordering::Release);
        *self.refusal() = None;
    }

    fn refusal(&self) -> MutexGuard<'_, Option<Subject>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To what it said no, last. Who asked may know it by another name: it is for the record alone.
    pub(super) fn refused(&self) -> Option<Subject> {
        self.refusal().clone()
    }

    /// Whether it said no.
    pub(super) fn has_refused(&self) -> bool {
        self.refusal().is_some()
    }

    /// Whether the command must not stand: it was refused, or it never asked what had to be decided.
    pub(super) fn forbids(&self) -> bool {
        (self.is_open && !self.asked.load(Ordering::Acquire)) || self.has_refused()
    }
}

impl fmt::Debug for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doubt")
            .field("actor", &self.principal.actor)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}
