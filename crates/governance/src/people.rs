//! Users, the levels that they were granted, and the roles that people made: all that decides what somebody who
//! logs in may do, besides the policy.

use std::collections::HashMap;
use std::fmt;

use mainstay_core::digest::Digest;
use mainstay_core::entropy::Entropy;
use mainstay_core::name::Name;
use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Actor, Grant, Role};
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::error::GovernanceError;
use crate::user::UserName;

/// The kinds of thing on which levels are granted, with the names that MLflow's clients have for them.
pub const KINDS: [(ResourceKind, &str); 3] = [
    (ResourceKind::Experiment, "experiment"),
    (ResourceKind::Model, "registered_model"),
    (ResourceKind::Workspace, "workspace"),
];

/// By what clients that know only whole numbers name a user, a role and the like: drawn, and never given twice. It
/// has 48 bits, so that it is exact in JavaScript too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(i64);

impl Number {
    /// Draws one.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        if let Some(low) = bytes.get_mut(..6) {
            entropy.fill(low);
        }
        Self(i64::from_le_bytes(bytes))
    }

    /// One that was stored, or that a client sent.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// Its number.
    pub id: Number,
    /// Whether it is an admin in every workspace.
    pub admin: bool,
    /// The digest of what is kept of its password.
    pub password: Digest,
    /// Since when there is such a user.
    pub created: MachineTime,
}

impl User {
    /// The roles of the policy that it has, given those that it was granted.
    #[must_use]
    pub fn grants(&self, mut granted: Vec<Grant>) -> Vec<Grant> {
        granted.extend(self.admin.then_some(Grant { workspace: None, role: Role::Admin }));
        granted
    }
}

/// On what a level is granted: one experiment or model, all of them, or a workspace as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    kind: ResourceKind,
    pattern: Pattern,
}

impl Target {
    /// Checks it. The thing need not be there yet. A number that is not written as the server writes experiment
    /// ids would name nothing, or something else than it seems to.
    pub fn new(kind: ResourceKind, pattern: impl Into<String>) -> Result<Self, GovernanceError> {
        let text = pattern.into();
        let is_whole = text == "*";
        let fits = match kind {
            ResourceKind::Workspace => is_whole,
            ResourceKind::Experiment => {
                let is_id =
                    text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
                let is_number = text.trim().parse::<f64>().is_ok();
                is_whole || !text.contains('*') && (is_id || !is_number)
            }
            ResourceKind::Model => true,
            _ => false,
        };
        let is_sane = !text.is_empty() && text.len() <= 1_024 && !text.contains(char::is_control);
        if fits && is_sane {
            Ok(Self { kind, pattern: Pattern::new(text) })
        } else {
            Err(GovernanceError::InvalidPattern(text.chars().take(100).collect()))
        }
    }

    /// A workspace as a whole.
    pub const fn workspace() -> Self {
        Self { kind: ResourceKind::Workspace, pattern: Pattern::Any }
    }

    /// The kind.
    pub const fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// Which of them.
    pub const fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// What MLflow's clients call the kind.
    pub fn kind_name(&self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or("thing", |(_, name)| name)
    }

    /// What one must be allowed to share to grant something on it: the thing, or, for all things of a kind, the
    /// workspace.
    pub fn scope(&self, workspace: &Name) -> Scope {
        let subject = match (&self.pattern, self.kind) {
            (Pattern::One(id), kind) => Subject::new(kind, id),
            (Pattern::Any, _) => Subject::new(ResourceKind::Workspace, workspace),
        };
        Scope::new(workspace.clone(), subject)
    }
}

/// A level that a user was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Where.
    pub workspace: Name,
    /// Who.
    pub user: UserName,
    /// On what.
    pub on: Target,
    /// How much.
    pub level: Level,
}

/// A role that somebody made: levels under a name, assigned to users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRole {
    /// Its number.
    pub id: Number,
    /// Where.
    pub workspace: Name,
    /// Its name, of which there is one in the workspace.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

impl CustomRole {
    /// Checks the texts.
    pub fn checked(self) -> Result<Self, GovernanceError> {
        let wrong = |why| Err(GovernanceError::InvalidRole(why));
        let long = self.description.as_ref().is_some_and(|text| text.chars().count() > 1_024);
        let is_text = |text: &str| !text.contains('\0');
        if self.name.trim().is_empty() {
            return wrong("Role name cannot be empty.");
        }
        if self.name.starts_with("__user_") {
            return wrong("Role names that begin with '__user_' are reserved; choose another one.");
        }
        if self.name.chars().count() > 255 || long {
            return wrong("A role has a name of at most 255 and a description of at most 1024 characters.");
        }
        if !is_text(&self.name) || !self.description.as_deref().is_none_or(is_text) {
            return wrong("A role's name and description hold no U+0000.");
        }
        Ok(self)
    }
}

