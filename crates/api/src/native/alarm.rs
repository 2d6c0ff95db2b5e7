//! `/api/v1/alarms`: what the monitors found, and `/api/v1/endpoints/{name}/looks`: the figures by which
//! they looked.
//!
//! | route | what it gives |
//! |---|---|
//! | `GET /api/v1/alarms?endpoint=&open=true` | alarms, the last raised first |
//! | `GET /api/v1/alarms/{id}` | one, with its evidence |
//! | `GET /api/v1/endpoints/{name}/looks?family=features` | looks of one family, the newest day first |

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::id::AlarmId;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_monitoring::alarm::Look;
use mainstay_monitoring::port::{AlarmFilter, MonitoringReader};
use mainstay_monitoring::record::{Cause, Ending, RecordedAlarm, RecordedLook};
use mainstay_monitoring::reference::Family;
use mainstay_monitoring::watch::FindingKey;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::Error;
use super::listing::{Listing, PageParams};
use super::request::{One, Params};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// What the handlers here need.
#[derive(Clone)]
pub struct AlarmState {
    /// Alarms and looks.
    pub reader: Arc<dyn MonitoringReader>,
}

/// The table.
pub fn routes() -> Vec<Route<AlarmState>> {
    let read = Action::MonitorRead;
    let one = (read, RouteScope::Path(ResourceKind::Alarm, "id"));
    let endpoint = (read, RouteScope::Path(ResourceKind::Endpoint, "name"));
    let (native, looks_path) = (Protocol::Native, "/api/v1/endpoints/{name}/looks");
    vec![
        Route::new(native, (Method::GET, "/api/v1/alarms"), (read, RouteScope::Workspace), list),
        Route::new(native, (Method::GET, "/api/v1/alarms/{id}"), one, show),
        Route::new(native, (Method::GET, looks_path), endpoint, looks),
    ]
}

/// There is no alarm of that id.
#[derive(Debug, ThisError)]
#[error("there is no alarm {0}")]
struct NoAlarm(AlarmId);

impl Coded for NoAlarm {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// An alarm on the wire. `data_time` is the watermark at which it was raised; `raised_at` is machine time.
#[derive(Debug, Serialize)]
struct AlarmBody {
    id: AlarmId,
    endpoint: Name,
    finding: FindingKey,
    open: bool,
    data_time: String,
    raised_at: String,
    /// How it ended.
    resolution: Option<ResolutionBody>,
    /// Each series that went off, with its numbers.
    cause: Cause,
}

#[derive(Debug, Serialize)]
struct ResolutionBody {
    ending: Ending,
    data_time: String,
    at: String,
}

impl From<RecordedAlarm> for AlarmBody {
    fn from(alarm: RecordedAlarm) -> Self {
        Self {
            id: alarm.id,
            endpoint: alarm.endpoint,
            finding: alarm.finding,
            open: alarm.resolution.is_none(),
            data_time: alarm.data_time.to_string(),
            raised_at: alarm.raised_at.to_string(),
            resolution: alarm.resolution.map(|end| ResolutionBody {
                ending: end.ending,
                data_time: end.data_time.to_string(),
                at: end.at.to_string(),
            }),
            cause: alarm.cause,
        }
    }
}

/// A look on the wire.
#[derive(Debug, Serialize)]
struct LookBody {
    finding: FindingKey,
    look: Look,
    coverage: Option<f64>,
}

impl From<RecordedLook> for LookBody {
    fn from(recorded: RecordedLook) -> Self {
        let RecordedLook { finding, look, coverage } = recorded;
        Self { finding, look, coverage }
    }
}

#[derive(Debug, Deserialize)]
struct FilterParams {
    endpoint: Option<Name>,
    #[serde(default)]
    open: bool,
}

async fn list(
    State(state): State<AlarmState>,
    caller: Caller,
    Params(filter): Params<FilterParams>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<AlarmBody>>, Error> {
    let filter = AlarmFilter { endpoint: filter.endpoint, open_only: filter.open };
    let page = state.reader.alarms(&caller.workspace, &filter, &page.request::<i64>()?).await?;
    Ok(Json(Listing::of(page, AlarmBody::from)))
}

async fn show(
    State(state): State<AlarmState>,
    caller: Caller,
    One(id): One<AlarmId>,
) -> Result<Json<AlarmBody>, Error> {
    let found = state.reader.alarm(&caller.workspace, &id).await?;
    Ok(Json(found.ok_or(NoAlarm(id))?.into()))
}

#[derive(Debug, Deserialize)]
struct FamilyParams {
    #[serde(default = "features")]
    family: Family,
}

const fn features() -> Family {
    Family::Features
}

async fn looks(
    State(state): State<AlarmState>,
    caller: Caller,
    One(endpoint): One<Name>,
    Params(FamilyParams { family }): Params<FamilyParams>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<LookBody>>, Error> {
    let page =
        state.reader.looks(&caller.workspace, &endpoint, family, &page.request::<(i64, String)>()?).await?;
    Ok(Json(Listing::of(page, LookBody::from)))
}
