//! Rollouts from start to end, and what stops them.

use mainstay_core::error::ErrorCode;
use mainstay_core::id::RolloutId;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{DAY, DataTime};
use mainstay_serving::command::{
    AdvanceRollout, Basis, FinishRollout, Outcome, RollBackEndpoint, StartRollout, abort,
};
use mainstay_serving::port::ServingTx as _;
use mainstay_serving::revision::{BasisPoints, RevisionDraft, Role};
use mainstay_serving::rollout::{
    Evidence, Guard, GuardReading, GuardVerdict, Phase, Quality, QualityVerdict, RolloutPlan,
};

use crate::memory::{Memory, failed, name, pinned, set};

const ID: RolloutId = RolloutId::from_bytes([8; 16]);

fn start(expected: u64, version: u64) -> StartRollout {
    StartRollout {
        workspace: default_workspace(),
        endpoint: name("e"),
        expected,
        rollout: ID,
        candidate: pinned(version),
        plan: RolloutPlan::default(),
        watermark: DataTime::default(),
        run: None,
    }
}

fn evidence(day: i64, verdict: QualityVerdict) -> Evidence {
    let quality = Quality {
        verdict,
        log_e_non_inferior: 3.2,
        log_e_harm: -1.0,
        mean_difference: -0.01,
        mature_pairs: 400,
        coverage: 0.9,
    };
    Evidence {
        watermark: DataTime::from_micros(day * DAY),
        pairs: 400,
        first_pair: Some(DataTime::default()),
        guards: Vec::new(),
        quality: Some(quality),
    }
}

fn advance(expected: u64, day: i64) -> AdvanceRollout {
    AdvanceRollout {
        workspace: default_workspace(),
        endpoint: name("e"),
        rollout: ID,
        expected,
        evidence: evidence(day, QualityVerdict::Undecided),
    }
}

fn finish(expected: u64, outcome: Outcome, basis: Basis) -> FinishRollout {
    FinishRollout {
        workspace: default_workspace(),
        endpoint: name("e"),
        rollout: ID,
        expected,
        outcome,
        basis,
    }
}

/// Revision 3: shadow.
async fn started() -> Memory {
    let mut memory = Memory::serving().await;
    memory.run(&start(2, 2)).await.unwrap();
    memory
}

#[tokio::test]
async fn a_good_candidate_goes_all_the_way_and_every_step_is_on_the_record() {
    let mut memory = started().await;
    assert_eq!(memory.newest().arms[1].role, Role::Shadow);
    for (expected, day, points) in [(3, 1, 500), (4, 2, 2_500), (5, 3, 10_000)] {
        let early = memory.run(&advance(expected, day - 1)).await.unwrap_err();
        assert_eq!(early, ErrorCode::WrongState, "not baked");
        memory.run(&advance(expected, day)).await.unwrap();
        let weight = BasisPoints::new(points).unwrap();
        assert_eq!(memory.newest().arms[1].role, Role::Canary { weight });
        assert_eq!(memory.newest().rollout, Some(ID));
    }
    let undecided = Basis::Evidence(evidence(4, QualityVerdict::Undecided));
    let unproven = memory.run(&finish(6, Outcome::Promote, undecided)).await.unwrap_err();
    assert_eq!(unproven, ErrorCode::WrongState);
    let proven = Basis::Evidence(evidence(4, QualityVerdict::NonInferior));
    let done = memory.run(&finish(6, Outcome::Promote, proven.clone())).await.unwrap();
    assert_eq!(done.state.phase, Phase::Promoted);
    assert_eq!(memory.newest().champion().unwrap().pinned, pinned(2));
    assert_eq!((memory.newest().fallback, memory.newest().rollout), (Some(pinned(1)), None));

    let told: Vec<_> =
        memory.events.iter().filter(|e| e.kind.starts_with("rollout")).map(|e| e.kind).collect();
    assert_eq!(
        told,
        ["rollout.started", "rollout.advanced", "rollout.advanced", "rollout.advanced", "rollout.promoted"]
    );
    let promoted = memory.events.iter().find(|e| e.kind == "rollout.promoted").unwrap();
    assert_eq!(promoted.body["detail"]["verdict"]["reason"], "non_inferior");
    assert_eq!(promoted.body["detail"]["evidence"]["quality"]["mature_pairs"], 400);
    assert_eq!(promoted.body["candidate"]["digest"], pinned(2).digest.to_string());
    let over = memory.run(&finish(7, Outcome::Promote, proven)).await.unwrap_err();
    assert_eq!(over, ErrorCode::WrongState);
}

