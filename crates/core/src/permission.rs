//! What people may do with single things: levels on an experiment or a model, and what they add up to.
//!
//! A [`Level`] is what MLflow's clients grant. Levels give [`Capabilities`], of which the policy speaks beside
//! roles; none of them is more than reading, using, changing, deleting, sharing and creating what lies in
//! experiments and models. To promote a version, to decide an approval or to make a token takes a role.

mod reach;

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::reach::{Reach, Readable};
use crate::name::Name;
use crate::scope::{ResourceKind, Scope};

/// How much somebody may do with a thing. Each one after `NoPermissions` includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Nothing, whatever else gives it.
    Deny,
    /// Nothing by itself.
    NoPermissions,
    /// See it.
    Read,
    /// Refer to it and invoke it.
    Use,
    /// Change it.
    Edit,
    /// Delete it, and say who else may.
    Manage,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 6] =
        [Self::Deny, Self::NoPermissions, Self::Read, Self::Use, Self::Edit, Self::Manage];

    /// The name on the wire and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "DENY",
            Self::NoPermissions => "NO_PERMISSIONS",
            Self::Read => "READ",
            Self::Use => "USE",
            Self::Edit => "EDIT",
            Self::Manage => "MANAGE",
        }
    }

    /// The level of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }

    /// What it gives on the thing that it is for.
    pub const fn gives(self) -> Capabilities {
        let [read, using, update, delete, share] = [
            Capabilities::READ.0,
            Capabilities::USE.0,
            Capabilities::UPDATE.0,
            Capabilities::DELETE.0,
            Capabilities::SHARE.0,
        ];
        Capabilities(match self {
            Self::Deny => Capabilities::DENIED.0,
            Self::NoPermissions => 0,
            Self::Read => read,
            Self::Use => read | using,
            Self::Edit => read | using | update,
            Self::Manage => read | using | update | delete | share,
        })
    }

    /// What two grants on the same thing come to: the higher, unless one of them denies.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        if self == Self::Deny || other == Self::Deny { Self::Deny } else { self.max(other) }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of what can be done with a thing, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// See it.
    pub const READ: Self = Self(1);
    /// Refer to it and invoke it.
    pub const USE: Self = Self(1 << 1);
    /// Change it.
    pub const UPDATE: Self = Self(1 << 2);
    /// Delete it.
    pub const DELETE: Self = Self(1 << 3);
    /// Say who else may.
    pub const SHARE: Self = Self(1 << 4);
    /// Create others of its kind beside it.
    pub const CREATE: Self = Self(1 << 5);
    /// Nothing, whatever a role gives.
    pub const DENIED: Self = Self(1 << 6);
    /// Manage the server itself: being an admin in every workspace, those that are to come included.
    pub const SERVER: Self = Self(1 << 7);

    /// Each bit, with the name that it has in policies.
    pub const NAMED: [(Self, &'static str); 8] = [
        (Self::READ, "read"),
        (Self::USE, "use"),
        (Self::UPDATE, "update"),
        (Self::DELETE, "delete"),
        (Self::SHARE, "share"),
        (Self::CREATE, "create"),
        (Self::DENIED, "denied"),
        (Self::SERVER, "server"),
    ];

    /// Whether all of the others are in it.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Without the others.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// To which things of a kind a level applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// All of them, those that are to come included. Written `*`.
    Any,
    /// The one of that id or name.
    One(String),
}

impl Pattern {
    /// Reads the form that `Display` writes. Nothing that can be granted is called `*`.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        if text == "*" { Self::Any } else { Self::One(text) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::One(id) => id,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The levels on things of one kind in a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OfKind {
    any: Option<Level>,
    one: HashMap<String, Level>,
    /// The highest that was ever added for one.
    highest: Option<Level>,
    /// Whether one is denied.
    denies_one: bool,
}

