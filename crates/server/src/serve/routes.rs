//! The table of routes, and what the handlers of each part of it work on.

use std::sync::Arc;

use axum::Router;
use http::Method;
use mainstay_api::mlflow::{Mlflow, MlflowState};
use mainstay_api::native::endpoint::EndpointState;
use mainstay_api::native::labels::LabelState;
use mainstay_api::native::pipeline::PipelineState;
use mainstay_api::native::{self, NativeState, endpoint, labels, pipeline};
use mainstay_api::oip::{self, OipState};
use mainstay_api::{App, Route, mlflow, router as routed};
use mainstay_core::action::Action;

use crate::endpoint_commands::EndpointLoop;
use crate::platform::Platform;
use crate::predictor::Predictor;
use crate::run_index::RunIndexKeeper;

/// Which Mainstay this is.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The whole table of routes, behind its guards.
pub fn router(platform: &Platform, predictor: &Predictor, app: &App) -> Router {
    let native = NativeState { events: Arc::new(platform.database.clone()), version: VERSION };
    let oip = OipState { service: Arc::new(predictor.clone()), version: VERSION };
    let labels = LabelState { sink: Arc::new(predictor.clone()) };
    routed(app, native::routes(), native)
        .merge(routed(app, labels::routes(), labels))
        .merge(routed(app, endpoint::routes(), endpoints(platform, predictor)))
        .merge(routed(app, pipeline::routes(), pipelines(platform)))
        .merge(routed(app, oip::routes(), oip))
        .merge(routed(app, mlflow::routes(), mlflow(platform)))
}

/// Method, path and action of every route.
pub fn table() -> Vec<(Method, String, Action)> {
    fn rows<S>(routes: Vec<Route<S>>) -> impl Iterator<Item = (Method, String, Action)> {
        routes.into_iter().map(|route| (route.method, route.path, route.action))
    }
    rows(native::routes())
        .chain(rows(labels::routes()))
        .chain(rows(endpoint::routes()))
        .chain(rows(pipeline::routes()))
        .chain(rows(oip::routes()))
        .chain(rows(mlflow::routes()))
        .collect()
}

/// What the routes on endpoints work on.
fn endpoints(platform: &Platform, predictor: &Predictor) -> EndpointState {
    let reader = Arc::new(platform.database.reader.clone());
    EndpointState {
        endpoints: reader.clone(),
        registered: reader,
        serving: platform.serving.clone(),
        commands: Arc::new(EndpointLoop(platform.looped.clone())),
        serves: Some(Arc::new(predictor.clone())),
        predictions: Some(Arc::new(predictor.clone())),
        progress: Some(platform.decisions.clone()),
    }
}

/// What the routes on pipelines work on.
fn pipelines(platform: &Platform) -> PipelineState {
    PipelineState {
        reader: Arc::new(platform.database.reader.clone()),
        commands: platform.pipelines.clone(),
        built_ins: crate::steps::all().names().into(),
        logs: Arc::new(platform.layout.clone()),
        entropy: platform.entropy.clone(),
    }
}

/// What MLflow's protocol works on.
fn mlflow(platform: &Platform) -> MlflowState {
    let reader = Arc::new(platform.database.reader.clone());
    Arc::new(Mlflow {
        tracking: platform.tracking.clone(),
        tracked: reader.clone(),
        runs: Arc::new(RunIndexKeeper::start(&platform.database)),
        registry: platform.registry.clone(),
        registered: reader,
        objects: platform.objects.clone(),
        clock: platform.clock.clone(),
        entropy: platform.entropy.clone(),
    })
}
