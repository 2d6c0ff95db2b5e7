//! `GET /api/v1/endpoints` and `GET /api/v1/endpoints/{name}`.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::revision::Revision;
use serde::Serialize;
use serde_json::Value;

use super::revision::RevisionBody;
use super::rollout::RolloutBody;
use super::{EndpointState, ONE, ViewReads, existing};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::native::Error;
use crate::native::listing::{Listing, PageParams};
use crate::native::precondition::etag;
use crate::native::request::{One, Params};
use crate::route::{Route, RouteScope};

pub(super) fn routes() -> Vec<Route<EndpointState>> {
    let read = Action::EndpointRead;
    vec![
        Route::new(Protocol::Native, (Method::GET, "/api/v1/endpoints"), (read, RouteScope::Workspace), list),
        Route::new(Protocol::Native, (Method::GET, "/api/v1/endpoints/{name}"), (read, ONE), one),
    ]
}

/// An endpoint on the wire.
#[derive(Debug, Serialize)]
pub(super) struct EndpointBody {
    name: Name,
    definition: Value,
    revision: RevisionBody,
    /// The rollout that runs.
    rollout: Option<RolloutBody>,
    /// The latest data time that it was asked for.
    watermark: Option<String>,
    predictor: Option<PredictorBody>,
    watch: Option<WatchBody>,
}

/// What the predictor serves, which may lag behind the newest revision.
#[derive(Debug, Serialize)]
struct PredictorBody {
    revision: Option<u64>,
    trouble: Option<TroubleBody>,
    reads: Vec<ViewReadsBody>,
}

/// How a view of stored features is read: `beyond` of the `reads` since the revision was loaded asked for a data
/// time after `covered_until`, as it was then, and were answered from the newest row that was there.
#[derive(Debug, Serialize)]
struct ViewReadsBody {
    view: String,
    covered_until: Option<String>,
    reads: u64,
    beyond: u64,
}

impl From<ViewReads> for ViewReadsBody {
    fn from(ViewReads { view, until, reads, beyond }: ViewReads) -> Self {
        Self { view, covered_until: until.map(|at| at.to_string()), reads, beyond }
    }
}

#[derive(Debug, Serialize)]
struct TroubleBody {
    revision: u64,
    reason: String,
}

/// How far the monitor has come: what was logged up to `folded_until` is in its figures, but for the `late`
/// predictions of data time that had been folded before; nothing is being decided while `busy` is false.
#[derive(Debug, Serialize)]
struct WatchBody {
    watermark: Option<String>,
    folded_until: Option<String>,
    late: u64,
    busy: bool,
}

impl EndpointBody {
    /// An endpoint with everything that is known of it now.
    pub(super) async fn gather(
        state: &EndpointState,
        workspace: &Name,
        (endpoint, revision): (Endpoint, Revision),
    ) -> Result<Self, Error> {
        let name = &endpoint.name;
        let rollout = match &revision.rollout {
            Some(id) => state.endpoints.rollout(workspace, id).await?,
            None => None,
        };
        let progress = state.progress.as_ref().and_then(|port| port.progress(workspace, name));
        let served = state.serves.as_ref().map(|port| port.served(workspace, name));
        let asked = served.as_ref().and_then(|served| served.watermark);
        let watermark = asked.max(progress.and_then(|progress| progress.watermark));
        Ok(Self {
            name: name.clone(),
            definition: definition(&endpoint),
            revision: RevisionBody::from(revision),
            rollout: rollout.map(RolloutBody::from),
            watermark: watermark.map(|at| at.to_string()),
            predictor: served.map(|served| PredictorBody {
                revision: served.revision,
                trouble: served
                    .trouble
                    .map(|trouble| TroubleBody { revision: trouble.revision, reason: trouble.reason }),
                reads: served.reads.into_iter().map(ViewReadsBody::from).collect(),
            }),
            watch: progress.map(|progress| WatchBody {
                watermark: progress.watermark.map(|at| at.to_string()),
                folded_until: progress.folded_until.map(|at| at.to_string()),
                late: progress.late,
                busy: progress.busy,
            }),
        })
    }
}

/// The definition document, as `PUT` takes it: without the name, which stands in the path.
pub(super) fn definition(endpoint: &Endpoint) -> Value {
    let mut document = serde_json::to_value(endpoint).unwrap_or_default();
    if let Some(fields) = document.as_object_mut() {
        fields.shift_remove("name");
    }
    document
}

async fn list(
    State(state): State<EndpointState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<EndpointBody>>, Error> {
    let page = state.endpoints.endpoints(&caller.workspace, &page.request::<String>()?).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for endpoint in page.items {
        items.push(EndpointBody::gather(&state, &caller.workspace, endpoint).await?);
    }
    Ok(Json(Listing::of(Page { items, next: page.next }, |body| body)))
}

async fn one(
    State(state): State<EndpointState>,
    caller: Caller,
    One(name): One<Name>,
) -> Result<impl IntoResponse, Error> {
    let found = existing(&state, &caller, &name).await?;
    let tag = etag(found.1.number);
    Ok((tag, Json(EndpointBody::gather(&state, &caller.workspace, found).await?)))
}