impl OfKind {
    fn add(&mut self, pattern: &Pattern, level: Level) {
        let before = match pattern {
            Pattern::Any => self.any,
            Pattern::One(id) => self.one.get(id).copied(),
        };
        let level = before.map_or(level, |before| before.with(level));
        match pattern {
            Pattern::Any => self.any = Some(level),
            Pattern::One(id) => {
                self.one.insert(id.clone(), level);
                self.highest = self.highest.max(Some(level));
                self.denies_one |= level == Level::Deny;
            }
        }
    }
}

/// What somebody holds in one workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    /// On everything in the workspace.
    floor: Option<Level>,
    experiments: OfKind,
    models: OfKind,
}

/// The levels that a person holds, from whatever grant, ready to be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    workspaces: HashMap<Name, Held>,
    /// What everybody who is known holds on each thing in the default workspace, if the server says so.
    default: Option<Level>,
}

impl Permissions {
    /// Nothing but what everybody who is known holds.
    pub fn new(default: Option<Level>) -> Self {
        Self { workspaces: HashMap::new(), default }
    }

    /// Adds a level. What it is for is an experiment, a model or a workspace as a whole; a level for anything
    /// else gives nothing.
    pub fn add(&mut self, workspace: &Name, kind: ResourceKind, pattern: &Pattern, level: Level) {
        let held = self.workspaces.entry(workspace.clone()).or_default();
        match kind {
            ResourceKind::Workspace => {
                held.floor = Some(held.floor.map_or(level, |before| before.with(level)));
            }
            ResourceKind::Experiment => held.experiments.add(pattern, level),
            ResourceKind::Model => held.models.add(pattern, level),
            _ => {}
        }
    }

    /// Whether there is nothing to look up.
    pub fn is_empty(&self) -> bool {
        self.workspaces.is_empty() && self.default.is_none()
    }

    /// Whether something is held in a workspace, if only what everybody holds.
    pub fn has_part_in(&self, workspace: &Name) -> bool {
        self.workspaces.contains_key(workspace) || self.default.is_some() && workspace.is_default()
    }

    fn floor(&self, workspace: &Name) -> Option<Level> {
        self.workspaces.get(workspace).and_then(|held| held.floor)
    }

    /// What is held on each thing in a workspace.
    fn base(&self, workspace: &Name) -> Level {
        let floor = self.floor(workspace);
        let default = self.default.filter(|_| workspace.is_default());
        // A level that everybody has is no veto.
        let default = default.map_or(Level::NoPermissions, |level| level.max(Level::NoPermissions));
        floor.map_or(default, |floor| if floor == Level::Deny { floor } else { floor.max(default) })
    }

    fn of_kind(&self, workspace: &Name, kind: ResourceKind) -> Option<&OfKind> {
        let held = self.workspaces.get(workspace)?;
        match kind {
            ResourceKind::Experiment => Some(&held.experiments),
            ResourceKind::Model => Some(&held.models),
            _ => None,
        }
    }

    /// Whoever may use a workspace may put things into it; so may everybody in the default one, where the server
    /// gives everybody a level.
    fn creates(&self, workspace: &Name) -> Capabilities {
        let floor = self.floor(workspace);
        let everybody = self.default.is_some() && workspace.is_default();
        if everybody || floor >= Some(Level::Use) { Capabilities::CREATE } else { Capabilities::NONE }
    }

    /// Whoever manages the workspace takes denials away, so they do not bind. A level that everybody has on each
    /// thing manages no workspace.
    fn manages(&self, workspace: &Name) -> bool {
        self.floor(workspace) == Some(Level::Manage)
    }

    fn fold(&self, workspace: &Name, on_kind: Option<Level>) -> Capabilities {
        let base = self.base(workspace);
        let on_kind = on_kind.filter(|_| !self.manages(workspace));
        on_kind.map_or(base, |level| base.with(level)).gives().and(self.creates(workspace))
    }