/// A level of a custom role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePermission {
    /// Its number.
    pub id: Number,
    /// Of which role.
    pub role: Number,
    /// On what.
    pub on: Target,
    /// How much.
    pub level: Level,
}

/// A user who has a custom role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The number of the assignment.
    pub id: Number,
    /// The role.
    pub role: Number,
    /// The user.
    pub user: UserName,
}

/// Everybody, with all that they were granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// By name.
    pub users: Vec<User>,
    /// By user.
    pub permissions: Vec<Permission>,
    /// By workspace and name.
    pub roles: Vec<CustomRole>,
    /// By role.
    pub role_permissions: Vec<RolePermission>,
    /// By role and user.
    pub members: Vec<Member>,
    /// The roles of the policy that people have.
    pub grants: Vec<(Actor, Grant)>,
    /// All workspaces but the default one, with what they are for.
    pub workspaces: Vec<(Name, String)>,
}

impl People {
    /// The user of that name.
    pub fn user(&self, name: &UserName) -> Option<&User> {
        self.users.iter().find(|user| user.name == *name)
    }

    /// The custom role of that number.
    pub fn role(&self, id: Number) -> Option<&CustomRole> {
        self.roles.iter().find(|role| role.id == id)
    }

    /// The custom roles of a user.
    pub fn roles_of<'a>(&'a self, name: &'a UserName) -> impl Iterator<Item = &'a CustomRole> {
        let member =
            |role: Number| self.members.iter().any(|member| member.role == role && member.user == *name);
        self.roles.iter().filter(move |role| member(role.id))
    }

    /// The levels of a custom role.
    pub fn levels_of(&self, role: Number) -> impl Iterator<Item = &RolePermission> {
        self.role_permissions.iter().filter(move |permission| permission.role == role)
    }

    /// The roles of the policy that a user has: those that it was granted, and that of an admin everywhere.
    pub fn grants_of(&self, user: &User) -> Vec<Grant> {
        let actor = user.name.actor();
        let granted = self.grants.iter().filter(|(whose, _)| *whose == actor).map(|(_, grant)| grant.clone());
        user.grants(granted.collect())
    }

    /// What each user holds, as [`People::permissions_of`] tells it of one, in the time that it takes to look at
    /// everything once.
    pub fn permissions(&self, default: Option<Level>) -> HashMap<&UserName, Permissions> {
        let mut all: HashMap<&UserName, Permissions> =
            self.users.iter().map(|user| (&user.name, Permissions::new(default))).collect();
        for Permission { workspace, user, on, level } in &self.permissions {
            if let Some(held) = all.get_mut(user) {
                held.add(workspace, on.kind, &on.pattern, *level);
            }
        }
        let places: HashMap<Number, &Name> =
            self.roles.iter().map(|role| (role.id, &role.workspace)).collect();
        let mut levels: HashMap<Number, Vec<&RolePermission>> = HashMap::new();
        for permission in &self.role_permissions {
            levels.entry(permission.role).or_default().push(permission);
        }
        for Member { role, user, .. } in &self.members {
            let (Some(held), Some(workspace)) = (all.get_mut(user), places.get(role)) else { continue };
            for RolePermission { on, level, .. } in levels.get(role).into_iter().flatten() {
                held.add(workspace, on.kind, &on.pattern, *level);
            }
        }
        all
    }

    /// The levels that a user holds by itself and by its custom roles, above what everybody holds.
    pub fn permissions_of(&self, name: &UserName, default: Option<Level>) -> Permissions {
        let mut all = Permissions::new(default);
        for Permission { workspace, on, level, .. } in self.permissions.iter().filter(|one| one.user == *name)
        {
            all.add(workspace, on.kind, &on.pattern, *level);
        }
        for role in self.roles_of(name) {
            for RolePermission { on, level, .. } in self.levels_of(role.id) {
                all.add(&role.workspace, on.kind, &on.pattern, *level);
            }
        }
        all
    }
}

