//! The decision.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use mainstay_core::action::Action;
use mainstay_core::command::Verdict;
use mainstay_core::error::{Cause, Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::permission::{Capabilities, Reach, Readable};
use mainstay_core::principal::{Principal, Role};
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use thiserror::Error;

use super::cache::{Decisions, Question};

const SCHEMA: &str = include_str!("schema.cedarschema");
const DEFAULT: &str = include_str!("default.cedar");
const LOCAL: &str = include_str!("local.cedar");

/// Whose policy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Callers show a credential.
    Required,
    /// Whoever reaches the server, over loopback only, is `user:local` and may do everything.
    Local,
}

/// A policy cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The text cannot be read, or does not fit the schema.
    #[error("the policy is not valid: {0}")]
    Invalid(String),
    /// The schema does not know an action of core.
    #[error("the policy schema does not know the action {0}")]
    UnknownAction(Action),
    /// Something could not be expressed in Cedar.
    #[error("the policy could not be asked; see the log")]
    Unaskable(#[source] Cause),
}

impl Coded for PolicyError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::InvalidDefinition,
            Self::UnknownAction(_) | Self::Unaskable(_) => ErrorCode::Internal,
        }
    }
}

fn unaskable(error: impl std::error::Error + Send + Sync + 'static) -> PolicyError {
    PolicyError::Unaskable(Box::new(error))
}