    /// On the thing of that kind and id.
    pub fn on(&self, workspace: &Name, kind: ResourceKind, id: &str) -> Capabilities {
        let levels = self.of_kind(workspace, kind);
        let one = levels.and_then(|levels| levels.one.get(id).copied());
        let any = levels.and_then(|levels| levels.any);
        self.fold(workspace, one.map_or(any, |one| Some(any.map_or(one, |any| any.with(one)))))
    }

    /// On a thing of that kind on which nobody granted anything by its id.
    pub fn on_others(&self, workspace: &Name, kind: ResourceKind) -> Capabilities {
        self.fold(workspace, self.of_kind(workspace, kind).and_then(|levels| levels.any))
    }

    /// On each thing of that kind, denials of single ones counted as being of all; and what may be held on some.
    /// Asked with every request, so it does not look at each.
    pub fn bounds(&self, workspace: &Name, kind: ResourceKind) -> (Capabilities, Capabilities) {
        let others = self.on_others(workspace, kind);
        let maybe = others.without(Capabilities::DENIED);
        let Some(levels) = self.of_kind(workspace, kind) else { return (others, maybe) };
        let denies_one = levels.denies_one && !self.manages(workspace);
        let surely = if denies_one { others.and(Capabilities::DENIED) } else { others };
        let highest = levels.highest.filter(|level| *level != Level::Deny && levels.any != Some(Level::Deny));
        (surely, highest.map_or(maybe, |level| maybe.and(level.gives())))
    }

    /// The ids of the things of that kind on which something was granted.
    pub fn named(&self, workspace: &Name, kind: ResourceKind) -> impl Iterator<Item = &str> {
        self.of_kind(workspace, kind).into_iter().flat_map(|levels| levels.one.keys().map(String::as_str))
    }

    /// On the workspace itself: who shares it is for those to say who manage it, and not for everybody.
    pub fn on_workspace(&self, workspace: &Name) -> Capabilities {
        let all = self.base(workspace).gives().and(self.creates(workspace));
        if self.manages(workspace) { all } else { all.without(Capabilities::SHARE) }
    }

