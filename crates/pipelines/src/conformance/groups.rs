//! Checks on concurrency groups.

use futures::future::join_all;
use mainstay_core::error::ErrorCode;
use serde_json::json;

use super::{Bench, Checked, chain, refused};
use crate::commands::{CancelRun, How};
use crate::run::RunState;

fn grouped(when_full: &str) -> String {
    format!("{}concurrency: {{group: loop, limit: 1, when_full: {when_full}}}\n", chain(1))
}

pub(super) async fn further_runs_wait_for_their_turn(bench: Bench) -> Checked {
    let yaml = grouped("queue");
    let starts = (0..4).map(|_| bench.start_of(&yaml)).collect::<Result<Vec<_>, _>>()?;
    let answers = join_all(starts.into_iter().map(|start| bench.run(start))).await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().filter(|answer| answer.how == How::Running).count(), 1);
    let queued: Vec<_> = answers.iter().filter(|answer| answer.how == How::Queued).map(|a| a.run).collect();
    assert_eq!(queued.len(), 3);
    let given_up = *queued.last().ok_or("no run is queued")?;
    bench.run(CancelRun { workspace: bench.workspace.clone(), run: given_up, reason: String::new() }).await?;
    for _ in 0..3 {
        let claim = bench.claim("s0").await?;
        assert!(bench.try_claim("other").await?.is_none(), "one run at a time");
        bench.accept(&claim.step, json!(null)).await?;
    }
    assert!(bench.try_claim("w").await?.is_none());
    for run in queued.iter().filter(|run| **run != given_up) {
        assert_eq!(bench.state(*run).await?, RunState::Succeeded);
    }
    assert_eq!(bench.state(given_up).await?, RunState::Cancelled);
    Ok(())
}

pub(super) async fn further_causes_are_attached(bench: Bench) -> Checked {
    let run = bench.start(&grouped("attach")).await?;
    let second = bench.run(bench.start_of(&grouped("attach"))?).await?;
    assert_eq!((second.run, second.how), (run, How::Attached));
    assert!(bench.ledger(run).await?.contains(&"evidence_attached".to_owned()));
    Ok(())
}

pub(super) async fn the_oldest_run_is_replaced(bench: Bench) -> Checked {
    let first = bench.start(&grouped("cancel")).await?;
    let second = bench.start(&grouped("cancel")).await?;
    assert_eq!(bench.state(first).await?, RunState::Cancelled);
    assert_eq!(bench.state(second).await?, RunState::Running);
    Ok(())
}

pub(super) async fn a_full_group_refuses(bench: Bench) -> Checked {
    let first = bench.start(&grouped("refuse")).await?;
    refused(bench.run(bench.start_of(&grouped("refuse"))?).await, ErrorCode::WrongState);
    let claim = bench.claim("s0").await?;
    assert_eq!(claim.run.id, first);
    bench.accept(&claim.step, json!(null)).await?;
    bench.start(&grouped("refuse")).await?;
    Ok(())
}
