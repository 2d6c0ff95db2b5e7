//! Endpoints, revisions, rollbacks and segments.

use mainstay_core::action::Action;
use mainstay_core::command::Command as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::DataTime;
use mainstay_serving::command::{ChangeEndpoint, CreateEndpoint, RegisterSegment, RollBackEndpoint};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::retraining::{PolicyAction, RetrainingPolicy, Strategy, Trigger};
use mainstay_serving::revision::{Arm, BasisPoints, RevisionDraft, Role};
use mainstay_serving::rollout::RolloutPlan;
use mainstay_serving::segment::{LogId, SealedSegment, SegmentId, SegmentKind};

use crate::memory::{Memory, endpoint, failed, name, pinned, set};

fn roll_back(expected: Option<u64>) -> RollBackEndpoint {
    let reason = "it looked wrong".to_owned();
    RollBackEndpoint { workspace: default_workspace(), endpoint: name("e"), expected, reason }
}

fn change(expected: u64, endpoint: Endpoint) -> ChangeEndpoint {
    ChangeEndpoint { workspace: default_workspace(), expected, governed: true, endpoint }
}

#[tokio::test]
async fn an_endpoint_is_created_once_and_the_event_carries_the_arms() {
    let mut memory = Memory::serving().await;
    let again = CreateEndpoint { workspace: default_workspace(), endpoint: endpoint() };
    assert_eq!(memory.run(&again).await.unwrap_err(), ErrorCode::AlreadyExists);
    assert_eq!(memory.kinds(), ["endpoint.created", "endpoint.revised"]);
    let arm = &memory.events[1].body["revision"]["arms"][0];
    assert_eq!(arm["version"], 1);
    assert_eq!(arm["digest"], pinned(1).digest.to_string());
    assert_eq!(memory.events[0].subject.to_string(), "endpoint:e");
}

#[tokio::test]
async fn a_model_has_one_governed_endpoint() {
    let mut memory = Memory::serving().await;
    let other = |governed| Endpoint { name: name("other"), governed, ..endpoint() };
    let create = |governed| CreateEndpoint { workspace: default_workspace(), endpoint: other(governed) };
    assert_eq!(memory.run(&create(true)).await.unwrap_err(), ErrorCode::WrongState);
    memory.run(&create(false)).await.unwrap();
    let change = ChangeEndpoint { governed: false, ..change(1, other(true)) };
    assert_eq!(memory.run(&change).await.unwrap_err(), ErrorCode::WrongState);
}

#[tokio::test]
async fn of_two_who_read_the_same_revision_one_wins() {
    let mut memory = Memory::serving().await;
    let draft = RevisionDraft::champion(pinned(2));
    memory.run(&set(2, draft.clone())).await.unwrap();
    assert_eq!(memory.run(&set(2, draft)).await.unwrap_err(), ErrorCode::RevisionConflict);
    assert_eq!((memory.newest().number, memory.newest().fallback), (3, Some(pinned(1))));
}

#[tokio::test]
async fn nothing_ungated_answers_on_a_governed_endpoint() {
    let mut memory = Memory::serving().await;
    let ungated = pinned(3);
    for status in [None, Some(failed())] {
        status.map(|status| memory.gates.insert(ungated.digest, status));
        let canary = Arm::new(ungated, Role::Canary { weight: BasisPoints::new(1).unwrap() });
        for draft in [RevisionDraft::champion(ungated), RevisionDraft::pair(pinned(1), canary)] {
            assert_eq!(memory.run(&set(2, draft)).await.unwrap_err(), ErrorCode::GateNotPassed);
        }
    }
    // A shadow does not answer; and a digest that passed does not vouch for another.
    let shadow = RevisionDraft::pair(pinned(1), Arm::new(ungated, Role::Shadow));
    memory.run(&set(2, shadow)).await.unwrap();
    let mut swapped = pinned(2);
    swapped.digest = Digest::of(b"another artifact");
    let draft = RevisionDraft::champion(swapped);
    assert_eq!(memory.run(&set(3, draft)).await.unwrap_err(), ErrorCode::GateNotPassed);
}

#[tokio::test]
async fn stating_that_an_endpoint_is_not_governed_opens_no_way_around() {
    let mut memory = Memory::serving().await;
    let mut command = set(2, RevisionDraft::champion(pinned(2)));
    assert_eq!(command.action(), Action::ModelPromote);
    command.governed = false;
    assert_eq!(command.action(), Action::EndpointWrite);
    assert_eq!(memory.run(&command).await.unwrap_err(), ErrorCode::RevisionConflict);

    let mut open = endpoint();
    open.governed = false;
    let loosen = change(2, open.clone());
    assert_eq!(loosen.action(), Action::ModelPromote);
    memory.run(&loosen).await.unwrap();
    command.expected = 3;
    command.draft = RevisionDraft::champion(pinned(3));
    memory.run(&command).await.unwrap();
    // To govern it again, what answers must have passed.
    let tighten = ChangeEndpoint { governed: false, ..change(4, endpoint()) };
    assert_eq!(memory.run(&tighten).await.unwrap_err(), ErrorCode::GateNotPassed);
}

