//! Checks on runs from start to end.

use futures::future::join_all;
use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use serde_json::json;

use super::{Bench, Checked, chain, refused};
use crate::circumstances::Provenance;
use crate::commands::{
    AcceptCached, AcceptStep, DefinePipeline, FireSchedule, How, KeepPosition, RefuseFiring,
};
use crate::engine::Acceptance;
use crate::port::{Position, RunFilter};
use crate::run::{Cause, CauseKind, RunState, StepOutput, StepState};
use crate::trigger::schedule_name;

pub(super) async fn a_chain_runs_in_order(bench: Bench) -> Checked {
    let run = bench.start(&chain(3)).await?;
    for name in ["s0", "s1", "s2"] {
        assert_eq!(bench.state(run).await?, RunState::Running);
        let claim = bench.claim(name).await?;
        assert!(bench.try_claim("other").await?.is_none(), "only {name} is ready");
        bench.accept(&claim.step, json!({ "from": name })).await?;
    }
    let found = bench.found(run).await?;
    assert_eq!((found.state, found.author.as_str()), (RunState::Succeeded, "user:ann"));
    assert!(found.finished.is_some());
    let results = bench.reader.results(&bench.workspace, run).await?;
    assert_eq!(results.len(), 3);
    let lines = bench.ledger(run).await?;
    let expected = [
        "started",
        "ready s0",
        "claimed s0",
        "accepted s0",
        "ready s1",
        "claimed s1",
        "accepted s1",
        "ready s2",
        "claimed s2",
        "accepted s2",
        "finished",
    ];
    assert_eq!(lines, expected);
    let later = bench.reader.ledger(&bench.workspace, run, 9, 1).await?;
    assert_eq!(later.first().map(|line| line.kind.as_str()), Some("accepted"));
    let stored = bench.reader.definition(&found.definition).await?.ok_or("no definition")?;
    assert_eq!(stored.digest(), found.definition);
    Ok(())
}

pub(super) async fn conditions_see_outputs_and_skip(bench: Bench) -> Checked {
    let yaml = "stages:
  gate: {uses: gate}
  yes: {uses: register, with: {model: '${steps.gate.model}'}, if: steps.gate.passed}
  no: {cmd: 'true', if: steps.gate.passed == false}
  after: {cmd: 'true', needs: no}
  anyway: {cmd: 'true', needs: no, if: steps.no.outcome == 'skipped'}
";
    let run = bench.start(yaml).await?;
    let gate = bench.claim("gate").await?;
    bench.accept(&gate.step, json!({ "passed": true, "model": "m7" })).await?;
    let first = bench.claim("anyway").await?;
    let second = bench.claim("yes").await?;
    let stage = second.definition.stages.get("yes").ok_or("no stage")?.at_run_time(&second.values)?;
    assert_eq!(
        serde_json::to_value(&stage.work)?,
        json!({"built_in": {"uses": "register", "with": {"model": "m7"}}})
    );
    for claim in [first, second] {
        bench.accept(&claim.step, json!(null)).await?;
    }
    assert_eq!(bench.state(run).await?, RunState::Succeeded);
    let expected = [
        ("after", StepState::Skipped),
        ("anyway", StepState::Accepted),
        ("gate", StepState::Accepted),
        ("no", StepState::Skipped),
        ("yes", StepState::Accepted),
    ];
    assert_eq!(bench.states(run).await?, expected.map(|(name, state)| (name.to_owned(), state)));
    Ok(())
}

pub(super) async fn a_failed_step_skips_what_needs_it(bench: Bench) -> Checked {
    let run = bench.start(&format!("{}  free: {{cmd: 'true'}}\n", chain(2))).await?;
    let free = bench.claim("free").await?;
    let first = bench.claim("s0").await?;
    bench.fail(&first.step, true).await?;
    assert_eq!(bench.step(run, "s1").await?.state, StepState::Skipped);
    assert_eq!(bench.state(run).await?, RunState::Running, "independent steps go on");
    bench.accept(&free.step, json!(null)).await?;
    assert_eq!(bench.state(run).await?, RunState::Failed);
    Ok(())
}

