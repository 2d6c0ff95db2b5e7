//! Rollouts: those of an endpoint, one of them, and a person's word on it.

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::id::{PipelineRunId, RolloutId};
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_serving::command::{Basis, FinishRollout, Outcome};
use mainstay_serving::error::ServingError;
use mainstay_serving::rollout::{Phase, Rollout, RolloutPlan};
use serde::{Deserialize, Serialize};

use super::revision::PinnedBody;
use super::{EndpointState, ONE, existing};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::{Listing, PageParams};
use crate::native::reason::reason;
use crate::native::request::{JsonBody, One, Params};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<EndpointState>> {
    let rollout = RouteScope::Path(ResourceKind::Rollout, "id");
    vec![
        Route::new(
            Protocol::Native,
            (Method::GET, "/api/v1/endpoints/{name}/rollouts"),
            (Action::EndpointRead, ONE),
            list,
        ),
        Route::new(
            Protocol::Native,
            (Method::GET, "/api/v1/rollouts/{id}"),
            (Action::EndpointRead, rollout),
            one,
        ),
        Route::new(
            Protocol::Native,
            (Method::POST, "/api/v1/rollouts/{id}/decision"),
            // The command asks for model.promote where the word is to promote.
            (Action::EndpointRollback, rollout),
            decide,
        ),
    ]
}

/// A rollout on the wire. Instants are data time.
#[derive(Debug, Serialize)]
pub(super) struct RolloutBody {
    id: RolloutId,
    endpoint: Name,
    candidate: PinnedBody,
    champion: PinnedBody,
    plan: RolloutPlan,
    phase: &'static str,
    /// The plan's canary step, counted from 0, while it is in one.
    step: Option<usize>,
    running: bool,
    /// The watermark when it started; none before the endpoint's first data.
    started_at: Option<String>,
    /// The watermark when the phase was entered; none as well.
    entered_at: Option<String>,
    /// The pipeline run whose step carries it out.
    run: Option<PipelineRunId>,
}

impl From<Rollout> for RolloutBody {
    fn from(rollout: Rollout) -> Self {
        let phase = rollout.state.phase;
        Self {
            id: rollout.id,
            endpoint: rollout.endpoint,
            candidate: rollout.candidate.into(),
            champion: rollout.champion.into(),
            plan: rollout.plan,
            phase: phase.as_str(),
            step: if let Phase::Canary { step } = phase { Some(step) } else { None },
            running: phase.is_running(),
            started_at: rollout.state.started().map(|at| at.to_string()),
            entered_at: rollout.state.entered().map(|at| at.to_string()),
            run: rollout.run,
        }
    }
}

async fn list(
    State(state): State<EndpointState>,
    caller: Caller,
    One(name): One<Name>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<RolloutBody>>, Error> {
    existing(&state, &caller, &name).await?;
    let page = state.endpoints.rollouts(&caller.workspace, &name, &page.request::<u64>()?).await?;
    Ok(Json(Listing::of(page, RolloutBody::from)))
}

async fn found(state: &EndpointState, caller: &Caller, id: RolloutId) -> Result<Rollout, Error> {
    let found = state.endpoints.rollout(&caller.workspace, &id).await?;
    Ok(found.ok_or(ServingError::NoRollout(id))?)
}

async fn one(
    State(state): State<EndpointState>,
    caller: Caller,
    One(id): One<RolloutId>,
) -> Result<Json<RolloutBody>, Error> {
    Ok(Json(found(&state, &caller, id).await?.into()))
}

/// A person's word.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    outcome: Word,
    reason: String,
    /// The endpoint's revision that the caller read; the present one if left out.
    expected: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Promote,
    RollBack,
}

async fn decide(
    State(state): State<EndpointState>,
    caller: Caller,
    One(id): One<RolloutId>,
    JsonBody(body): JsonBody<DecisionBody>,
) -> Result<Json<RolloutBody>, Error> {
    let reason = reason(body.reason)?;
    let rollout = found(&state, &caller, id).await?;
    let expected = match body.expected {
        Some(expected) => expected,
        None => existing(&state, &caller, &rollout.endpoint).await?.1.number,
    };
    let command = FinishRollout {
        workspace: caller.workspace,
        endpoint: rollout.endpoint,
        rollout: id,
        expected,
        outcome: match body.outcome {
            Word::Promote => Outcome::Promote,
            Word::RollBack => Outcome::RollBack,
        },
        basis: Basis::Person(reason),
    };
    Ok(Json(state.commands.decide_rollout(&caller.principal, command).await?.into()))
}
