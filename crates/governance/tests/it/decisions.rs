//! The whole table of decisions, beside the code: a change of the policy shows as a change of
//! `decisions.txt`.

use std::fmt::Write as _;
use std::sync::Arc;

use mainstay_core::action::Action;
use mainstay_core::command::Verdict;
use mainstay_core::name::Name;
use mainstay_core::permission::{Level, Pattern, Permissions, Readable};
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_governance::policy::{CedarPolicy, Mode};

fn person(role: Role) -> Principal {
    let grant = Grant { workspace: Some(default_workspace()), role };
    Principal::new(Actor::user("alice"), vec![grant])
}

/// With levels in the default workspace.
fn with(principal: Principal, levels: &[(ResourceKind, &str, Level)]) -> Principal {
    let mut permissions = Permissions::default();
    for (kind, pattern, level) in levels {
        permissions.add(&default_workspace(), *kind, &Pattern::new(*pattern), *level);
    }
    principal.with_permissions(Arc::new(permissions))
}

fn nobody() -> Principal {
    Principal::new(Actor::user("bob"), Vec::new())
}

fn callers() -> Vec<(&'static str, Principal)> {
    let everywhere = Grant { workspace: None, role: Role::Developer };
    let mut callers = vec![("anonymous", Principal::anonymous())];
    callers.extend(Role::ALL.map(|role| (role.as_str(), person(role))));
    callers.push(("dev-all", Principal::new(Actor::stored("token:1"), vec![everywhere])));
    callers.push(("system", Principal::system("engine")));
    callers.push(("local", Principal::new(Actor::local(), Vec::new())));
    callers.push(("srv-admin", Principal::new(Actor::user("root"), Principal::system("x").grants)));
    for level in Level::ALL {
        let short = if level == Level::NoPermissions { "NONE" } else { level.as_str() };
        callers.push((short, with(nobody(), &[(ResourceKind::Model, "m", level)])));
    }
    for (name, level) in [("ws-USE", Level::Use), ("ws-MANAGE", Level::Manage)] {
        callers.push((name, with(nobody(), &[(ResourceKind::Workspace, "*", level)])));
    }
    let denied = [(ResourceKind::Model, "m", Level::Deny)];
    callers.push(("appr+DENY", with(person(Role::Approver), &denied)));
    callers.push(("admin+DEN", with(person(Role::Admin), &denied)));
    callers
}

fn table(policy: &CedarPolicy) -> String {
    let mut text = format!("{:18}", "");
    for (name, _) in callers() {
        write!(text, " {name:>9}").unwrap();
    }
    text.push('\n');
    for action in Action::ALL {
        write!(text, "{:18}", action.as_str()).unwrap();
        for (_, caller) in callers() {
            let allowed = |workspace| {
                let scope = Scope::new(workspace, Subject::new(ResourceKind::Model, "m"));
                let fresh = policy.decide(&caller, *action, &scope).unwrap();
                // Asked twice: from the policy, then from the memory.
                for _ in 0..2 {
                    assert_eq!(policy.allows(&caller, *action, &scope), fresh);
                }
                if fresh { "yes" } else { "-" }
            };
            let (own, other) = (allowed(default_workspace()), allowed(Name::new("other").unwrap()));
            write!(text, " {:>9}", format!("{own}/{other}")).unwrap();
        }
        text.push('\n');
    }
    text
}

/// What is asked before it is known which experiment it is about.
#[test]
fn what_some_things_allow_and_others_do_not_is_open() {
    let policy = CedarPolicy::new(Mode::Required).unwrap();
    let of_run = Scope::new(default_workspace(), Subject::new(ResourceKind::Run, "r"));
    let verdict = |caller: &Principal, action| policy.judges(caller, action, &of_run);
    let here = |caller: &Principal, id: &str| {
        let scope = Scope::new(default_workspace(), Subject::new(ResourceKind::Experiment, id));
        policy.judges(caller, Action::RunRead, &scope)
    };
    let kind = ResourceKind::Experiment;
    let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
    let readable = |caller| policy.readable(caller, Action::RunRead, &default_workspace());

    let reader = with(nobody(), &[(kind, "7", Level::Read), (kind, "8", Level::Deny)]);
    assert_eq!(verdict(&reader, Action::RunRead), Verdict::Open);
    assert_eq!(verdict(&reader, Action::RunWrite), Verdict::Refused);
    assert_eq!([here(&reader, "7"), here(&reader, "9")], [Verdict::Allowed, Verdict::Refused]);
    assert_eq!(readable(&reader), Readable::Only(ids(&["7"])));

    // It may look for models too, and finds none.
    assert_eq!(verdict(&reader, Action::ModelRead), Verdict::Open);
    assert_eq!(policy.readable(&reader, Action::ModelRead, &default_workspace()), Readable::Only(ids(&[])));

    // Elsewhere it has no part, and is not told whether there is such a workspace.
    let elsewhere = Name::new("elsewhere").unwrap();
    let there = Scope::new(elsewhere.clone(), Subject::new(ResourceKind::Workspace, &elsewhere));
    assert_eq!(policy.judges(&reader, Action::RunRead, &there), Verdict::Refused);

    // A role decides alone, as long as nothing is denied.
    let owner = with(person(Role::Viewer), &[(kind, "7", Level::Manage)]);
    assert_eq!(verdict(&owner, Action::RunRead), Verdict::Allowed);
    assert_eq!(verdict(&owner, Action::RunDelete), Verdict::Open);
    assert_eq!(readable(&owner), Readable::All);
    let denied = with(person(Role::Developer), &[(kind, "8", Level::Deny)]);
    assert_eq!(verdict(&denied, Action::RunRead), Verdict::Open);
    assert_eq!([here(&denied, "7"), here(&denied, "8")], [Verdict::Allowed, Verdict::Refused]);
    assert_eq!(readable(&denied), Readable::Except(ids(&["8"])));
    // What is denied of an experiment says nothing about models, pipelines or endpoints.
    assert_eq!(verdict(&denied, Action::ModelRead), Verdict::Allowed);
    assert_eq!(verdict(&denied, Action::PipelineRun), Verdict::Allowed);

    let everybody = nobody().with_permissions(Arc::new(Permissions::new(Some(Level::Read))));
    assert_eq!(verdict(&everybody, Action::RunRead), Verdict::Allowed);
    assert_eq!(verdict(&everybody, Action::RunWrite), Verdict::Refused);
    assert_eq!(verdict(&everybody, Action::ExperimentCreate), Verdict::Allowed);
    assert_eq!(readable(&nobody()), Readable::Only(ids(&[])));
}

#[test]
fn every_action_of_every_role_in_its_own_and_another_workspace() {
    let required = table(&CedarPolicy::new(Mode::Required).unwrap());
    let local = table(&CedarPolicy::new(Mode::Local).unwrap());
    let text = format!("auth required (own workspace / another)\n{required}\nauth local\n{local}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/decisions.txt");
    if std::env::var_os("MAINSTAY_ACCEPT").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let accepted = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text == accepted, "the policy changed; if it should, run again with MAINSTAY_ACCEPT=1:\n{text}");
}
