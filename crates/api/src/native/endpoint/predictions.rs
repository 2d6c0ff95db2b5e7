//! `GET /api/v1/endpoints/{name}/predictions`: what was asked and answered, in the order of the log.
//!
//! Each item is a prediction with its features as the arms saw them, the rows of the online store that
//! they came from, and what every arm said. A client that repeats a prediction under its id, because the
//! answer got lost, may leave it in the log twice: readers go by the id, and the first one counts. A page
//! may be shorter than its limit, even empty, and still not be the last: that one has no `next_page_token`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_serving::record::{ArmFailure, ArmRole, ArmScore, PredictionRecord, RowStamp};
use mainstay_serving::schema::InputSchema;
use mainstay_serving::value::FeatureValue;
use serde::Serialize;

use super::{EndpointState, ONE, existing};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::{Listing, PageParams};
use crate::native::request::{One, Params};
use crate::oip::Refusal;
use crate::route::Route;

/// A place in the log: a segment's number and an offset in it.
pub type LogPlace = (u64, u64);

/// Reads the prediction log.
#[async_trait]
pub trait PredictionSource: Send + Sync {
    /// At most `limit` predictions of an endpoint behind a place, and the place behind them unless the log
    /// ends there.
    async fn predictions(
        &self,
        workspace: &Name,
        endpoint: &Name,
        after: Option<LogPlace>,
        limit: usize,
    ) -> Result<(Vec<PredictionRecord>, Option<LogPlace>), Refusal>;
}

pub(super) fn routes() -> Vec<Route<EndpointState>> {
    let path = (Method::GET, "/api/v1/endpoints/{name}/predictions");
    vec![Route::new(Protocol::Native, path, (Action::EndpointRead, ONE), list)]
}

/// A prediction on the wire.
#[derive(Debug, Serialize)]
struct PredictionBody {
    id: PredictionId,
    at: String,
    received: String,
    revision: u64,
    key: Option<String>,
    entities: BTreeMap<String, FeatureValue>,
    features: BTreeMap<String, FeatureValue>,
    reads: BTreeMap<String, Option<StampBody>>,
    /// The views that were not materialised up to `at`: newer rows may have been visible by then.
    beyond: Vec<String>,
    arms: Vec<ArmBody>,
    assigned: Option<u64>,
    answered: Option<u64>,
}

#[derive(Debug, Serialize)]
struct StampBody {
    ts: String,
    created: String,
}

#[derive(Debug, Serialize)]
struct ArmBody {
    version: u64,
    role: &'static str,
    latency_micros: u32,
    scores: Option<Vec<f64>>,
    failure: Option<&'static str>,
}

impl From<&ArmScore> for ArmBody {
    fn from(arm: &ArmScore) -> Self {
        Self {
            version: arm.version,
            role: match arm.role {
                ArmRole::Champion => "champion",
                ArmRole::Shadow => "shadow",
                ArmRole::Canary => "canary",
                ArmRole::Previous => "previous",
            },
            latency_micros: arm.latency_micros,
            scores: arm.outcome.as_ref().ok().cloned(),
            failure: arm.outcome.as_ref().err().map(|failure| match failure {
                ArmFailure::TimedOut => "timed_out",
                ArmFailure::Failed => "failed",
                ArmFailure::NotLoaded => "not_loaded",
            }),
        }
    }
}

impl PredictionBody {
    fn new(record: PredictionRecord, schema: &InputSchema) -> Self {
        let version = |arm: u8| record.arms.get(usize::from(arm)).map(|arm| arm.version);
        let (assigned, answered) = (version(record.assigned), record.answered.and_then(version));
        let names = schema.features().iter().map(|feature| feature.name.clone());
        let stamp =
            |stamp: RowStamp| StampBody { ts: stamp.ts.to_string(), created: stamp.created.to_string() };
        Self {
            id: record.id,
            at: record.at.to_string(),
            received: record.received.to_string(),
            revision: record.revision,
            key: record.sticky_key,
            entities: record.entity_keys.into_iter().collect(),
            features: names.zip(record.features).collect(),
            beyond: record.reads.iter().filter(|read| read.beyond).map(|read| read.view.clone()).collect(),
            reads: record.reads.into_iter().map(|read| (read.view, read.row.map(stamp))).collect(),
            arms: record.arms.iter().map(ArmBody::from).collect(),
            assigned,
            answered,
        }
    }
}

async fn list(
    State(state): State<EndpointState>,
    caller: Caller,
    One(name): One<Name>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<PredictionBody>>, Error> {
    let (endpoint, _) = existing(&state, &caller, &name).await?;
    let Some(source) = &state.predictions else { return Ok(Json(Listing::whole(Vec::new()))) };
    let (after, limit) = (page.after::<LogPlace>()?, page.limit()?);
    let (records, next) = source.predictions(&caller.workspace, &name, after, limit).await?;
    let next = next.map(|place| mainstay_core::page::PageToken::after(&place));
    Ok(Json(Listing::of(Page { items: records, next }, |record| {
        PredictionBody::new(record, &endpoint.schema)
    })))
}
