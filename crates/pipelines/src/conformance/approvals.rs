//! Checks on approvals.

use std::time::Duration;

use mainstay_core::digest::Digest;
use mainstay_core::error::ErrorCode;
use mainstay_core::id::PipelineRunId;
use mainstay_core::principal::Role;
use serde_json::json;

use super::{Bench, Checked, refused};
use crate::approval::{Approval, ApprovalState, Decision};
use crate::commands::{CancelRun, DecideApproval, RequestApproval};
use crate::definition::{Approve, OnTimeout, Span};
use crate::run::{RunState, StepState};

const YAML: &str = "stages:
  train: {uses: train}
  ship:
    uses: deploy
    approve: {of: steps.train.model, by: [approver, 'user:bob'], four_eyes: true, timeout: 1h}
  after: {cmd: 'true', needs: ship}
";

fn model() -> Digest {
    Digest::of(b"model")
}

fn decision(approval: &Approval, approve: bool) -> Decision {
    Decision { approve, digest: approval.digest, roles: vec![Role::Approver], comment: Some("ok".to_owned()) }
}

fn decide(bench: &Bench, approval: &Approval, decision: Decision) -> DecideApproval {
    DecideApproval { workspace: bench.workspace.clone(), approval: approval.id, decision }
}

/// A run whose `ship` waits for approval of the model.
async fn asked(bench: &Bench) -> Result<(PipelineRunId, Approval), Box<dyn std::error::Error + Send + Sync>> {
    let run = bench.start(YAML).await?;
    let train = bench.claim("train").await?;
    bench.accept(&train.step, json!({ "model": model() })).await?;
    assert!(bench.try_claim("w").await?.is_none(), "nothing runs before the approval");
    let pending = bench.reader.pending_approvals(&bench.workspace).await?;
    let approval = pending.into_iter().find(|approval| approval.run == run).ok_or("nobody was asked")?;
    assert_eq!((approval.digest, approval.step.as_str()), (model(), "ship"));
    Ok((run, approval))
}

pub(super) async fn an_approval_is_bound_to_its_digest(bench: Bench) -> Checked {
    let (run, approval) = asked(&bench).await?;
    let other = Decision { digest: Digest::of(b"another model"), ..decision(&approval, true) };
    refused(bench.by("user:eve", decide(&bench, &approval, other)).await, ErrorCode::RevisionConflict);
    let state = bench.by("user:eve", decide(&bench, &approval, decision(&approval, true))).await?;
    assert_eq!(state, ApprovalState::Approved);
    let again = bench.by("user:eve", decide(&bench, &approval, decision(&approval, false))).await;
    refused(again, ErrorCode::WrongState);
    assert!(bench.reader.pending_approvals(&bench.workspace).await?.is_empty());
    let ship = bench.claim("ship").await?;
    assert_eq!(ship.step.approved, Some(model()));
    bench.accept(&ship.step, json!(null)).await?;
    let after = bench.claim("after").await?;
    bench.accept(&after.step, json!(null)).await?;
    assert_eq!(bench.state(run).await?, RunState::Succeeded);
    Ok(())
}

pub(super) async fn only_those_asked_may_decide(bench: Bench) -> Checked {
    let (run, approval) = asked(&bench).await?;
    let own = bench.by("user:ann", decide(&bench, &approval, decision(&approval, true))).await;
    refused(own, ErrorCode::PermissionDenied);
    let developer = Decision { roles: vec![Role::Developer], ..decision(&approval, true) };
    let stranger = bench.by("user:eve", decide(&bench, &approval, developer.clone())).await;
    refused(stranger, ErrorCode::PermissionDenied);
    let no = Decision { approve: false, ..developer };
    let state = bench.by("user:bob", decide(&bench, &approval, no)).await?;
    assert_eq!(state, ApprovalState::Rejected);
    let ship = bench.step(run, "ship").await?;
    assert_eq!((ship.state, ship.reason.as_deref()), (StepState::Failed, Some("rejected by user:bob")));
    assert_eq!(bench.step(run, "after").await?.state, StepState::Skipped);
    assert_eq!(bench.state(run).await?, RunState::Failed);
    Ok(())
}

pub(super) async fn an_approval_expires(bench: Bench) -> Checked {
    let (run, approval) = asked(&bench).await?;
    assert_eq!(bench.after(Duration::from_secs(3_599)).await?, 0);
    bench.clock.advance(Duration::from_secs(1));
    let late = bench.by("user:eve", decide(&bench, &approval, decision(&approval, true))).await;
    refused(late, ErrorCode::WrongState);
    assert_eq!(bench.after(Duration::ZERO).await?, 1);
    assert_eq!(bench.state(run).await?, RunState::Failed);
    assert!(bench.reader.pending_approvals(&bench.workspace).await?.is_empty());

    let skipping = "stages:\n  ask: {approve: {timeout: 1m, on_timeout: skip}}\n  on: {cmd: 'true'}\n";
    let run = bench.start(skipping).await?;
    let on = bench.claim("on").await?;
    bench.accept(&on.step, json!(null)).await?;
    assert_eq!(bench.after(Duration::from_mins(1)).await?, 1);
    assert_eq!(bench.step(run, "ask").await?.state, StepState::Skipped);
    assert_eq!(bench.state(run).await?, RunState::Succeeded);
    Ok(())
}

pub(super) async fn a_running_step_can_ask(bench: Bench) -> Checked {
    let run = bench.start("stages:\n  roll: {uses: rollout}\n").await?;
    let claim = bench.claim("roll").await?;
    let terms = Approve {
        by: Vec::new(),
        of: None,
        four_eyes: false,
        timeout: Span::seconds(60),
        on_timeout: OnTimeout::Reject,
    };
    let request = RequestApproval {
        workspace: bench.workspace.clone(),
        run,
        step: claim.step.name.clone(),
        token: claim.step.token,
        digest: model(),
        terms,
        memo: json!({ "share": 0.25 }),
    };
    let id = bench.run(request).await?;
    let pending = bench.reader.pending_approvals(&bench.workspace).await?;
    let approval = pending.first().ok_or("nobody was asked")?;
    assert_eq!(approval.id, id);
    refused(bench.accept(&claim.step, json!(null)).await, ErrorCode::WrongState);
    bench.by("user:ann", decide(&bench, approval, decision(approval, true))).await?;
    let again = bench.claim("roll").await?;
    assert_eq!((again.step.approved, &again.step.memo), (Some(model()), &json!({ "share": 0.25 })));
    bench.accept(&again.step, json!(null)).await?;
    assert_eq!(bench.state(run).await?, RunState::Succeeded);
    Ok(())
}

pub(super) async fn cancelling_withdraws_the_question(bench: Bench) -> Checked {
    let (run, approval) = asked(&bench).await?;
    bench.run(CancelRun { workspace: bench.workspace.clone(), run, reason: "enough".to_owned() }).await?;
    assert!(bench.reader.pending_approvals(&bench.workspace).await?.is_empty());
    let late = bench.by("user:eve", decide(&bench, &approval, decision(&approval, true))).await;
    refused(late, ErrorCode::WrongState);
    Ok(())
}