/// Checks that a level can be granted on a thing: of a workspace as a whole a denial would deny nothing that its
/// admins could not give back, so there it is said by taking the grant away. And `NO_PERMISSIONS` is what is held
/// where nothing is granted: beside a default for everybody it would look like a denial, and be none
/// (`RESOURCE_GRANTABLE_PERMISSIONS` of 3.18).
pub fn check_level(on: &Target, level: Level) -> Result<(), GovernanceError> {
    let hint = match level {
        Level::Deny if on.kind == ResourceKind::Workspace => {
            "Take the grant away instead, or deny experiments and models."
        }
        Level::NoPermissions if on.kind == ResourceKind::Workspace => "Take the grant away instead.",
        Level::NoPermissions => "Take the grant away instead, or grant DENY, which holds against all others.",
        _ => return Ok(()),
    };
    Err(GovernanceError::InvalidLevel { level: level.as_str(), kind: on.kind_name(), hint })
}

#[cfg(test)]
mod tests {
    use mainstay_core::entropy::SeededEntropy;
    use mainstay_core::permission::Capabilities;
    use mainstay_core::scope::default_workspace;

    use super::*;

    fn ann() -> UserName {
        UserName::new("ann").unwrap()
    }

    fn target(kind: ResourceKind, pattern: &str) -> Target {
        Target::new(kind, pattern).unwrap()
    }

    #[test]
    fn targets_are_written_as_the_server_writes_them() {
        for good in ["7", "0", "*", "a-random-text", "12345678901234567890123"] {
            assert!(Target::new(ResourceKind::Experiment, good).is_ok(), "{good}");
        }
        for bad in ["07", " 7", "+7", "7 ", "-0", "-1", "1.0", "1e3", "1*", "**", "", "a\nb"] {
            assert!(Target::new(ResourceKind::Experiment, bad).is_err(), "{bad:?}");
        }
        assert!(Target::new(ResourceKind::Workspace, "default").is_err());
        assert!(Target::new(ResourceKind::Endpoint, "*").is_err());
        assert!(Target::new(ResourceKind::Model, "007").is_ok());
    }

    #[test]
    fn a_level_that_gives_nothing_is_not_granted() {
        for (kind, pattern) in
            [(ResourceKind::Experiment, "7"), (ResourceKind::Model, "*"), (ResourceKind::Workspace, "*")]
        {
            for level in Level::ALL {
                let is_none = level == Level::NoPermissions
                    || (kind == ResourceKind::Workspace && level == Level::Deny);
                assert_eq!(check_level(&target(kind, pattern), level).is_err(), is_none, "{kind:?} {level}");
            }
        }
    }

    #[test]
    fn numbers_are_exact_everywhere() {
        let entropy = SeededEntropy::new(3);
        for _ in 0..100 {
            let number = Number::draw(&entropy).get();
            assert!((0..1 << 48).contains(&number), "{number}");
        }
    }

    #[test]
    fn what_roles_and_grants_give_adds_up() {
        let (here, other) = (default_workspace(), Name::new("other").unwrap());
        let role = |id, workspace: &Name| CustomRole {
            id: Number(id),
            workspace: workspace.clone(),
            name: format!("role {id}"),
            description: None,
        };
        let level = |role, on, level| RolePermission { id: Number(role), role: Number(role), on, level };
        let people = People {
            users: vec![User {
                name: ann(),
                id: Number(1),
                admin: false,
                password: Digest::of(b""),
                created: MachineTime::MIN,
            }],
            permissions: vec![Permission {
                workspace: here.clone(),
                user: ann(),
                on: target(ResourceKind::Experiment, "7"),
                level: Level::Read,
            }],
            roles: vec![role(1, &here), role(2, &other), role(3, &here)],
            role_permissions: vec![
                level(1, target(ResourceKind::Experiment, "*"), Level::Edit),
                level(2, Target::workspace(), Level::Manage),
                level(3, target(ResourceKind::Model, "*"), Level::Manage),
            ],
            // Role 3 is nobody's.
            members: [1, 2].map(|id| Member { id: Number(id), role: Number(id), user: ann() }).to_vec(),
            grants: vec![(ann().actor(), Grant { workspace: Some(other.clone()), role: Role::Viewer })],
            ..People::default()
        };
        let held = people.permissions_of(&ann(), None);
        let seven = held.on(&here, ResourceKind::Experiment, "7");
        assert!(seven.has(Capabilities::UPDATE) && !seven.has(Capabilities::DELETE));
        assert_eq!(held.on(&here, ResourceKind::Model, "m"), Capabilities::NONE);
        assert!(held.on(&other, ResourceKind::Model, "m").has(Capabilities::DELETE));
        assert_eq!(people.grants_of(&people.users[0]).len(), 1);
        assert!(people.permissions_of(&UserName::new("bob").unwrap(), None).is_empty());
        for default in [None, Some(Level::Read)] {
            let expected = HashMap::from([(&people.users[0].name, people.permissions_of(&ann(), default))]);
            assert_eq!(people.permissions(default), expected);
        }
    }
}
