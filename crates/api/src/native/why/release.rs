//! How a version came to answer: its rollouts with their evidence, and the moves of aliases to and from it.

use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, EventSeq, RecordedEvent};
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::principal::Actor;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_registry::model::model_subject;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_serving::rollout::Rollout;
use serde::Serialize;
use serde_json::Value;

use super::WhyState;

/// Endpoints and rollouts that are looked through, and events of each rollout.
const LIMIT: usize = 500;

/// What happened to a version after it was judged.
#[derive(Debug, Default, Serialize)]
pub(super) struct Release {
    /// Newest first.
    rollouts: Vec<RolloutStory>,
    /// Aliases that moved to it or away from it, in order.
    moves: Vec<MoveBody>,
}

/// A rollout of the version.
#[derive(Debug, Serialize)]
struct RolloutStory {
    id: RolloutId,
    endpoint: Name,
    /// The version that it was compared with.
    champion: u64,
    phase: &'static str,
    /// Data time.
    started: String,
    /// Each phase, with what led to it.
    history: Vec<PhaseBody>,
}

#[derive(Debug, Serialize)]
struct PhaseBody {
    at: String,
    kind: String,
    actor: Actor,
    /// The plan, or the verdict with its evidence, or a person's reason.
    detail: Value,
}

#[derive(Debug, Serialize)]
struct MoveBody {
    at: String,
    actor: Actor,
    alias: Value,
    from: Value,
    to: Value,
    endpoint: Value,
}

impl Release {
    pub(super) async fn find(
        state: &WhyState,
        workspace: &Name,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Self, StorageError> {
        let mut rollouts = Vec::new();
        let first = PageRequest { limit: LIMIT, after: None };
        for (endpoint, _) in state.serving.endpoints(workspace, &first).await?.items {
            if endpoint.model.as_str() != model.as_str() {
                continue;
            }
            let all = state.serving.rollouts(workspace, &endpoint.name, &first).await?.items;
            for rollout in all.into_iter().filter(|r| r.candidate.version == u64::from(number.0)) {
                rollouts.push(story(state, workspace, rollout).await?);
            }
        }
        Ok(Self { rollouts, moves: moves(state, workspace, model, number).await? })
    }
}

async fn story(state: &WhyState, workspace: &Name, rollout: Rollout) -> Result<RolloutStory, StorageError> {
    let subject = Subject::new(ResourceKind::Rollout, rollout.id);
    let events = state.events.read(&EventQuery::after(EventSeq(0), LIMIT).about(subject)).await?;
    let history = events.into_iter().filter(|event| event.workspace == *workspace).map(|event| PhaseBody {
        at: event.at.to_string(),
        kind: event.kind,
        actor: event.actor,
        detail: event.body.and_then(|mut body| body.get_mut("detail").map(Value::take)).unwrap_or_default(),
    });
    Ok(RolloutStory {
        id: rollout.id,
        endpoint: rollout.endpoint,
        champion: rollout.champion.version,
        phase: rollout.state.phase.as_str(),
        started: rollout.state.started_at.to_string(),
        history: history.collect(),
    })
}

/// Moves of the model's aliases that have to do with the version.
async fn moves(
    state: &WhyState,
    workspace: &Name,
    model: &ModelName,
    number: VersionNumber,
) -> Result<Vec<MoveBody>, StorageError> {
    let mut moves = Vec::new();
    let mut after = EventSeq(0);
    loop {
        let page = EventQuery::after(after, LIMIT).about(model_subject(model));
        let events = state.events.read(&page).await?;
        let Some(last) = events.last() else { return Ok(moves) };
        after = last.seq;
        let here = events.into_iter().filter(|event| event.workspace == *workspace);
        moves.extend(here.filter_map(|event| moved(event, number)));
    }
}

fn moved(event: RecordedEvent, number: VersionNumber) -> Option<MoveBody> {
    let body = event.body.filter(|_| event.kind == "alias.moved")?;
    (body["to"] == number.0 || body["from"] == number.0).then(|| MoveBody {
        at: event.at.to_string(),
        actor: event.actor,
        alias: body["alias"].clone(),
        from: body["from"].clone(),
        to: body["to"].clone(),
        endpoint: body["endpoint"].clone(),
    })
}
