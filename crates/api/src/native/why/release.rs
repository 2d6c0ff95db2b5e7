//! How a version came to answer: its rollouts with their evidence, and the moves of aliases to and from it.

use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, EventSeq, RecordedEvent};
use mainstay_core::id::RolloutId;
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::DataTime;
use mainstay_registry::model::model_subject;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_serving::rollout::Rollout;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::WhyState;

/// Endpoints and rollouts that are looked through, and events of each rollout.
const LIMIT: usize = 500;

/// What happened to a version after it was judged.
#[derive(Debug, Default, Serialize)]
pub struct Release {
    /// Newest first.
    pub rollouts: Vec<Released>,
    /// Aliases that moved to it or away from it, in order.
    pub moves: Vec<Moved>,
}

/// A rollout of the version.
#[derive(Debug, Serialize)]
pub struct Released {
    /// Its id.
    pub id: RolloutId,
    /// Where.
    pub endpoint: Name,
    /// The version that it was compared with.
    pub champion: u64,
    /// How far it is.
    pub phase: &'static str,
    /// When it began.
    #[serde(serialize_with = "super::as_text")]
    pub started: DataTime,
    /// Each phase, with what led to it.
    pub history: Vec<Phase>,
}

/// The event of a rollout's phase: when, by whom, and the plan, or the verdict with its evidence, or a
/// person's reason.
#[derive(Debug)]
pub struct Phase(pub RecordedEvent);

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(event) = self;
        let detail = event.body.as_ref().and_then(|body| body.get("detail"));
        json!({ "at": event.at.to_string(), "kind": event.kind, "actor": event.actor, "detail": detail })
            .serialize(serializer)
    }
}

/// The event of an alias that moved: when, by whom, from where to where, and the endpoint it moved with.
#[derive(Debug)]
pub struct Moved(pub RecordedEvent);

impl Serialize for Moved {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(event) = self;
        let said = |key: &str| event.body.as_ref().and_then(|body| body.get(key));
        json!({
            "at": event.at.to_string(), "actor": event.actor,
            "alias": said("alias"), "from": said("from"), "to": said("to"), "endpoint": said("endpoint"),
        })
        .serialize(serializer)
    }
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

async fn story(state: &WhyState, workspace: &Name, rollout: Rollout) -> Result<Released, StorageError> {
    let subject = Subject::new(ResourceKind::Rollout, rollout.id);
    let events = state.events.read(&EventQuery::after(EventSeq(0), LIMIT).about(subject)).await?;
    let history = events.into_iter().filter(|event| event.workspace == *workspace).map(Phase);
    Ok(Released {
        id: rollout.id,
        endpoint: rollout.endpoint,
        champion: rollout.champion.version,
        phase: rollout.state.phase.as_str(),
        started: rollout.state.started_at,
        history: history.collect(),
    })
}

/// Moves of the model's aliases that have to do with the version.
async fn moves(
    state: &WhyState,
    workspace: &Name,
    model: &ModelName,
    number: VersionNumber,
) -> Result<Vec<Moved>, StorageError> {
    let mut moves = Vec::new();
    let mut after = EventSeq(0);
    loop {
        let page = EventQuery::after(after, LIMIT).about(model_subject(model));
        let events = state.events.read(&page).await?;
        let Some(last) = events.last() else { return Ok(moves) };
        after = last.seq;
        let here = events.into_iter().filter(|event| event.workspace == *workspace);
        moves.extend(here.filter(|event| moved(event, number)).map(Moved));
    }
}

fn moved(event: &RecordedEvent, number: VersionNumber) -> bool {
    let body = event.body.as_ref().filter(|_| event.kind == "alias.moved");
    body.is_some_and(|body| body["to"] == number.0 || body["from"] == number.0)
}