/// The types of entities, parsed once.
struct Types {
    actor: EntityTypeName,
    role: EntityTypeName,
    capability: EntityTypeName,
    workspace: EntityTypeName,
    resource: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    fn new() -> Result<Self, PolicyError> {
        let named = |name| EntityTypeName::from_str(name).map_err(unaskable);
        Ok(Self {
            actor: named("Actor")?,
            role: named("Role")?,
            capability: named("Capability")?,
            workspace: named("Workspace")?,
            resource: named("Resource")?,
            action: named("Action")?,
        })
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// A validated policy that remembers its decisions.
pub struct CedarPolicy {
    schema: Schema,
    policies: PolicySet,
    types: Types,
    /// The actions with their groups, and the roles.
    fixed: Entities,
    /// The actors, workspaces and resources that some policy names.
    named: [HashSet<String>; 3],
    decisions: Decisions,
}

impl CedarPolicy {
    /// The policy that is compiled in.
    pub fn new(mode: Mode) -> Result<Self, PolicyError> {
        match mode {
            Mode::Required => Self::parse(DEFAULT),
            Mode::Local => Self::parse(&format!("{DEFAULT}\n{LOCAL}")),
        }
    }

    fn parse(text: &str) -> Result<Self, PolicyError> {
        let invalid = |error: String| PolicyError::Invalid(error);
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| invalid(error.to_string()))?;
        let policies = PolicySet::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let outcome = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !outcome.validation_passed() {
            return Err(invalid(outcome.to_string()));
        }
        let types = Types::new()?;
        let known: HashSet<&EntityUid> = schema.actions().collect();
        if let Some(unknown) =
            Action::ALL.iter().find(|action| !known.contains(&uid(&types.action, action.as_str())))
        {
            return Err(PolicyError::UnknownAction(*unknown));
        }
        let named = [&types.actor, &types.workspace, &types.resource].map(|kind| {
            let literals = policies.policies().flat_map(cedar_policy::Policy::entity_literals);
            literals
                .filter(|uid| uid.type_name() == kind)
                .map(|uid| uid.id().unescaped().to_owned())
                .collect()
        });
        let fixed = schema.action_entities().map_err(unaskable)?;
        let parents = role_chain(&types).into_iter().chain(capabilities(&types));
        let fixed = fixed.add_entities(parents, Some(&schema)).map_err(unaskable)?;
        Ok(Self { schema, policies, types, fixed, named, decisions: Decisions::default() })
    }

    /// Whether the principal may do this there. What cannot be decided is refused, and so is what is open.
    pub fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool {
        self.judges(principal, action, scope) == Verdict::Allowed
    }

    /// What the policy says.
    pub fn judges(&self, principal: &Principal, action: Action, scope: &Scope) -> Verdict {
        let held = Held::of(principal, action, scope);
        if self.permits(principal, action, scope, held.surely) {
            Verdict::Allowed
        } else if held.maybe.is_some_and(|maybe| self.permits(principal, action, scope, maybe)) {
            Verdict::Open
        } else {
            Verdict::Refused
        }
    }

    /// To which experiments or models of a workspace the principal may do the action.
    pub fn readable(&self, principal: &Principal, action: Action, workspace: &Name) -> Readable {
        let whole = Scope::new(workspace.clone(), Subject::new(ResourceKind::Workspace, workspace));
        let (Some(reach), Some(kind)) = (&principal.reach, action.object()) else {
            let all = self.allows(principal, action, &whole);
            return if all { Readable::All } else { Readable::Only(HashSet::new()) };
        };
        let permissions = reach.permissions();
        let others = permissions.on_others(workspace, kind).and(of_server(principal));
        let base = self.permits(principal, action, &whole, others);
        let differs = |id: &&str| {
            let scope = Scope::new(workspace.clone(), Subject::new(kind, id));
            self.allows(principal, action, &scope) != base
        };
        let ids: HashSet<String> =
            permissions.named(workspace, kind).filter(differs).map(ToOwned::to_owned).collect();
        match (base, ids.is_empty()) {
            (true, true) => Readable::All,
            (true, false) => Readable::Except(ids),
            (false, _) => Readable::Only(ids),
        }
    }

    /// The decision for somebody who holds these capabilities on the thing at hand, if the memory has it.
    fn permits(&self, principal: &Principal, action: Action, scope: &Scope, held: Capabilities) -> bool {
        let question = self.question(principal, action, scope, held);
        if let Some(decision) = self.decisions.get(&question) {
            return decision;
        }
        let decision = self.ask(principal, action, scope, held).unwrap_or(false);
        self.decisions.put(question, decision);
        decision
    }

    /// The decision afresh, without the memory: `true` if it is surely allowed.
    pub fn decide(&self, principal: &Principal, action: Action, scope: &Scope) -> Result<bool, PolicyError> {
        self.ask(principal, action, scope, Held::of(principal, action, scope).surely)
    }

    fn ask(
        &self,
        principal: &Principal,
        action: Action,
        scope: &Scope,
        capabilities: Capabilities,
    ) -> Result<bool, PolicyError> {
        let types = &self.types;
        let actor = uid(&types.actor, principal.actor.as_str());
        let workspace = uid(&types.workspace, scope.workspace.as_str());
        let resource = uid(&types.resource, &scope.subject.to_string());
        let roles = held_roles(principal, scope).map(|role| uid(&types.role, role.as_str()));
        let named = Capabilities::NAMED.into_iter().filter(|(one, _)| capabilities.has(*one));
        let held = roles.chain(named.map(|(_, name)| uid(&types.capability, name))).collect();
        let system = RestrictedExpression::new_bool(is_system(principal));
        let kind = RestrictedExpression::new_string(scope.subject.kind.as_str().to_owned());
        let of_resource = HashMap::from([
            ("workspace".to_owned(), RestrictedExpression::new_entity_uid(workspace.clone())),
            ("kind".to_owned(), kind),
        ]);
        let of_actor = HashMap::from([("system".to_owned(), system)]);
        let asked = [
            Entity::new(actor.clone(), of_actor, held).map_err(unaskable)?,
            Entity::new(resource.clone(), of_resource, HashSet::new()).map_err(unaskable)?,
            Entity::new_no_attrs(workspace, HashSet::new()),
        ];
        // Made here to fit the schema, so they are not checked against it again.
        let entities = self.fixed.clone().add_entities(asked, None).map_err(unaskable)?;
        let action = uid(&types.action, action.as_str());
        let request = Request::new(actor, action, resource, Context::empty(), Some(&self.schema));
        let request = request.map_err(unaskable)?;
        let response = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        Ok(response.decision() == Decision::Allow)
    }

    fn question(
        &self,
        principal: &Principal,
        action: Action,
        scope: &Scope,
        capabilities: Capabilities,
    ) -> Question {
        // Most policies name none of these: then no text is looked up or copied.
        let [actors, workspaces, resources] = &self.named;
        let if_named = |named: &HashSet<String>, id: &str| named.get(id).cloned();
        let resource = || if_named(resources, &scope.subject.to_string());
        Question {
            action,
            kind: scope.subject.kind,
            roles: held_roles(principal, scope).fold(0, |bits, role| bits | 1 << role as u8),
            capabilities,
            system: is_system(principal),
            actor: if_named(actors, principal.actor.as_str()),
            workspace: if_named(workspaces, scope.workspace.as_str()),
            resource: if resources.is_empty() { None } else { resource() },
        }
    }
}

impl std::fmt::Debug for CedarPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CedarPolicy")
            .field("policies", &self.policies.num_of_policies())
            .finish_non_exhaustive()
    }
}

