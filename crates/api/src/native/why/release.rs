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
use mainstay_serving::revision::Revision;
use mainstay_serving::rollout::Rollout;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{WhyState, ending};

/// Endpoints and rollouts that are looked through, and events of each rollout.
const LIMIT: usize = 500;

/// What happened to a version after it was judged.
#[derive(Debug, Default, Serialize)]
pub struct Release {
    /// Newest first.
    pub rollouts: Vec<Released>,
    /// Aliases that moved to it or away from it, in order.
    pub moves: Vec<Moved>,
    /// Endpoints that were put back by hand, from it or to it, in order.
    pub rollbacks: Vec<WentBack>,
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
    /// When it began; `None` if that was before the endpoint's first data.
    #[serde(serialize_with = "as_instant")]
    pub started: Option<DataTime>,
    /// Why it ended; `None` while it runs.
    pub reason: Option<String>,
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
            "seq": event.seq.0, "at": event.at.to_string(), "actor": event.actor,
            "alias": said("alias"), "from": said("from"), "to": said("to"), "endpoint": said("endpoint"),
        })
        .serialize(serializer)
    }
}

/// An endpoint that somebody put back to the champion before: when, by whom, from which version to which, and
/// why.
#[derive(Debug)]
pub struct WentBack {
    /// The event.
    pub event: RecordedEvent,
    /// Which endpoint.
    pub endpoint: Name,
    /// The version that answered before.
    pub from: u64,
    /// The version that answers since.
    pub to: u64,
}

impl Serialize for WentBack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, endpoint, from, to } = self;
        let reason = event.body.as_ref().and_then(|body| body.get("reason"));
        json!({
            "seq": event.seq.0, "at": event.at.to_string(), "actor": event.actor, "endpoint": endpoint, "from": from, "to": to,
            "reason": reason,
        })
        .serialize(serializer)
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field itself")]
fn as_instant<S: Serializer>(at: &Option<DataTime>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(serializer)
}

impl Release {
    pub(super) async fn find(
        state: &WhyState,
        workspace: &Name,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Self, StorageError> {
        let (mut rollouts, mut rollbacks) = (Vec::new(), Vec::new());
        let first = PageRequest { limit: LIMIT, after: None };
        for (endpoint, _) in state.serving.endpoints(workspace, &first).await?.items {
            if endpoint.model.as_str() != model.as_str() {
                continue;
            }
            let all = state.serving.rollouts(workspace, &endpoint.name, &first).await?.items;
            for rollout in all.into_iter().filter(|r| r.candidate.version == u64::from(number.0)) {
                rollouts.push(story(state, workspace, rollout).await?);
            }
            let all = went_back(state, workspace, &endpoint.name).await?;
            let number = u64::from(number.0);
            rollbacks.extend(all.into_iter().filter(|back| [back.from, back.to].contains(&number)));
        }
        Ok(Self { rollouts, moves: moves(state, workspace, model, number).await?, rollbacks })
    }
}

async fn story(state: &WhyState, workspace: &Name, rollout: Rollout) -> Result<Released, StorageError> {
    let subject = Subject::new(ResourceKind::Rollout, rollout.id);
    let events = state.events.read(&EventQuery::after(EventSeq(0), LIMIT).about(subject)).await?;
    let history: Vec<_> = events.into_iter().filter(|event| event.workspace == *workspace).collect();
    Ok(Released {
        id: rollout.id,
        endpoint: rollout.endpoint,
        champion: rollout.champion.version,
        phase: rollout.state.phase.as_str(),
        started: rollout.state.started(),
        reason: history.iter().rev().find_map(ending),
        history: history.into_iter().map(Phase).collect(),
    })
}

/// Every time that an endpoint was put back to another champion. Who was champion before, its revisions tell.
async fn went_back(
    state: &WhyState,
    workspace: &Name,
    endpoint: &Name,
) -> Result<Vec<WentBack>, StorageError> {
    let subject = Subject::new(ResourceKind::Endpoint, endpoint);
    let (mut found, mut before, mut after) = (Vec::new(), None, EventSeq(0));
    loop {
        let events = state.events.read(&EventQuery::after(after, LIMIT).about(subject.clone())).await?;
        let Some(last) = events.last() else { return Ok(found) };
        after = last.seq;
        for event in events.into_iter().filter(|event| event.workspace == *workspace) {
            let Some(champion) = champion(&event) else { continue };
            let from = before.replace(champion).filter(|from| *from != champion);
            if let Some(from) = from.filter(|_| event.kind == "endpoint.rolled_back") {
                found.push(WentBack { event, endpoint: endpoint.clone(), from, to: champion });
            }
        }
    }
}

/// The champion that an event of an endpoint tells of.
fn champion(event: &RecordedEvent) -> Option<u64> {
    let revision = event.body.as_ref()?.get("revision")?;
    let revision: Revision = serde_json::from_value(revision.clone()).ok()?;
    revision.champion().map(|arm| arm.pinned.version)
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
