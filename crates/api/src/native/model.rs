//! `/api/v1/models`: registered models and versions, with what the gates said of each artifact.
//!
//! | route | what it gives |
//! |---|---|
//! | `GET /api/v1/models` | the models, by name |
//! | `GET /api/v1/models/{name}` | one |
//! | `GET /api/v1/models/{name}/versions` | its versions, newest first |
//! | `GET /api/v1/models/{name}/versions/{number}` | one, with its gate reports |
//!
//! They change over MLflow's protocol and by pipelines. A report belongs to a digest: another artifact
//! under the same number would have none.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::page::Page;
use mainstay_core::principal::Actor;
use mainstay_core::run_ref::RunRef;
use mainstay_core::scope::ResourceKind;
use mainstay_governance::gate::{GateReport, GateResult};
use mainstay_governance::port::GovernanceReader;
use mainstay_registry::error::RegistryError;
use mainstay_registry::model::{ModelDetail, VersionDetail};
use mainstay_registry::name::{Alias, ModelName, VersionNumber};
use mainstay_registry::port::RegistryReader;
use serde::Serialize;

use super::Error;
use super::listing::{Listing, PageParams};
use super::request::{One, Params, Two};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// What the handlers here need.
#[derive(Clone)]
pub struct ModelState {
    /// Models and versions.
    pub registered: Arc<dyn RegistryReader>,
    /// What the gates said.
    pub governance: Arc<dyn GovernanceReader>,
}

/// The table.
pub fn routes() -> Vec<Route<ModelState>> {
    let all = (Action::ModelRead, RouteScope::Workspace);
    let model = (Action::ModelRead, RouteScope::Path(ResourceKind::Model, "name"));
    let (native, one) = (Protocol::Native, "/api/v1/models/{name}/versions/{number}");
    vec![
        Route::new(native, (Method::GET, "/api/v1/models"), all, list),
        Route::new(native, (Method::GET, "/api/v1/models/{name}"), model, show),
        Route::new(native, (Method::GET, "/api/v1/models/{name}/versions"), model, versions),
        Route::new(native, (Method::GET, one), model, version),
    ]
}

/// A model's name in a path.
pub(super) struct PathName(pub(super) ModelName);

impl FromStr for PathName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        ModelName::new(text).map(Self)
    }
}

/// A version's number in a path.
pub(super) struct PathNumber(pub(super) VersionNumber);

impl FromStr for PathNumber {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        VersionNumber::parse(text).map(Self)
    }
}

/// A model on the wire. Instants are machine time.
#[derive(Debug, Serialize)]
struct ModelBody {
    name: ModelName,
    description: String,
    created: String,
    updated: String,
    tags: BTreeMap<String, String>,
    aliases: BTreeMap<String, u32>,
}

impl From<ModelDetail> for ModelBody {
    fn from(detail: ModelDetail) -> Self {
        let aliases = detail.aliases.iter().map(|(alias, number)| (alias.to_string(), number.0));
        Self {
            aliases: aliases.collect(),
            name: detail.model.name,
            description: detail.model.description,
            created: detail.model.created.to_string(),
            updated: detail.model.updated.to_string(),
            tags: detail.tags,
        }
    }
}

/// A version on the wire.
#[derive(Debug, Serialize)]
struct VersionBody {
    model: ModelName,
    number: u32,
    digest: Option<Digest>,
    description: String,
    stage: &'static str,
    created: String,
    updated: String,
    creator: Option<Actor>,
    source: String,
    run: Option<RunRef>,
    tags: BTreeMap<String, String>,
    aliases: Vec<Alias>,
}

impl From<VersionDetail> for VersionBody {
    fn from(detail: VersionDetail) -> Self {
        let version = detail.version;
        Self {
            model: version.model,
            number: version.number.0,
            digest: version.digest,
            description: version.description,
            stage: version.stage.as_str(),
            created: version.created.to_string(),
            updated: version.updated.to_string(),
            creator: version.creator,
            source: version.source,
            run: version.run,
            tags: detail.tags,
            aliases: detail.aliases,
        }
    }
}

/// A version with the gate reports of its artifact, newest first: the first one counts.
#[derive(Debug, Serialize)]
struct JudgedBody {
    #[serde(flatten)]
    version: VersionBody,
    reports: Vec<ReportBody>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReportBody {
    evaluated: String,
    /// The versions of the data that it was computed on, by table.
    data: BTreeMap<String, String>,
    gates: Vec<GateResult>,
}

impl From<GateReport> for ReportBody {
    fn from(report: GateReport) -> Self {
        Self { evaluated: report.evaluated.to_string(), data: report.data, gates: report.gates }
    }
}

async fn list(
    State(state): State<ModelState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<ModelBody>>, Error> {
    let (after, limit) = (page.after::<String>()?, page.limit()?);
    let models = state.registered.models_after(&caller.workspace, after.as_deref(), limit + 1).await?;
    let page = Page::of(models, limit, |detail| detail.model.name.to_string());
    Ok(Json(Listing::of(page, ModelBody::from)))
}

async fn existing(state: &ModelState, caller: &Caller, name: &ModelName) -> Result<ModelDetail, Error> {
    let found = state.registered.model(&caller.workspace, name).await?;
    Ok(found.ok_or_else(|| RegistryError::NoModel(name.clone()))?)
}

async fn show(
    State(state): State<ModelState>,
    caller: Caller,
    One(PathName(name)): One<PathName>,
) -> Result<Json<ModelBody>, Error> {
    Ok(Json(existing(&state, &caller, &name).await?.into()))
}

async fn versions(
    State(state): State<ModelState>,
    caller: Caller,
    One(PathName(name)): One<PathName>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<VersionBody>>, Error> {
    let (before, limit) = (page.after::<u32>()?, page.limit()?);
    existing(&state, &caller, &name).await?;
    let mut numbers = state.registered.version_numbers(&caller.workspace, &name).await?;
    numbers.retain(|number| before.is_none_or(|before| number.0 < before));
    numbers.truncate(limit + 1);
    let newest_first = match (numbers.last(), numbers.first()) {
        (Some(oldest), Some(newest)) => {
            state.registered.versions_within(&caller.workspace, &name, *oldest..=*newest).await?
        }
        _ => Vec::new(),
    };
    let page = Page::of(newest_first, limit, |detail: &VersionDetail| detail.version.number.0);
    Ok(Json(Listing::of(page, VersionBody::from)))
}

async fn version(
    State(state): State<ModelState>,
    caller: Caller,
    Two(PathName(name), PathNumber(number)): Two<PathName, PathNumber>,
) -> Result<Json<JudgedBody>, Error> {
    let found = state.registered.version(&caller.workspace, &name, number).await?;
    let found = found.filter(|detail| !detail.version.is_deleted());
    let detail = found.ok_or(RegistryError::NoVersion(name, number))?;
    let reports = match &detail.version.digest {
        Some(digest) => state.governance.reports(&caller.workspace, digest).await?,
        None => Vec::new(),
    };
    let reports = reports.into_iter().map(ReportBody::from).collect();
    Ok(Json(JudgedBody { version: detail.into(), reports }))
}