#[tokio::test]
async fn harm_and_breached_guards_roll_back_with_the_reason() {
    let mut harmful = started().await;
    let basis = Basis::Evidence(evidence(1, QualityVerdict::Harmful));
    assert_eq!(harmful.run(&advance(2, 1)).await.unwrap_err(), ErrorCode::RevisionConflict);
    harmful.run(&finish(3, Outcome::RollBack, basis)).await.unwrap();
    assert_eq!(harmful.newest().arms.len(), 1);
    assert_eq!(harmful.newest().champion().unwrap().pinned, pinned(1));

    let mut breached = started().await;
    let mut seen = evidence(0, QualityVerdict::Undecided);
    let (guard, verdict) = (Guard::OutputShift, GuardVerdict::Breached);
    seen.guards = vec![GuardReading { guard, observed: 0.9, limit: 0.2, verdict }];
    let promoted = breached.run(&finish(3, Outcome::Promote, Basis::Evidence(seen.clone()))).await;
    assert_eq!(promoted.unwrap_err(), ErrorCode::WrongState);
    breached.run(&finish(3, Outcome::RollBack, Basis::Evidence(seen))).await.unwrap();
    let event = breached.events.iter().find(|e| e.kind == "rollout.rolled_back").unwrap();
    assert_eq!(event.body["detail"]["verdict"]["guard"], "output_shift");
}

#[tokio::test]
async fn an_inconclusive_rollout_waits_for_a_person() {
    let mut memory = started().await;
    let held = memory.run(&advance(3, 21)).await.unwrap();
    assert_eq!(held.state.phase, Phase::Inconclusive);
    assert_eq!(memory.newest().number, 3, "the arms stay");
    assert_eq!(memory.run(&advance(3, 22)).await.unwrap_err(), ErrorCode::WrongState);
    let person = Basis::Person("the labels are late, the shadow looks right".to_owned());
    memory.run(&finish(3, Outcome::Promote, person)).await.unwrap();
    assert_eq!(memory.newest().champion().unwrap().pinned, pinned(2));
}

#[tokio::test]
async fn one_rollout_at_a_time_and_the_arms_are_its_own() {
    let mut memory = started().await;
    let mut second = start(3, 3);
    second.rollout = RolloutId::from_bytes([9; 16]);
    assert_eq!(memory.run(&second).await.unwrap_err(), ErrorCode::WrongState);
    let by_hand = set(3, RevisionDraft::champion(pinned(2)));
    assert_eq!(memory.run(&by_hand).await.unwrap_err(), ErrorCode::WrongState);
}

#[tokio::test]
async fn rollouts_that_make_no_sense_do_not_start() {
    let mut memory = Memory::serving().await;
    assert_eq!(memory.run(&start(2, 1)).await.unwrap_err(), ErrorCode::WrongState, "is champion");
    assert_eq!(memory.run(&start(1, 2)).await.unwrap_err(), ErrorCode::RevisionConflict);
    assert_eq!(memory.run(&start(2, 3)).await.unwrap_err(), ErrorCode::GateNotPassed);
}

#[tokio::test]
async fn gates_are_asked_again_on_the_way() {
    let mut memory = started().await;
    memory.gates.insert(pinned(2).digest, failed());
    assert_eq!(memory.run(&advance(3, 1)).await.unwrap_err(), ErrorCode::GateNotPassed);
    let person = Basis::Person("never mind the gates".to_owned());
    let forced = memory.run(&finish(3, Outcome::Promote, person)).await.unwrap_err();
    assert_eq!(forced, ErrorCode::GateNotPassed);
}

#[tokio::test]
async fn a_persons_rollback_aborts_the_rollout() {
    let mut memory = started().await;
    memory.run(&advance(3, 1)).await.unwrap();
    let reason = "complaints".to_owned();
    let rollback =
        RollBackEndpoint { workspace: default_workspace(), endpoint: name("e"), expected: None, reason };
    let done = memory.run(&rollback).await.unwrap();
    assert_eq!((done.champion, done.aborted), (pinned(1), Some(ID)));
    assert_eq!(memory.newest().arms.len(), 1);
    assert_eq!(memory.kinds()[6..], ["rollout.aborted", "endpoint.rolled_back"]);
    // The engine, which has not heard of it yet, gets nowhere; and the endpoint is free again.
    assert_eq!(memory.run(&advance(4, 2)).await.unwrap_err(), ErrorCode::WrongState);
    let mut again = start(5, 2);
    again.rollout = RolloutId::from_bytes([9; 16]);
    memory.run(&again).await.unwrap();
}

#[tokio::test]
async fn an_aborted_rollout_leaves_the_champion_alone() {
    let mut memory = started().await;
    memory.run(&advance(3, 1)).await.unwrap();
    let running = memory.running_rollout(&name("e")).await.unwrap().unwrap();
    abort(&mut memory, running, "its run was stopped").await.unwrap();
    assert_eq!(memory.kinds()[6..], ["rollout.aborted", "endpoint.revised"]);
    assert_eq!(memory.events[6].body["detail"]["reason"], "its run was stopped");
    assert_eq!(memory.rollout(&ID).await.unwrap().unwrap().state.phase, Phase::Aborted);
    let newest = memory.newest();
    assert_eq!((newest.arms.len(), newest.champion().unwrap().pinned), (1, pinned(1)));
    assert_eq!((newest.number, newest.rollout), (5, None));
}
