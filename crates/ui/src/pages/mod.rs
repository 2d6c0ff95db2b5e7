//! The pages, one per file: what it shows, its handler, its row of the table of routes.

mod account;
mod approval;
mod audit;
mod dataset;
mod demonstration;
mod endpoint;
mod endpoint_rollback;
mod experiment;
mod feature;
mod logged_model;
mod logged_models;
mod markdown;
mod may;
mod metric_points;
mod model;
mod model_card;
mod model_files;
mod model_version;
mod monitor;
mod news;
mod notebook;
mod overview;
mod overview_runs;
mod pipeline;
mod pipeline_run;
mod plain_words;
mod prompt;
mod prompt_text;
mod registered;
mod retention;
mod rollout;
mod run;
mod run_artifact;
mod run_artifacts;
mod run_charts;
mod run_columns;
mod run_datasets;
mod run_family;
mod run_images;
mod run_made;
mod run_origin;
mod run_traces;
mod run_view;
mod runs;
mod step_log;
mod table_page;
mod trace;
mod trace_columns;
mod traces;
mod version_compare;
mod version_facts;
mod why;

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::handler::Handler;
use http::Method;
use mainstay_api::Route;
use mainstay_api::dialect::{BodyError, Protocol};
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, RecordedEvent};
use mainstay_core::name::Name;

use crate::frame::Error;
use crate::{Console, asset};

type Row = Route<Arc<Console>>;

/// All rows.
pub(crate) fn routes() -> Vec<Row> {
    let anybody = (Action::ServerProbe, RouteScope::Server);
    let mut rows =
        vec![Route::new(Protocol::Ui, (Method::GET, "/assets/{tag}/{name}"), anybody, asset::serve)];
    for of in [
        overview::routes,
        account::routes,
        dataset::routes,
        feature::routes,
        experiment::routes,
        runs::routes,
        run::routes,
        run_artifacts::routes,
        run_artifact::routes,
        run_view::routes,
        metric_points::routes,
        logged_models::routes,
        logged_model::routes,
        markdown::routes,
        traces::routes,
        trace::routes,
        demonstration::routes,
        prompt::routes,
        model::routes,
        version_compare::routes,
        model_version::routes,
        why::routes,
        endpoint::routes,
        endpoint_rollback::routes,
        monitor::routes,
        pipeline::routes,
        pipeline_run::routes,
        step_log::routes,
        retention::routes,
        approval::routes,
        audit::routes,
    ] {
        rows.extend(of());
    }
    rows
}

/// A page that is read.
fn reads<H, T>(path: &str, action: Action, scope: RouteScope, handler: H) -> Row
where
    H: Handler<T, Arc<Console>>,
    T: 'static,
{
    Route::new(Protocol::Ui, (Method::GET, path), (action, scope), handler)
}

/// What a page's form sends.
fn sends<H, T>(path: &str, action: Action, scope: RouteScope, handler: H) -> Row
where
    H: Handler<T, Arc<Console>>,
    T: 'static,
{
    /// A reason and a digest; nobody types more.
    const FORM_LIMIT: usize = 64 * 1024;
    Route::new(Protocol::Ui, (Method::POST, path), (action, scope), handler).with_body_limit(FORM_LIMIT)
}

/// The query of a page.
fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Error> {
    let Query(query) = query.map_err(|rejection| BodyError::Malformed(rejection.body_text()))?;
    Ok(query)
}

/// The fields of a form.
fn filled<T>(form: Result<Form<T>, FormRejection>) -> Result<T, Error> {
    let Form(form) = form.map_err(|rejection| BodyError::Malformed(rejection.body_text()))?;
    Ok(form)
}

impl Console {
    /// The newest event of a kind in a workspace.
    async fn newest(&self, workspace: &Name, kind: &str) -> Result<Option<RecordedEvent>, StorageError> {
        Ok(self.events.read(&EventQuery::newest(1).within(workspace).of_kind(kind)).await?.pop())
    }
}
