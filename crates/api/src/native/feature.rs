//! `/api/v1/feature-definitions`: the definitions files, and how far their views were materialised.
//!
//! | route | what it gives |
//! |---|---|
//! | `GET /api/v1/feature-definitions` | the projects, by name |
//! | `GET /api/v1/feature-definitions/{project}` | the newest file of one, and its views |
//!
//! They are written by pipelines (`apply-features`, `materialise`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_features::port::{FeaturesReader, Materialisation, StoredDefinitions};
use serde::Serialize;
use thiserror::Error as ThisError;

use super::Error;
use super::listing::Listing;
use super::request::One;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// What the handlers here need.
#[derive(Clone)]
pub struct FeatureState {
    /// Definitions and materialisations.
    pub reader: Arc<dyn FeaturesReader>,
}

/// The table.
pub fn routes() -> Vec<Route<FeatureState>> {
    let all = (Action::FeatureRead, RouteScope::Workspace);
    let one = (Action::FeatureRead, RouteScope::Path(ResourceKind::Feature, "project"));
    let path = "/api/v1/feature-definitions/{project}";
    vec![
        Route::new(Protocol::Native, (Method::GET, "/api/v1/feature-definitions"), all, list),
        Route::new(Protocol::Native, (Method::GET, path), one, show),
    ]
}

/// There is no project of that name.
#[derive(Debug, ThisError)]
#[error("there is no feature project '{0}'; apply its definitions file in a pipeline first")]
struct NoProject(Name);

impl Coded for NoProject {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// A definitions file on the wire. `applied_at` is machine time.
#[derive(Debug, Serialize)]
struct ProjectBody {
    project: Name,
    revision: u64,
    digest: Digest,
    applied_at: String,
}

impl From<&StoredDefinitions> for ProjectBody {
    fn from(stored: &StoredDefinitions) -> Self {
        Self {
            project: stored.project.clone(),
            revision: stored.revision,
            digest: stored.digest,
            applied_at: stored.applied_at.to_string(),
        }
    }
}

#[derive(Debug, Serialize)]
struct DetailBody {
    #[serde(flatten)]
    project: ProjectBody,
    /// The file, as it was given.
    text: String,
    materialisations: Vec<ViewBody>,
}

/// How far a view was materialised. `until` is data time.
#[derive(Debug, Serialize)]
struct ViewBody {
    view: String,
    definition: Digest,
    until: String,
    /// Rows that the last materialisation carried.
    rows: u64,
}

impl From<Materialisation> for ViewBody {
    fn from(carried: Materialisation) -> Self {
        Self {
            view: carried.view,
            definition: carried.definition,
            until: carried.until.to_string(),
            rows: carried.rows,
        }
    }
}

async fn list(
    State(state): State<FeatureState>,
    caller: Caller,
) -> Result<Json<Listing<ProjectBody>>, Error> {
    let projects = state.reader.projects(&caller.workspace).await?;
    Ok(Json(Listing::whole(projects.iter().map(ProjectBody::from).collect())))
}

async fn show(
    State(state): State<FeatureState>,
    caller: Caller,
    One(project): One<Name>,
) -> Result<Json<DetailBody>, Error> {
    let found = state.reader.definitions(&caller.workspace, &project).await?;
    let stored = found.ok_or_else(|| NoProject(project.clone()))?;
    let views = state.reader.views(&caller.workspace, &project).await?;
    Ok(Json(DetailBody {
        project: ProjectBody::from(&stored),
        text: stored.text,
        materialisations: views.into_iter().map(ViewBody::from).collect(),
    }))
}
