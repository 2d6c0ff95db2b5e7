//! Permissions at work in one request, and which things they let be seen.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Permissions;

/// The permissions of a person, with a note whether a request was held against them: one for each request.
///
/// A guard may have to let a request in before it is known which thing it is about. Unless somebody asks later,
/// about that very thing, nothing that was found is answered.
#[derive(Debug, Default)]
pub struct Reach {
    permissions: Arc<Permissions>,
    was_asked: AtomicBool,
}

impl Reach {
    /// Not asked yet.
    pub fn new(permissions: Arc<Permissions>) -> Self {
        Self { permissions, was_asked: AtomicBool::new(false) }
    }

    /// The permissions.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Notes that the policy was asked about the thing at hand.
    pub fn note_asked(&self) {
        self.was_asked.store(true, Ordering::Release);
    }

    /// Whether the policy was asked about the thing at hand.
    pub fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Acquire)
    }
}

impl PartialEq for Reach {
    fn eq(&self, other: &Self) -> bool {
        self.permissions == other.permissions
    }
}

impl Eq for Reach {}

/// Which things of a kind a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// All of a workspace.
    All,
    /// These alone.
    Only(HashSet<String>),
    /// All but these.
    Except(HashSet<String>),
}

impl Readable {
    /// Whether the thing of that id is among them.
    pub fn has(&self, id: impl fmt::Display) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(id.to_string().as_str()),
            Self::Except(ids) => !ids.contains(id.to_string().as_str()),
        }
    }
}
