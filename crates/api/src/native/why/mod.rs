//! `GET /api/v1/models/{name}/versions/{number}/why`: how a version came to be, and to answer: its data,
//! features, training, gates, approvals and rollouts, as the record tells them.
//!
//! Nothing is kept for this page. It starts at the event of the registration: a built-in step registers a
//! version and is accepted in one command, so the acceptance that names the run stands right behind it.

mod ending;
mod origin;
mod release;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventLog;
use mainstay_core::name::Name;
use mainstay_core::principal::Actor;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::MachineTime;
use mainstay_data::ports::DataReader;
use mainstay_governance::gate::GateReport;
use mainstay_governance::port::GovernanceReader;
use mainstay_pipelines::port::PipelineReader;
use mainstay_registry::error::RegistryError;
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_registry::port::RegistryReader;
use mainstay_serving::port::ServingStore;
use serde::{Serialize, Serializer};

pub use self::ending::ending;
pub use self::origin::{Approval, Origin, Table, Training, Validated};
pub use self::release::{Moved, Phase, Release, Released, WentBack};
use super::Error;
use super::model::{PathName, PathNumber, ReportBody};
use super::request::Two;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// What the account is put together from.
#[derive(Clone)]
pub struct WhyState {
    /// The record.
    pub events: Arc<dyn EventLog>,
    /// Models and versions.
    pub registered: Arc<dyn RegistryReader>,
    /// What the gates said.
    pub governance: Arc<dyn GovernanceReader>,
    /// The runs that trained and judged.
    pub pipelines: Arc<dyn PipelineReader>,
    /// Endpoints and rollouts.
    pub serving: Arc<dyn ServingStore>,
    /// The tables that were read.
    pub data: Arc<dyn DataReader>,
}

/// The table.
pub fn routes() -> Vec<Route<WhyState>> {
    let read = (Action::ModelRead, RouteScope::Path(ResourceKind::Model, "name"));
    let path = (Method::GET, "/api/v1/models/{name}/versions/{number}/why");
    vec![Route::new(Protocol::Native, path, read, show)]
}

/// The account of a version. Instants are machine time unless said otherwise.
#[derive(Debug, Serialize)]
pub struct Why {
    /// Whose version it is.
    pub model: ModelName,
    /// Its number.
    pub version: u32,
    /// Of its artifact.
    pub digest: Option<Digest>,
    /// The aliases that point at it now.
    pub aliases: Vec<Alias>,
    /// When.
    #[serde(serialize_with = "as_text")]
    pub registered: MachineTime,
    /// By whom.
    pub creator: Option<Actor>,
    /// The tracking run that its script logged, if one did.
    pub tracking_run: Option<RunRef>,
    /// The pipeline run that registered it, with the steps that made it; `None` if a client registered it.
    pub origin: Option<Origin>,
    /// The table versions that it was trained on, or, where training did not say, judged on.
    pub data: Vec<Table>,
    /// What the gates said of its artifact; the newest report counts.
    #[serde(serialize_with = "as_report")]
    pub gates: Option<GateReport>,
    /// How it came to answer, and ceased to.
    pub release: Release,
}

impl Why {
    /// Puts the account of a version together.
    pub async fn gather(
        state: &WhyState,
        workspace: &Name,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<Self>, StorageError> {
        let found = state.registered.version(workspace, model, number).await?;
        let Some(VersionDetail { version, aliases, .. }) =
            found.filter(|detail| !detail.version.is_deleted())
        else {
            return Ok(None);
        };
        let reports = match &version.digest {
            Some(digest) => state.governance.reports(workspace, digest).await?,
            None => Vec::new(),
        };
        let newest = reports.into_iter().next();
        let origin = Origin::find(state, workspace, model, number).await?;
        let trained_on = origin.as_ref().map(Origin::tables).unwrap_or_default();
        let read = if trained_on.is_empty() {
            newest.as_ref().map(|report| report.data.clone()).unwrap_or_default()
        } else {
            trained_on
        };
        Ok(Some(Self {
            data: Table::gather(state, workspace, &read).await?,
            release: Release::find(state, workspace, model, number).await?,
            gates: newest,
            origin,
            model: version.model,
            version: version.number.0,
            digest: version.digest,
            aliases,
            registered: version.created,
            creator: version.creator,
            tracking_run: version.run,
        }))
    }
}

fn as_text<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

#[expect(clippy::ref_option, reason = "serde passes the field itself")]
fn as_report<S: Serializer>(report: &Option<GateReport>, serializer: S) -> Result<S::Ok, S::Error> {
    report.clone().map(ReportBody::from).serialize(serializer)
}

async fn show(
    State(state): State<WhyState>,
    caller: Caller,
    Two(PathName(name), PathNumber(number)): Two<PathName, PathNumber>,
) -> Result<Json<Why>, Error> {
    let found = Why::gather(&state, &caller.workspace, &name, number).await?;
    Ok(Json(found.ok_or(RegistryError::NoVersion(name, number))?))
}