pub(super) async fn equal_keys_start_one_run(bench: Bench) -> Checked {
    let mut starts = Vec::new();
    for _ in 0..8 {
        let mut start = bench.start_of(&chain(1))?;
        start.idempotency_key = Some("once".to_owned());
        starts.push(bench.run(start));
    }
    let answers = join_all(starts).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().filter(|answer| answer.how == How::Running).count(), 1);
    assert!(answers.windows(2).all(|pair| pair[0].run == pair[1].run));
    let mut other = bench.start_of(&chain(2))?;
    other.idempotency_key = Some("once".to_owned());
    refused(bench.run(other).await, ErrorCode::AlreadyExists);
    Ok(())
}

pub(super) async fn a_schedule_fires_once(bench: Bench) -> Checked {
    for at_micros in [1_000, 2_000] {
        let mut attempts = Vec::new();
        for _ in 0..4 {
            let start = bench.start_of(&chain(1))?;
            let schedule = "check/on[0]".to_owned();
            attempts.push(bench.run(FireSchedule { schedule, at_micros, revision: None, start }));
        }
        let fired = join_all(attempts).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert_eq!(fired.iter().flatten().count(), 1);
    }
    let last = bench.reader.last_firing(&bench.workspace, "check/on[0]").await?;
    assert_eq!(last, Some(2_000));
    for (until, last) in [(999, None), (1_000, Some(1_000)), (1_999, Some(1_000)), (3_000, Some(2_000))] {
        let found = bench.reader.last_firing_until(&bench.workspace, "check/on[0]", until).await?;
        assert_eq!(found, last);
    }
    assert_eq!(bench.reader.last_firing(&bench.workspace, "other").await?, None);
    Ok(())
}

pub(super) async fn a_trigger_counts_only_under_its_revision(bench: Bench) -> Checked {
    let name = Name::new("check")?;
    let fire = |revision, at_micros| -> Result<FireSchedule, Box<dyn std::error::Error + Send + Sync>> {
        let start = bench.start_of(&chain(1))?;
        Ok(FireSchedule {
            schedule: schedule_name(&name, revision, 0),
            at_micros,
            revision: Some(revision),
            start,
        })
    };
    let refuse = |revision, at_micros| RefuseFiring {
        workspace: bench.workspace.clone(),
        pipeline: name.clone(),
        revision,
        schedule: schedule_name(&name, revision, 0),
        at_micros,
        cause: Cause { kind: CauseKind::Cron, evidence: json!(null) },
        code: ErrorCode::WrongState,
        reason: "full".to_owned(),
    };
    assert!(bench.run(fire(1, 1_000)?).await?.is_none(), "there is no such pipeline");
    for (steps, revision) in [(1, 1), (2, 2)] {
        let define = DefinePipeline::new(bench.workspace.clone(), name.clone(), chain(steps), &["train"])?;
        bench.run(define).await?;
        assert!(bench.run(fire(revision, 1_000)?).await?.is_some());
        bench.run(refuse(revision, 2_000)).await?;
        assert!(bench.run(fire(revision, 2_000)?).await?.is_none(), "a refusal counts as fired");
    }
    assert!(bench.run(fire(1, 3_000)?).await?.is_none(), "it was changed");
    bench.run(refuse(1, 4_000)).await?;
    let last =
        async |revision| bench.reader.last_firing(&bench.workspace, &schedule_name(&name, revision, 0)).await;
    assert_eq!((last(1).await?, last(2).await?), (Some(2_000), Some(2_000)));
    let all = bench.reader.all_pipelines().await?;
    assert!(all.iter().any(|(workspace, found)| *workspace == bench.workspace && found.revision == 2));
    Ok(())
}

pub(super) async fn positions_go_forward(bench: Bench) -> Checked {
    let name = Name::new("check")?;
    let found =
        async |revision, trigger| bench.reader.position(&bench.workspace, &name, revision, trigger).await;
    assert_eq!(found(1, 0).await?, None);
    for (revision, at, kept) in [(1, i64::MIN, i64::MIN), (1, 7, 7), (1, 3, 7), (2, 5, 5), (1, 9, 5)] {
        let position = Position { pipeline: name.clone(), revision, trigger: 0, at };
        bench.run(KeepPosition { workspace: bench.workspace.clone(), position }).await?;
        let newest = if kept == 5 { 2 } else { 1 };
        assert_eq!(found(newest, 0).await?, Some(kept));
    }
    assert_eq!((found(1, 0).await?, found(2, 1).await?), (None, None));
    Ok(())
}