    /// On the subject of a scope; `None` if it lies within a thing that it does not name.
    pub fn on_subject(&self, scope: &Scope) -> Option<Capabilities> {
        let (workspace, subject) = (&scope.workspace, &scope.subject);
        match subject.kind {
            ResourceKind::Experiment | ResourceKind::Model => {
                Some(self.on(workspace, subject.kind, &subject.id))
            }
            ResourceKind::ModelVersion => {
                let (model, _) = subject.id.rsplit_once('/')?;
                Some(self.on(workspace, ResourceKind::Model, model))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::default_workspace;

    const KINDS: [ResourceKind; 2] = [ResourceKind::Experiment, ResourceKind::Model];

    /// The rule once more, in the order in which the documentation tells it.
    fn slow(
        grants: &[(Name, ResourceKind, Pattern, Level)],
        default: Option<Level>,
        (workspace, kind, id): (&Name, ResourceKind, &str),
    ) -> Capabilities {
        let here: Vec<_> = grants.iter().filter(|grant| grant.0 == *workspace).collect();
        let floors: Vec<Level> =
            here.iter().filter(|grant| grant.1 == ResourceKind::Workspace).map(|grant| grant.3).collect();
        let own: Vec<Level> = here
            .iter()
            .filter(|grant| grant.1 == kind && (grant.2 == Pattern::Any || grant.2.as_str() == id))
            .map(|grant| grant.3)
            .collect();
        let manages = floors.contains(&Level::Manage) && !floors.contains(&Level::Deny);
        let mut held = Capabilities::NONE;
        if floors.iter().any(|level| *level >= Level::Use) && !floors.contains(&Level::Deny)
            || default.is_some() && workspace.is_default()
        {
            held = held.and(Capabilities::CREATE);
        }
        if !manages && own.iter().chain(&floors).any(|level| *level == Level::Deny) {
            return held.and(Capabilities::DENIED);
        }
        let default = default.filter(|level| workspace.is_default() && *level != Level::Deny);
        let positive = own.iter().chain(&floors).chain(&default).filter(|level| **level != Level::Deny);
        held.and(positive.max().map_or(Capabilities::NONE, |level| level.gives()))
    }

    /// All pairs of grants, under all defaults, on things that they name and on others.
    #[test]
    fn levels_add_up_as_the_rule_says() {
        let (here, there) = (default_workspace(), Name::new("there").unwrap());
        let mut grants = Vec::new();
        for workspace in [&here, &there] {
            for kind in [ResourceKind::Workspace, ResourceKind::Experiment, ResourceKind::Model] {
                for pattern in ["*", "1"] {
                    if kind == ResourceKind::Workspace && pattern != "*" {
                        continue;
                    }
                    for level in Level::ALL {
                        grants.push((workspace.clone(), kind, Pattern::new(pattern), level));
                    }
                }
            }
        }
        let defaults = [None].into_iter().chain(Level::ALL.map(Some));
        for default in defaults {
            for one in &grants {
                for two in &grants {
                    let both = [one.clone(), two.clone()];
                    let mut permissions = Permissions::new(default);
                    for (workspace, kind, pattern, level) in &both {
                        permissions.add(workspace, *kind, pattern, *level);
                    }
                    for workspace in [&here, &there] {
                        for kind in KINDS {
                            for id in ["1", "2"] {
                                let expected = slow(&both, default, (workspace, kind, id));
                                let found = permissions.on(workspace, kind, id);
                                assert_eq!(found, expected, "{both:?} {default:?} {workspace} {kind:?} {id}");
                            }
                            let others = permissions.on_others(workspace, kind);
                            let (surely, maybe) = permissions.bounds(workspace, kind);
                            for id in ["1", "2"] {
                                let on = permissions.on(workspace, kind, id);
                                let is_denied = on.has(Capabilities::DENIED);
                                assert!(surely.has(Capabilities::DENIED) || on.has(surely) && !is_denied);
                                assert!(is_denied || maybe.has(on));
                            }
                            assert_eq!(others, permissions.on(workspace, kind, "2"));
                            let shares = permissions.on_workspace(workspace).has(Capabilities::SHARE);
                            assert_eq!(shares, permissions.manages(workspace), "{both:?} {default:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_everybody_holds_is_of_things_and_beats_no_denial() {
        let (here, there) = (default_workspace(), Name::new("there").unwrap());
        let mut permissions = Permissions::new(Some(Level::Manage));
        permissions.add(&here, ResourceKind::Experiment, &Pattern::new("7"), Level::Deny);
        assert!(permissions.on(&here, ResourceKind::Experiment, "7").has(Capabilities::DENIED));
        assert!(permissions.on(&here, ResourceKind::Experiment, "8").has(Capabilities::SHARE));
        assert!(!permissions.on_workspace(&here).has(Capabilities::SHARE));
        permissions.add(&here, ResourceKind::Workspace, &Pattern::Any, Level::Manage);
        assert!(permissions.on(&here, ResourceKind::Experiment, "7").has(Capabilities::SHARE));
        assert!(permissions.on_workspace(&here).has(Capabilities::SHARE));
        assert!(permissions.has_part_in(&here) && !permissions.has_part_in(&there));
    }

    #[test]
    fn what_lies_in_a_thing_is_not_judged_by_its_own_id() {
        let permissions = Permissions::new(Some(Level::Manage));
        let scope = |kind, id: &str| Scope::new(default_workspace(), crate::scope::Subject::new(kind, id));
        assert_eq!(permissions.on_subject(&scope(ResourceKind::Run, "1")), None);
        let version = permissions.on_subject(&scope(ResourceKind::ModelVersion, "a/b/3")).unwrap();
        assert!(version.has(Capabilities::DELETE));
    }

    #[test]
    fn names_are_those_of_mlflow() {
        for level in Level::ALL {
            assert_eq!(Level::named(level.as_str()), Some(level));
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
        assert_eq!(Level::named("read"), None);
    }
}
