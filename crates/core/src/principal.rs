//! Who is calling. The actor comes from the credential alone, never from a header or a body.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

use crate::name::Name;
use crate::permission::{Permissions, Reach};

/// The actor of those without a credential.
const ANONYMOUS: &str = "anonymous";

/// The id under which an act stands in the record: `user:alice`, `token:<id>`, `system:loop`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(SmolStr);

impl Actor {
    /// A person. The name is a [`Name`] or that of somebody who logs in.
    pub fn user(name: impl fmt::Display) -> Self {
        Self(format_smolstr!("user:{name}"))
    }

    /// The name of a person.
    pub fn user_name(&self) -> Option<&str> {
        self.0.strip_prefix("user:")
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
    /// What it may do with single things. Only people have levels on those; for all others the policy looks at
    /// roles and nothing else.
    pub reach: Option<Arc<Reach>>,
}

impl Principal {
    /// A caller with roles alone.
    pub const fn new(actor: Actor, grants: Vec<Grant>) -> Self {
        Self { actor, grants, reach: None }
    }

    /// With levels on single things, for one request.
    #[must_use]
    pub fn with_permissions(mut self, permissions: Arc<Permissions>) -> Self {
        self.reach = (!permissions.is_empty()).then(|| Arc::new(Reach::new(permissions)));
        self
    }

    /// The same caller without its levels, denials included.
    #[must_use]
    pub fn by_roles(&self) -> Self {
        Self::new(self.actor.clone(), self.grants.clone())
    }

    /// A part of the server, allowed everything.
    pub fn system(part: &str) -> Self {
        Self::new(Actor::system(part), vec![Grant { workspace: None, role: Role::Admin }])
    }

    /// Somebody without a credential, allowed nothing but what the policy gives to all.
    pub fn anonymous() -> Self {
        Self::new(Actor::anonymous(), Vec::new())
    }

    /// Whether it is an admin in every workspace.
    pub fn is_server_admin(&self) -> bool {
        self.grants.iter().any(|grant| grant.workspace.is_none() && grant.role == Role::Admin)
    }

    /// Whether some grant gives `role` in `workspace`.
    pub fn has(&self, role: Role, workspace: &Name) -> bool {
        self.grants.iter().any(|g| g.role == role && g.workspace.as_ref().is_none_or(|w| w == workspace))
    }
}
