//! Purges: begun, dry or for good, and followed.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::experiment::ExperimentId;
use mainstay_retention::command::{MAX_TARGETS, Otherwise, StartPurge};
use mainstay_retention::error::RetentionError;
use mainstay_retention::purge::{Cause, PurgeId};
use mainstay_retention::rule::{MAX_DAYS, RuleKind, Terms};
use mainstay_retention::survey::{Survey, Wanted, survey};
use mainstay_retention::target::Target;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::RetentionState;
use super::wire::{HeldBody, LookedBody, PurgeBody, held, look, looked};
use crate::caller::Caller;
use crate::native::Error;
use crate::native::listing::{Listing, PageParams};
use crate::native::request::{JsonBody, One, Params};

pub(super) async fn list(
    State(state): State<RetentionState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<PurgeBody>>, Error> {
    let page = page.request::<(i64, String)>()?;
    let purges = state.reader.purges(&caller.workspace, &page).await?;
    Ok(Json(Listing::of(purges, PurgeBody::from)))
}

pub(super) async fn show(
    State(state): State<RetentionState>,
    caller: Caller,
    One(id): One<PurgeId>,
) -> Result<Json<PurgeBody>, Error> {
    let purge = state.reader.purge(&caller.workspace, id).await?;
    Ok(Json(purge.ok_or(RetentionError::NoPurge(id))?.into()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetBody {
    kind: String,
    id: String,
}

/// What is deleted, in `MLflow`'s sense.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeletedBody {
    kind: String,
    experiment: Option<String>,
    #[serde(default)]
    for_days: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartBody {
    #[serde(default)]
    targets: Vec<TargetBody>,
    deleted: Option<DeletedBody>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// The body names nothing, or in two ways.
#[derive(Debug, ThisError)]
#[error("say what is to go: either 'targets', each a kind and an id, or 'deleted', with a kind of its own")]
struct Unclear;

impl Coded for Unclear {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

#[derive(Debug, Serialize)]
struct StartedBody {
    purge: Option<PurgeBody>,
    held: Vec<HeldBody>,
    held_count: u64,
    has_more: bool,
}

pub(super) async fn start(
    State(state): State<RetentionState>,
    caller: Caller,
    JsonBody(body): JsonBody<StartBody>,
) -> Result<Response, Error> {
    match (&body.deleted, body.targets.is_empty()) {
        (Some(deleted), true) => {
            let wanted = deleted.wanted()?;
            start_deleted(&state, &caller, &wanted, &body).await
        }
        (None, false) => start_named(&state, &caller, body).await,
        _ => Err(Unclear.into()),
    }
}

impl DeletedBody {
    fn wanted(&self) -> Result<Wanted, Error> {
        let kind: RuleKind = self.kind.parse()?;
        if self.for_days > MAX_DAYS {
            return Err(RetentionError::Days("for_days").into());
        }
        if matches!(kind, RuleKind::Traces | RuleKind::RunArtifacts) {
            return Err(RetentionError::DeletedTraces.into());
        }
        let experiment = self.experiment.as_deref().map(ExperimentId::parse).transpose()?;
        let terms = Terms { deleted_for_days: Some(self.for_days), ..Terms::default() };
        Ok(Wanted { kind, experiment, terms })
    }
}

/// Purges what is deleted, as much as one purge takes; what is needed is left out.
async fn start_deleted(
    state: &RetentionState,
    caller: &Caller,
    wanted: &Wanted,
    body: &StartBody,
) -> Result<Response, Error> {
    let now = state.clock.now();
    if body.dry_run {
        let looked = look((&*state.reader, &*state.artifacts), &caller.workspace, wanted, now).await?;
        return Ok(Json(LookedBody::from(looked)).into_response());
    }
    let found = survey(&*state.reader, &caller.workspace, wanted, now, MAX_TARGETS).await?;
    let targets: Vec<Target> = found.takes.into_iter().map(|(found, _)| found.target).collect();
    let (mut purge, mut stays) = (None, found.held);
    let mut held_count = found.held_count;
    if !targets.is_empty() {
        let command = StartPurge {
            workspace: caller.workspace.clone(),
            id: PurgeId::draw(&*state.entropy),
            cause: Cause::Asked,
            reason: body.reason.clone(),
            targets,
            otherwise: Otherwise::Skip,
        };
        let started = state.purges.run(&caller.principal, command).await?;
        purge = started.purge.map(PurgeBody::from);
        held_count = held_count.saturating_add(started.held.len() as u64);
        stays.extend(started.held);
    }
    let status = if purge.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    let body = StartedBody { purge, held: held(stays), held_count, has_more: found.has_more };
    Ok((status, Json(body)).into_response())
}

/// Purges what was named, all of it or nothing.
async fn start_named(state: &RetentionState, caller: &Caller, body: StartBody) -> Result<Response, Error> {
    if body.targets.len() > MAX_TARGETS {
        return Err(RetentionError::TargetCount.into());
    }
    let target = |named: &TargetBody| Target::new(named.kind.parse()?, &named.id);
    let mut targets = body.targets.iter().map(target).collect::<Result<Vec<_>, RetentionError>>()?;
    if body.dry_run {
        targets.sort_unstable();
        targets.dedup();
        let known = state.reader.look_up(&caller.workspace, &targets).await?;
        let is_known = |target: &&Target| known.iter().any(|(found, _)| found.target == **target);
        if let Some(missing) = targets.iter().find(|target| !is_known(target)) {
            return Err(RetentionError::NoTarget(missing.clone()).into());
        }
        let mut found = Survey::default();
        for (known, holds) in known {
            if holds.is_empty() {
                found.takes.push((known, None));
            } else {
                found.held_count += 1;
                found.held.push((known.target, holds));
            }
        }
        return Ok(Json(LookedBody::from(looked(&*state.artifacts, found).await?)).into_response());
    }
    let command = StartPurge {
        workspace: caller.workspace.clone(),
        id: PurgeId::draw(&*state.entropy),
        cause: Cause::Asked,
        reason: body.reason,
        targets,
        otherwise: Otherwise::Refuse,
    };
    let started = state.purges.run(&caller.principal, command).await?;
    let purge = started.purge.map(PurgeBody::from);
    let body = StartedBody { purge, held: Vec::new(), held_count: 0, has_more: false };
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}
