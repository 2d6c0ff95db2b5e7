//! The whole table of decisions, beside the code: a change of the policy shows as a change of
//! `decisions.txt`.

use std::fmt::Write as _;

use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_governance::policy::{CedarPolicy, Mode};

fn person(role: Role) -> Principal {
    let grant = Grant { workspace: Some(default_workspace()), role };
    Principal { actor: Actor::user(&Name::new("alice").unwrap()), grants: vec![grant] }
}

fn callers() -> Vec<(&'static str, Principal)> {
    let everywhere = Grant { workspace: None, role: Role::Developer };
    let mut callers = vec![("anonymous", Principal::anonymous())];
    callers.extend(Role::ALL.map(|role| (role.as_str(), person(role))));
    callers.push(("dev-all", Principal { actor: Actor::stored("token:1"), grants: vec![everywhere] }));
    callers.push(("system", Principal::system("engine")));
    callers.push(("local", Principal { actor: Actor::local(), grants: Vec::new() }));
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
