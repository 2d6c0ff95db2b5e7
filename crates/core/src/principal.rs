//! Who is calling. The actor comes from the credential alone, never from a header or a body.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

use crate::name::Name;

/// The actor of those without a credential.
const ANONYMOUS: &str = "anonymous";

/// The id under which an act stands in the record: `user:alice`, `token:<id>`, `system:loop`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(SmolStr);

impl Actor {
    /// A person.
    pub fn user(name: &Name) -> Self {
        Self(format_smolstr!("user:{name}"))
    }

    /// A part of the server that acts by itself: the engine, the monitor.
    pub fn system(part: &str) -> Self {
        Self(format_smolstr!("system:{part}"))
    }

    /// Whoever sits at this machine, in local single-user mode.
    pub fn local() -> Self {
        Self(SmolStr::new_static("user:local"))
    }

    /// Somebody without a credential.
    pub fn anonymous() -> Self {
        Self(SmolStr::new_static(ANONYMOUS))
    }

    /// Whether it is nobody in particular.
    pub fn is_anonymous(&self) -> bool {
        self.0 == ANONYMOUS
    }

    /// An actor as it was stored.
    pub fn stored(text: impl AsRef<str>) -> Self {
        Self(SmolStr::new(text))
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a role may do is in the policy; here are only the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads, writes and runs; cannot approve.
    Developer,
    /// Approves and promotes.
    Approver,
    /// Everything, grants and tokens included.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Developer, Self::Approver, Self::Admin];

    /// Whether it may do all that the other may.
    pub fn includes(self, other: Self) -> bool {
        let rank = |role| Self::ALL.iter().position(|known| *known == role);
        rank(self) >= rank(other)
    }

    /// The name used in policies, on the wire and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// A role in a workspace; `None` means in every workspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Where; everywhere if absent.
    pub workspace: Option<Name>,
    /// What.
    pub role: Role,
}

/// An authenticated caller with the grants that its credential carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The id in the record.
    pub actor: Actor,
    /// What it was granted.
    pub grants: Vec<Grant>,
}

impl Principal {
    /// A part of the server, allowed everything.
    pub fn system(part: &str) -> Self {
        Self { actor: Actor::system(part), grants: vec![Grant { workspace: None, role: Role::Admin }] }
    }

    /// Somebody without a credential, allowed nothing but what the policy gives to all.
    pub fn anonymous() -> Self {
        Self { actor: Actor::anonymous(), grants: Vec::new() }
    }

    /// Whether some grant gives `role` in `workspace`.
    pub fn has(&self, role: Role, workspace: &Name) -> bool {
        self.grants.iter().any(|g| g.role == role && g.workspace.as_ref().is_none_or(|w| w == workspace))
    }
}
