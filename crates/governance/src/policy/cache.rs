//! Decisions kept under everything that they depended on.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use mainstay_core::action::Action;
use mainstay_core::permission::Capabilities;
use mainstay_core::scope::ResourceKind;

/// Most decisions kept; a default policy needs some hundreds.
const MAX_DECISIONS: usize = 16_384;

/// Everything that a decision depended on. An id is part of it only where some policy names that very
/// id: a Cedar policy can learn nothing else of an entity than its attributes, its parents, and whether
/// it is one that the policy names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) action: Action,
    pub(super) kind: ResourceKind,
    /// One bit for each role held.
    pub(super) roles: u8,
    pub(super) capabilities: Capabilities,
    pub(super) system: bool,
    pub(super) actor: Option<String>,
    pub(super) workspace: Option<String>,
    pub(super) resource: Option<String>,
}

/// A bounded memory. The policy never changes within one, so nothing in it grows stale.
#[derive(Debug, Default)]
pub(super) struct Decisions(RwLock<HashMap<Question, bool>>);

impl Decisions {
    pub(super) fn get(&self, question: &Question) -> Option<bool> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(question).copied()
    }

    pub(super) fn put(&self, question: Question, decision: bool) {
        let mut decisions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if decisions.len() >= MAX_DECISIONS {
            decisions.clear();
        }
        decisions.insert(question, decision);
    }
}
