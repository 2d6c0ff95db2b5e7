//! What the predictor serves by: every endpoint with its newest revision and its models, all loaded.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use mainstay_api::native::endpoint::ViewReads;
use mainstay_core::digest::Digest;
use mainstay_core::event::EventSeq;
use mainstay_core::name::Name;
use mainstay_inference::Model;
use mainstay_segments::log::SegmentLog;
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::revision::{Pinned, Revision};
use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::error::PredictError;
use super::features::{KeptFeatures, ServiceFeatures};
use super::pace::{self, Pace};

/// A model with the way in which it reads the endpoint's features.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The model, shared by all endpoints that serve it.
    pub model: Arc<Model>,
    /// How it reads the features.
    pub(super) columns: Columns,
    /// How long it takes for a row.
    pub(super) pace: Arc<Pace>,
}

/// An endpoint, ready to answer.
#[derive(Debug)]
pub struct Served {
    /// Where.
    pub workspace: Name,
    /// Its definition.
    pub endpoint: Endpoint,
    /// The revision in force.
    pub revision: Revision,
    /// The models of its arms and of its fallback.
    pub models: HashMap<Digest, Loaded>,
    /// Where its predictions go.
    pub log: Arc<SegmentLog>,
    /// The latest data time that it was asked for, in microseconds.
    pub watermark: Arc<AtomicI64>,
    /// What completes requests that carry entity keys, and what it was made of.
    pub(super) features: Option<(KeptFeatures, Arc<ServiceFeatures>)>,
    /// How long a row takes that is completed by keys.
    pub(super) by_keys: Pace,
}

impl Served {
    /// The model of a version.
    pub fn model(&self, pinned: &Pinned) -> Option<&Loaded> {
        self.models.get(&pinned.digest)
    }

    /// Whether so many rows are answered soon, completed by keys or not, whichever arms score them.
    pub(super) fn is_brief(&self, rows: usize, by_keys: bool) -> bool {
        let models = self.revision.arms.iter().filter_map(|arm| self.model(&arm.pinned));
        let scoring = models.map(|loaded| loaded.pace.of(rows)).sum::<Option<u64>>();
        let joining = if by_keys { self.by_keys.of(rows) } else { Some(0) };
        scoring.zip(joining).is_some_and(|(scoring, joining)| scoring.saturating_add(joining) <= pace::BRIEF)
    }

    /// The views that requests with entity keys read, and how far they are materialised.
    pub fn reads(&self) -> Vec<ViewReads> {
        self.features.as_ref().map_or_else(Vec::new, |(_, features)| features.reads())
    }
}

/// Why the newest revision of an endpoint, or the newest definition of its features, is not served. What was
/// served before still is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The revision that should be served.
    pub revision: u64,
    /// What is wrong, in a sentence.
    pub reason: String,
}

/// The place of an endpoint.
pub type Place = (Name, Name);

/// Everything that the predictor serves by. Never changed, only replaced as a whole.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The position in the event log up to which it is true.
    pub seq: EventSeq,
    /// The digest of its endpoints and revisions.
    pub digest: Option<Digest>,
    /// The endpoints, by workspace and name.
    pub endpoints: HashMap<Name, HashMap<Name, Arc<Served>>>,
    /// Endpoints of which what is newest cannot be served.
    pub troubles: HashMap<Place, Trouble>,
}

impl Snapshot {
    /// An endpoint.
    pub fn find(&self, workspace: &str, endpoint: &str) -> Result<&Arc<Served>, PredictError> {
        if let Some(served) = self.endpoints.get(workspace).and_then(|all| all.get(endpoint)) {
            return Ok(served);
        }
        let waiting = self.troubles.keys().find(|(w, e)| w.as_str() == workspace && e.as_str() == endpoint);
        Err(waiting.map_or_else(
            || PredictError::NoEndpoint(endpoint.chars().take(250).collect()),
            |(_, name)| PredictError::NotLoaded(name.clone()),
        ))
    }

    /// Every endpoint that is served.
    pub fn served(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.endpoints.values().flat_map(HashMap::values)
    }

    /// The endpoints whose features stand in a project's definitions.
    pub(super) fn reading(&self, workspace: &Name, project: &str) -> Vec<Place> {
        let all = self.endpoints.get(workspace).into_iter().flatten();
        let reads = all.filter(|(_, served)| {
            served.endpoint.features.as_ref().is_some_and(|service| service.project.as_str() == project)
        });
        reads.map(|(name, _)| (workspace.clone(), name.clone())).collect()
    }

    /// The models that are loaded, by digest.
    pub fn models(&self) -> HashMap<Digest, Arc<Model>> {
        let models = self.served().flat_map(|served| &served.models);
        models.map(|(digest, loaded)| (*digest, Arc::clone(&loaded.model))).collect()
    }
}

/// What the predictor says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The position in the event log up to which it has followed.
    pub seq: u64,
    /// The digest of what it serves.
    pub digest: Option<Digest>,
    /// Its endpoints, by workspace and name.
    pub endpoints: Vec<EndpointStatus>,
}

/// How one endpoint stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    /// Where.
    pub workspace: Name,
    /// Which.
    pub endpoint: Name,
    /// The revision that is served, if any.
    pub revision: Option<u64>,
    /// Why the newest one is not.
    pub trouble: Option<Trouble>,
}

impl From<&Snapshot> for Status {
    fn from(snapshot: &Snapshot) -> Self {
        let served = snapshot.served().map(|served| (served.workspace.clone(), served.endpoint.name.clone()));
        let mut places: Vec<Place> = served.chain(snapshot.troubles.keys().cloned()).collect();
        places.sort();
        places.dedup();
        let endpoints = places.into_iter().map(|place| EndpointStatus {
            revision: snapshot
                .find(place.0.as_str(), place.1.as_str())
                .ok()
                .map(|served| served.revision.number),
            trouble: snapshot.troubles.get(&place).cloned(),
            workspace: place.0,
            endpoint: place.1,
        });
        Self { seq: snapshot.seq.0, digest: snapshot.digest, endpoints: endpoints.collect() }
    }
}