/// What somebody holds on the thing at hand. Where the scope does not name it: what it surely holds on each, and
/// what it may hold on some.
struct Held {
    surely: Capabilities,
    maybe: Option<Capabilities>,
}

impl Held {
    fn of(principal: &Principal, action: Action, scope: &Scope) -> Self {
        let server = of_server(principal);
        let exactly = |held: Capabilities| Self { surely: held.and(server), maybe: None };
        let Some(permissions) = principal.reach.as_deref().map(Reach::permissions) else {
            return exactly(Capabilities::NONE);
        };
        let workspace = &scope.workspace;
        match (permissions.on_subject(scope), action.object()) {
            (Some(held), _) => exactly(held),
            (None, Some(kind)) => {
                let (surely, mut maybe) = permissions.bounds(workspace, kind);
                // Whoever holds something here may look: a search shows what there is for it, if only nothing.
                let looks = matches!(action, Action::RunRead | Action::ModelRead);
                if looks && permissions.has_part_in(workspace) {
                    maybe = maybe.and(Capabilities::READ);
                }
                Self { surely: surely.and(server), maybe: Some(maybe.and(server)) }
            }
            (None, None) if scope.subject.kind == ResourceKind::Workspace => {
                // A denial is of experiments and models; it does not take a role's other rights away.
                exactly(permissions.on_workspace(workspace).without(Capabilities::DENIED))
            }
            (None, None) => exactly(Capabilities::NONE),
        }
    }
}

fn of_server(principal: &Principal) -> Capabilities {
    if principal.is_server_admin() { Capabilities::SERVER } else { Capabilities::NONE }
}

fn is_system(principal: &Principal) -> bool {
    principal.actor.as_str().starts_with("system:")
}

fn held_roles<'a>(principal: &'a Principal, scope: &'a Scope) -> impl Iterator<Item = Role> + 'a {
    Role::ALL.into_iter().filter(|role| principal.has(*role, &scope.workspace))
}

/// The capabilities as entities.
fn capabilities(types: &Types) -> impl Iterator<Item = Entity> {
    Capabilities::NAMED
        .into_iter()
        .map(|(_, name)| Entity::new_no_attrs(uid(&types.capability, name), HashSet::new()))
}

/// The roles as entities, each in the one before it.
fn role_chain(types: &Types) -> Vec<Entity> {
    let mut before = HashSet::new();
    let mut chain = Vec::new();
    for role in Role::ALL {
        let role = uid(&types.role, role.as_str());
        chain.push(Entity::new_no_attrs(role.clone(), std::mem::replace(&mut before, HashSet::from([role]))));
    }
    chain
}

#[cfg(test)]
mod tests {
    use mainstay_core::principal::{Actor, Grant};
    use mainstay_core::scope::{ResourceKind, Subject, default_workspace};

    use super::*;

    fn viewer(name: &str) -> Principal {
        let grant = Grant { workspace: Some(default_workspace()), role: Role::Viewer };
        Principal::new(Actor::user(name), vec![grant])
    }

    fn model(id: &str) -> Scope {
        Scope::new(default_workspace(), Subject::new(ResourceKind::Model, id))
    }

    /// A policy that names an actor and a resource must not leak its decision to others through the
    /// memory.
    #[test]
    fn named_entities_are_part_of_the_question() {
        let extra = r#"permit (principal == Actor::"user:ann", action == Action::"model.write",
            resource == Resource::"model:hers");"#;
        let policy = CedarPolicy::parse(&format!("{DEFAULT}\n{extra}")).unwrap();
        for _ in 0..2 {
            assert!(policy.allows(&viewer("ann"), Action::ModelWrite, &model("hers")));
            assert!(!policy.allows(&viewer("ann"), Action::ModelWrite, &model("other")));
            assert!(!policy.allows(&viewer("bob"), Action::ModelWrite, &model("hers")));
        }
    }

    #[test]
    fn policies_are_validated_when_made() {
        for bad in [
            "permit (principal, action",
            r#"permit (principal, action == Action::"model.fly", resource);"#,
            r"permit (principal, action, resource) when { resource.colour };",
            r#"permit (principal == Ghost::"x", action, resource);"#,
        ] {
            let refused = CedarPolicy::parse(bad).err().map(|error| error.code());
            assert_eq!(refused, Some(ErrorCode::InvalidDefinition), "{bad}");
        }
    }
}
