//! Checks on claims, tokens and what ends an attempt.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use mainstay_core::error::ErrorCode;
use mainstay_core::time::MachineTime;
use serde_json::json;

use super::{Bench, Checked, LEASE, chain, refused};
use crate::commands::{CancelRun, Heartbeat, ParkStep, WakeRun};
use crate::run::{RunState, Step, StepState};

fn beat(bench: &Bench, step: &Step) -> Heartbeat {
    Heartbeat {
        workspace: bench.workspace.clone(),
        run: step.run,
        step: step.name.clone(),
        token: step.token,
        lease: LEASE,
    }
}

pub(super) async fn concurrent_claims_take_different_steps(bench: Bench) -> Checked {
    let run = bench.start("stages:\n  m:\n    foreach: [0, 1, 2, 3, 4]\n    do: {cmd: 'true'}\n").await?;
    let answers = join_all((0..8).map(|_| bench.try_claim("w"))).await;
    let claims: Vec<_> = answers.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let names: BTreeSet<_> = claims.iter().map(|claim| claim.step.name.clone()).collect();
    assert_eq!((claims.len(), names.len()), (5, 5));
    let accepted = join_all(claims.iter().map(|claim| bench.accept(&claim.step, json!(null)))).await;
    accepted.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(bench.state(run).await?, RunState::Succeeded);
    Ok(())
}

pub(super) async fn a_stale_token_is_refused_and_leaves_nothing(bench: Bench) -> Checked {
    let run = bench.start(&chain(2)).await?;
    let first = bench.claim("s0").await?;
    assert_eq!(
        bench.after(LEASE.saturating_sub(Duration::from_micros(1))).await?,
        0,
        "the lease still holds"
    );
    assert_eq!(bench.after(Duration::from_micros(1)).await?, 1);
    let second = bench.claim("s0").await?;
    assert_eq!((first.step.token, second.step.token, second.step.losses), (1, 2, 1));
    let before = (bench.ledger(run).await?, bench.step(run, "s0").await?);
    refused(bench.accept(&first.step, json!("late")).await, ErrorCode::StaleToken);
    refused(bench.fail(&first.step, true).await, ErrorCode::StaleToken);
    refused(bench.run(beat(&bench, &first.step)).await, ErrorCode::StaleToken);
    assert_eq!((bench.ledger(run).await?, bench.step(run, "s0").await?), before);
    bench.accept(&second.step, json!("right")).await?;
    refused(bench.accept(&first.step, json!("later")).await, ErrorCode::StaleToken);
    let results = bench.reader.results(&bench.workspace, run).await?;
    assert_eq!(
        results.iter().map(|r| (r.token, r.output.value.clone())).collect::<Vec<_>>(),
        [(2, json!("right"))]
    );
    Ok(())
}

