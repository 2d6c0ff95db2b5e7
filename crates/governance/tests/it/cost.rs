//! What a decision costs. A measurement, to be asked for:
//! `cargo nextest run --release -p mainstay-governance --run-ignored only --no-capture`.

use std::time::Instant;

use mainstay_core::action::Action;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_governance::policy::{CedarPolicy, Mode};

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn decisions_from_the_policy_and_from_the_memory() {
    let grant = Grant { workspace: Some(default_workspace()), role: Role::Developer };
    let alice = Principal::new(Actor::user("alice"), vec![grant]);
    let scope = Scope::new(default_workspace(), Subject::new(ResourceKind::Run, "0".repeat(32)));
    for mode in [Mode::Required, Mode::Local] {
        let policy = CedarPolicy::new(mode).unwrap();
        let start = Instant::now();
        for _ in 0..2_000 {
            assert!(policy.decide(&alice, Action::RunWrite, &scope).unwrap());
        }
        let fresh = start.elapsed() / 2_000;
        let start = Instant::now();
        for _ in 0..1_000_000 {
            assert!(policy.allows(&alice, Action::RunWrite, &scope));
        }
        println!("{mode:?}: {fresh:?} afresh, {:?} from the memory", start.elapsed() / 1_000_000);
    }
}
