//! `/api/v1/saved-views`: views of runs that people keep, for everybody in the workspace.
//!
//! Whoever holds levels alone is shown those of experiments that they may read. `query` is what stands behind the `?`
//! of the console's address, and is given back as it came.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::command::Commands;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::saved_view::port::{SavedViewReader, SavedViewTx};
use mainstay_tracking::saved_view::{DeleteSavedView, SaveView, SavedView, ViewQuery};
use serde::{Deserialize, Serialize};

use super::Error;
use super::listing::Listing;
use super::request::{JsonBody, One};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// What the handlers here need.
#[derive(Clone)]
pub struct SavedViewState {
    /// The views.
    pub reader: Arc<dyn SavedViewReader>,
    /// Commands on them.
    pub commands: Commands<dyn SavedViewTx>,
}

/// The table.
pub fn routes() -> Vec<Route<SavedViewState>> {
    let (native, all, path) = (Protocol::Native, "/api/v1/saved-views", "/api/v1/saved-views/{name}");
    let one = RouteScope::Path(ResourceKind::SavedView, "name");
    vec![
        Route::new(native, (Method::GET, all), (Action::RunRead, RouteScope::Workspace), list).for_levels(),
        Route::new(native, (Method::PUT, path), (Action::RunWrite, one), save),
        Route::new(native, (Method::DELETE, path), (Action::RunDelete, one), remove),
    ]
}

/// A view on the wire. Ids of experiments are text, as everywhere.
#[derive(Debug, Serialize)]
struct ViewBody {
    name: Name,
    experiments: Vec<String>,
    query: ViewQuery,
    author: String,
    saved_at: String,
}

impl From<SavedView> for ViewBody {
    fn from(view: SavedView) -> Self {
        Self {
            name: view.name,
            experiments: view.experiments.iter().map(ToString::to_string).collect(),
            query: view.query,
            author: view.author,
            saved_at: view.saved.to_string(),
        }
    }
}

async fn list(State(state): State<SavedViewState>, caller: Caller) -> Result<Json<Listing<ViewBody>>, Error> {
    let readable = caller.readable();
    let mut views = state.reader.saved_views(&caller.workspace).await?;
    views.retain(|view| view.is_open_to(&readable));
    Ok(Json(Listing::whole(views.into_iter().map(Into::into).collect())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaveBody {
    #[serde(default)]
    experiments: Vec<String>,
    query: String,
}

async fn save(
    State(state): State<SavedViewState>,
    caller: Caller,
    One(name): One<Name>,
    JsonBody(body): JsonBody<SaveBody>,
) -> Result<Json<ViewBody>, Error> {
    let experiments = body.experiments.iter().map(|id| ExperimentId::parse(id)).collect::<Result<_, _>>()?;
    let query = ViewQuery::new(body.query)?;
    let command = SaveView { workspace: caller.workspace, name, experiments, query };
    Ok(Json(state.commands.run(&caller.principal, command).await?.into()))
}

async fn remove(
    State(state): State<SavedViewState>,
    caller: Caller,
    One(name): One<Name>,
) -> Result<StatusCode, Error> {
    state.commands.run(&caller.principal, DeleteSavedView { workspace: caller.workspace, name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