pub(super) async fn a_second_acceptance_is_refused(bench: Bench) -> Checked {
    let run = bench.start(&chain(2)).await?;
    let claim = bench.claim("s0").await?;
    let answers = join_all((0..4).map(|_| bench.accept(&claim.step, json!(null)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        refused(answer, ErrorCode::WrongState);
    }
    assert_eq!(bench.reader.results(&bench.workspace, run).await?.len(), 1);
    Ok(())
}

pub(super) async fn heartbeats_keep_a_lease(bench: Bench) -> Checked {
    let run = bench.start(&chain(1)).await?;
    let claim = bench.claim("s0").await?;
    for _ in 0..5 {
        assert_eq!(bench.after(LEASE.saturating_sub(Duration::from_secs(1))).await?, 0);
        bench.run(beat(&bench, &claim.step)).await?;
    }
    bench.clock.advance(LEASE * 2);
    bench.run(beat(&bench, &claim.step)).await?;
    assert_eq!(bench.after(Duration::ZERO).await?, 0, "nobody took it meanwhile");
    bench.accept(&claim.step, json!(null)).await?;
    refused(bench.run(beat(&bench, &claim.step)).await, ErrorCode::WrongState);
    assert_eq!(bench.state(run).await?, RunState::Succeeded);
    Ok(())
}

pub(super) async fn failures_are_retried_after_a_wait(bench: Bench) -> Checked {
    let yaml = "stages:\n  s: {cmd: 'true', retries: {max: 2, backoff: 10s}}\n";
    let run = bench.start(yaml).await?;
    for (attempt, wait) in [(1, 10), (2, 20)] {
        let claim = bench.claim("s").await?;
        assert_eq!((claim.step.attempt, claim.step.token), (attempt, u64::from(attempt)));
        bench.fail(&claim.step, true).await?;
        bench.clock.advance(Duration::from_secs(wait).saturating_sub(Duration::from_micros(1)));
        assert!(bench.try_claim("w").await?.is_none(), "too early");
        let (_, next) = bench.reader.work(MachineTime::from_micros(0)).await?;
        assert!(next.is_some(), "the engine knows when to look again");
        bench.clock.advance(Duration::from_micros(1));
    }
    let last = bench.claim("s").await?;
    bench.fail(&last.step, true).await?;
    let step = bench.step(run, "s").await?;
    assert_eq!((step.state, step.reason.as_deref()), (StepState::Failed, Some("exit status 1")));
    let run = bench.start(yaml).await?;
    let claim = bench.claim("s").await?;
    bench.fail(&claim.step, false).await?;
    assert_eq!(bench.state(run).await?, RunState::Failed, "not worth a retry");
    Ok(())
}

pub(super) async fn a_parked_step_wakes_with_its_memo(bench: Bench) -> Checked {
    let run = bench.start("stages:\n  roll: {uses: rollout, retries: {max: 1, backoff: 10s}}\n").await?;
    let claim = bench.claim("roll").await?;
    let until = claim.step.started.ok_or("not started")?.after(Duration::from_mins(1));
    let park = ParkStep {
        workspace: bench.workspace.clone(),
        run,
        step: claim.step.name.clone(),
        token: claim.step.token,
        until,
        memo: json!({ "looked": 1 }),
    };
    bench.run(park.clone()).await?;
    refused(bench.run(park.clone()).await, ErrorCode::WrongState);
    refused(bench.accept(&claim.step, json!(null)).await, ErrorCode::WrongState);
    assert_eq!(bench.after(Duration::from_secs(59)).await?, 0);
    assert!(bench.try_claim("w").await?.is_none());
    assert_eq!(bench.after(Duration::from_secs(1)).await?, 1);
    let again = bench.claim("roll").await?;
    assert_eq!((again.step.token, again.step.attempt, &again.step.memo), (2, 1, &json!({ "looked": 1 })));
    let wake = WakeRun { workspace: bench.workspace.clone(), run };
    assert_eq!(bench.run(wake.clone()).await?, 0, "it is at work");
    let until = again.step.started.ok_or("not started")?.after(Duration::from_mins(1));
    bench.run(ParkStep { token: 2, until, ..park }).await?;
    assert_eq!(bench.run(wake).await?, 1, "before its time");
    bench.fail(&bench.claim("roll").await?.step, true).await?;
    bench.clock.advance(Duration::from_secs(10));
    let last = bench.claim("roll").await?;
    assert_eq!((last.step.attempt, &last.step.memo), (2, &json!({ "looked": 1 })), "a retry goes on with it");
    bench.accept(&last.step, json!(null)).await?;
    assert_eq!(bench.state(run).await?, RunState::Succeeded);
    Ok(())
}

pub(super) async fn cancelling_stops_everything(bench: Bench) -> Checked {
    let run = bench.start(&format!("{}  free: {{cmd: 'true'}}\n", chain(2))).await?;
    let claim = bench.claim("free").await?;
    let cancel = CancelRun { workspace: bench.workspace.clone(), run, reason: "enough".to_owned() };
    bench.run(cancel.clone()).await?;
    assert_eq!(bench.state(run).await?, RunState::Cancelled);
    assert!(bench.states(run).await?.iter().all(|(_, state)| *state == StepState::Cancelled));
    refused(bench.run(beat(&bench, &claim.step)).await, ErrorCode::WrongState);
    refused(bench.accept(&claim.step, json!(null)).await, ErrorCode::WrongState);
    refused(bench.run(cancel).await, ErrorCode::WrongState);
    assert!(bench.try_claim("w").await?.is_none());
    assert_eq!(bench.after(LEASE * 2).await?, 0);
    Ok(())
}