#[tokio::test]
async fn a_definition_changes_by_compare_and_set_and_keeps_model_and_arms() {
    let mut memory = Memory::serving().await;
    let policy = |text: &str, days| RetrainingPolicy {
        name: name(text),
        trigger: Trigger::Age { days },
        strategy: Strategy { pipeline: name("retrain"), params: [("days".to_owned(), 60.into())].into() },
        action: PolicyAction::Rollout { plan: Box::new(RolloutPlan::default()) },
        cool_down_micros: 0,
    };
    let mut changed = endpoint();
    changed.retraining = vec![policy("monthly", 30)];
    let stale = memory.run(&change(1, changed.clone())).await.unwrap_err();
    assert_eq!(stale, ErrorCode::RevisionConflict);
    let before = memory.newest().clone();
    let after = memory.run(&change(2, changed.clone())).await.unwrap();
    assert_eq!((after.number, &after.arms), (3, &before.arms));
    assert_ne!(after.policy, before.policy);
    let definition = &memory.events.last().unwrap().body["definition"];
    assert_eq!(serde_json::from_value::<Endpoint>(definition.clone()).unwrap(), changed);

    for bad in [
        Endpoint { model: name("other"), ..endpoint() },
        Endpoint { retraining: vec![policy("p", 0)], ..endpoint() },
        Endpoint { retraining: vec![policy("p", 1), policy("p", 2)], ..endpoint() },
    ] {
        assert_eq!(memory.run(&change(3, bad)).await.unwrap_err(), ErrorCode::InvalidDefinition);
    }
}

#[tokio::test]
async fn a_rollback_goes_to_the_champion_before_and_only_once() {
    let mut memory = Memory::serving().await;
    assert_eq!(memory.run(&roll_back(None)).await.unwrap_err(), ErrorCode::WrongState);
    memory.run(&set(2, RevisionDraft::champion(pinned(2)))).await.unwrap();
    // The gates of the version before may have been withdrawn meanwhile; going back is still right.
    memory.gates.insert(pinned(1).digest, failed());
    assert_eq!(memory.run(&roll_back(Some(2))).await.unwrap_err(), ErrorCode::RevisionConflict);
    let done = memory.run(&roll_back(Some(3))).await.unwrap();
    assert_eq!((done.champion, done.revision.fallback, done.aborted), (pinned(1), None, None));
    let event = memory.events.last().unwrap();
    assert_eq!(
        (event.kind, event.body["reason"].as_str()),
        ("endpoint.rolled_back", Some("it looked wrong"))
    );
    assert_eq!(memory.run(&roll_back(None)).await.unwrap_err(), ErrorCode::WrongState);
}

#[tokio::test]
async fn a_rollback_drops_a_hand_set_canary_first() {
    let mut memory = Memory::serving().await;
    let canary = Arm::new(pinned(2), Role::Canary { weight: BasisPoints::WHOLE });
    memory.run(&set(2, RevisionDraft::pair(pinned(1), canary))).await.unwrap();
    let done = memory.run(&roll_back(None)).await.unwrap();
    assert_eq!((done.champion, done.revision.arms.len()), (pinned(1), 1));
}

#[tokio::test]
async fn a_segment_is_registered_once_and_never_with_another_content() {
    let mut memory = Memory::new();
    let segment = SealedSegment {
        id: SegmentId { log: LogId::from_bytes([1; 16]), sequence: 4 },
        records: 10,
        bytes: 3_000,
        digest: Digest::of(b"segment"),
        earliest: DataTime::from_micros(1),
        latest: DataTime::from_micros(2),
    };
    let kind = SegmentKind::Predictions;
    let mut command = RegisterSegment { workspace: default_workspace(), kind, segment };
    assert_eq!(memory.run(&command).await, Ok(true));
    assert_eq!(memory.run(&command).await, Ok(false));
    command.segment.digest = Digest::of(b"other");
    assert_eq!(memory.run(&command).await, Err(ErrorCode::Corrupt));
    assert_eq!(memory.kinds(), ["segment.sealed"]);
    let body = &memory.events[0].body;
    assert_eq!((&body["segment"]["records"], &body["kind"]), (&10.into(), &"predictions".into()));
}
