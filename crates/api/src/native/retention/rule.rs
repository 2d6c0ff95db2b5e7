//! Rules: what they are, and what they would take.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_retention::port::StandingRule;
use mainstay_retention::rule::command::{DeleteRule, SaveRule};
use mainstay_retention::rule::{RuleKind, Terms};
use mainstay_retention::survey::Wanted;
use serde::Deserialize;

use super::RetentionState;
use super::wire::{LookedBody, RuleBody, look};
use crate::caller::Caller;
use crate::native::Error;
use crate::native::listing::Listing;
use crate::native::request::{JsonBody, One};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleWish {
    kind: String,
    experiment: Option<String>,
    older_than_days: Option<u32>,
    deleted_for_days: Option<u32>,
    keep_last: Option<u64>,
    #[serde(default)]
    keep_tagged: Vec<String>,
}

impl RuleWish {
    fn wanted(self) -> Result<Wanted, Error> {
        let kind: RuleKind = self.kind.parse()?;
        let experiment = self.experiment.as_deref().map(ExperimentId::parse).transpose()?;
        let terms = Terms {
            older_than_days: self.older_than_days,
            deleted_for_days: self.deleted_for_days,
            keep_last: self.keep_last,
            keep_tagged: self.keep_tagged,
        };
        terms.check(kind)?;
        Ok(Wanted { kind, experiment, terms })
    }
}

pub(super) async fn list(
    State(state): State<RetentionState>,
    caller: Caller,
) -> Result<Json<Listing<RuleBody>>, Error> {
    let rules = state.reader.rules(&caller.workspace).await?;
    Ok(Json(Listing::whole(rules.into_iter().map(RuleBody::from).collect())))
}

pub(super) async fn save(
    State(state): State<RetentionState>,
    caller: Caller,
    One(name): One<Name>,
    JsonBody(wish): JsonBody<RuleWish>,
) -> Result<Json<RuleBody>, Error> {
    let Wanted { kind, experiment, terms } = wish.wanted()?;
    let command = SaveRule { workspace: caller.workspace, name, kind, experiment, terms };
    let rule = state.rules.run(&caller.principal, command).await?;
    Ok(Json(StandingRule { rule, applied: None }.into()))
}

pub(super) async fn remove(
    State(state): State<RetentionState>,
    caller: Caller,
    One(name): One<Name>,
) -> Result<StatusCode, Error> {
    state.rules.run(&caller.principal, DeleteRule { workspace: caller.workspace, name }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn preview(
    State(state): State<RetentionState>,
    caller: Caller,
    JsonBody(wish): JsonBody<RuleWish>,
) -> Result<Json<LookedBody>, Error> {
    let (wanted, now) = (wish.wanted()?, state.clock.now());
    let looked = look((&*state.reader, &*state.artifacts), &caller.workspace, &wanted, now).await?;
    Ok(Json(looked.into()))
}