pub(super) async fn results_are_found_by_their_key(bench: Bench) -> Checked {
    let key = Digest::of(b"key");
    let first = bench.start(&chain(1)).await?;
    let claim = bench.claim("s0").await?;
    let cached = |step: &crate::run::Step| AcceptCached {
        workspace: bench.workspace.clone(),
        run: step.run,
        step: step.name.clone(),
        token: step.token,
        key,
    };
    refused(bench.run(cached(&claim.step)).await, ErrorCode::NotFound);
    let artifacts = [("model".to_owned(), Digest::of(b"model"))].into();
    let output = StepOutput { value: json!({ "auc": 0.5 }), artifacts };
    let acceptance = Acceptance {
        run: first,
        step: claim.step.name.clone(),
        token: claim.step.token,
        output: output.clone(),
        provenance: Provenance { cache_key: Some(key), ..Provenance::default() },
    };
    bench.run(AcceptStep { workspace: bench.workspace.clone(), acceptance }).await?;
    for _ in 0..2 {
        let run = bench.start(&chain(1)).await?;
        let claim = bench.claim("s0").await?;
        bench.run(cached(&claim.step)).await?;
        let results = bench.reader.results(&bench.workspace, run).await?;
        let result = results.first().ok_or("no result")?;
        assert_eq!((&result.output, result.reused_from), (&output, Some(first)));
        assert_eq!(bench.state(run).await?, RunState::Succeeded);
    }
    assert!(bench.reader.find_cached(&bench.workspace, &Digest::of(b"other")).await?.is_none());
    Ok(())
}

pub(super) async fn runs_are_listed_in_pages(bench: Bench) -> Checked {
    let mut started = Vec::new();
    for _ in 0..5 {
        started.push(bench.start(&chain(1)).await?);
        bench.clock.advance(std::time::Duration::from_secs(1));
    }
    started.reverse();
    let (mut seen, mut page) = (Vec::new(), PageRequest::first(2));
    loop {
        let found = bench.reader.runs(&bench.workspace, &RunFilter::default(), &page).await?;
        seen.extend(found.items.iter().map(|run| run.id));
        match found.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, started, "newest first, each once");
    let none = RunFilter { states: vec![RunState::Failed], ..RunFilter::default() };
    assert!(bench.reader.runs(&bench.workspace, &none, &PageRequest::first(9)).await?.items.is_empty());
    let other = RunFilter { pipeline: Some(Name::new("other")?), ..RunFilter::default() };
    assert!(bench.reader.runs(&bench.workspace, &other, &PageRequest::first(9)).await?.items.is_empty());
    Ok(())
}

pub(super) async fn workspaces_do_not_meet(bench: Bench) -> Checked {
    let run = bench.start(&chain(1)).await?;
    let elsewhere = Bench { workspace: Name::new("elsewhere")?, ..bench };
    assert!(elsewhere.try_claim("w").await?.is_none());
    assert!(elsewhere.reader.run(&elsewhere.workspace, run).await?.is_none());
    assert!(elsewhere.reader.steps(&elsewhere.workspace, run).await?.is_empty());
    Ok(())
}

pub(super) async fn pipelines_have_revisions(bench: Bench) -> Checked {
    let name = Name::new("nightly")?;
    for (steps, revision) in [(1, 1), (1, 1), (2, 2)] {
        let define = DefinePipeline::new(bench.workspace.clone(), name.clone(), chain(steps), &["train"])?;
        assert_eq!(bench.run(define).await?.revision, revision);
    }
    let pipelines = bench.reader.pipelines(&bench.workspace).await?;
    assert_eq!(pipelines.iter().map(|p| (p.name.as_str(), p.revision)).collect::<Vec<_>>(), [("nightly", 2)]);
    Ok(())
}
