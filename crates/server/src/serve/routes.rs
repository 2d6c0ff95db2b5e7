//! The table of routes, and what the handlers of each part of it work on.

use std::sync::Arc;

use axum::Router;
use http::Method;

use mainstay_api::native::access::AccessState;
use mainstay_api::native::alarm::AlarmState;
use mainstay_api::native::dataset::DatasetState;
use mainstay_api::native::endpoint::EndpointState;
use mainstay_api::native::feature::FeatureState;
use mainstay_api::native::labels::LabelState;
use mainstay_api::native::model::ModelState;
use mainstay_api::native::pipeline::PipelineState;
use mainstay_api::native::retention::RetentionState;
use mainstay_api::native::run::RunState;
use mainstay_api::native::saved_view::SavedViewState;
use mainstay_api::native::series::SeriesState;
use mainstay_api::native::status::StatusState;
use mainstay_api::native::trace::TraceState;
use mainstay_api::native::why::WhyState;
use mainstay_api::native::{
    self, NativeState, Standing, access, alarm, dataset, endpoint, feature, labels, model, pipeline,
    retention, run, saved_view, series, status, trace, why,
};
use mainstay_api::oip::{self, OipState};
use mainstay_api::prometheus::{self, MetricsState};
use mainstay_api::{App, Route, router as routed};
use mainstay_core::action::Action;
use mainstay_core::command::Commands;

use super::console::console;
use super::process::Process;
use super::step_logs::StepLogFiles;
use crate::engine::Reproductions;
use mainstay_mlflow::{self as mlflow_api, Mlflow, MlflowState, People};
use mainstay_platform::Platform;
use mainstay_platform::artifact_places::ArtifactPlaces;
use mainstay_platform::demonstration::Recorder;
use mainstay_platform::endpoint_commands::EndpointLoop;
use mainstay_platform::run_index::RunIndexKeeper;
use mainstay_platform::trace_index::TraceIndexKeeper;
use mainstay_predictor::Predictor;
use mainstay_webhooks::{DeliveryOptions, Prober};

/// Which Mainstay this is.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The whole table of routes, behind its guards. Webhooks are tried out as they are delivered to.
pub fn router(platform: &Platform, predictor: &Predictor, app: &App, webhooks: &DeliveryOptions) -> Router {
    let (file, clock) = (platform.layout.run_index(), platform.clock.clone());
    let runs = Arc::new(RunIndexKeeper::start(&platform.database, file, clock));
    let native = native_state(platform, app);
    let meter = app.meter.clone();
    let oip = OipState { service: Arc::new(predictor.clone()), version: VERSION, meter: meter.clone() };
    let labels = LabelState { sink: Arc::new(predictor.clone()) };
    let process = Arc::new(Process {
        started: platform.clock.now(),
        database: platform.database.clone(),
        predictor: predictor.clone(),
    });
    let status = StatusState { process: process.clone(), version: VERSION };
    let traced = Arc::new(TraceIndexKeeper::start(&platform.database));
    // One for all: who records a demonstration waits for whoever does already.
    let demonstrations = Arc::new(Recorder::new(platform));
    let mlflow = mlflow(platform, runs.clone(), traced.clone(), demonstrations.clone(), webhooks);
    let metrics = MetricsState { meter, sources: vec![process] };
    let router = routed(app, native::routes(), native)
        .merge(routed(app, labels::routes(), labels))
        .merge(routed(app, endpoint::routes(), endpoints(platform, predictor)))
        .merge(routed(app, pipeline::routes(), pipelines(platform)))
        .merge(routed(app, model::routes(), models(platform)))
        .merge(routed(app, why::routes(), why(platform)))
        .merge(routed(app, dataset::routes(), datasets(platform)))
        .merge(routed(app, feature::routes(), features(platform)))
        .merge(routed(app, alarm::routes(), alarms(platform)))
        .merge(routed(app, trace::routes(), traces(platform, traced.clone())))
        .merge(routed(app, access::routes(), access(platform)))
        .merge(routed(app, saved_view::routes(), saved_views(platform)))
        .merge(routed(app, retention::routes(), retention(platform)))
        .merge(routed(app, run::routes(), RunState { runs: runs.clone() }))
        .merge(routed(app, series::routes(), charted(platform)))
        .merge(routed(app, status::routes(), status))
        .merge(routed(app, prometheus::routes(), metrics))
        .merge(routed(app, oip::routes(), oip))
        .merge(routed(app, mlflow_api::routes(), mlflow.clone()))
        .merge(routed(app, mainstay_mlflow_gateway::routes(), mlflow.clone()))
        .merge(routed(app, mainstay_mlflow_traces::routes(), mlflow))
        .merge(mainstay_ui::router(app, console(platform, predictor, runs, traced, demonstrations)));
    mainstay_ui::refusing_other_methods(router)
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
        .chain(rows(model::routes()))
        .chain(rows(why::routes()))
        .chain(rows(dataset::routes()))
        .chain(rows(feature::routes()))
        .chain(rows(alarm::routes()))
        .chain(rows(trace::routes()))
        .chain(rows(access::routes()))
        .chain(rows(saved_view::routes()))
        .chain(rows(retention::routes()))
        .chain(rows(run::routes()))
        .chain(rows(series::routes()))
        .chain(rows(status::routes()))
        .chain(rows(prometheus::routes()))
        .chain(rows(oip::routes()))
        .chain(rows(mlflow_api::routes()))
        .chain(rows(mainstay_mlflow_gateway::routes()))
        .chain(rows(mainstay_mlflow_traces::routes()))
        .chain(rows(mainstay_ui::routes()))
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
        built_ins: Arc::new(mainstay_steps::all()),
        logs: Arc::new(StepLogFiles(platform.layout.clone())),
        surroundings: Arc::new(Reproductions {
            reader: platform.database.reader.clone(),
            layout: platform.layout.clone(),
        }),
        entropy: platform.entropy.clone(),
    }
}

/// What the routes on models work on.
fn models(platform: &Platform) -> ModelState {
    let reader = Arc::new(platform.database.reader.clone());
    ModelState { registered: reader.clone(), governance: reader }
}

/// What the account of a version is put together from.
fn why(platform: &Platform) -> WhyState {
    let reader = Arc::new(platform.database.reader.clone());
    WhyState {
        events: Arc::new(platform.database.clone()),
        registered: reader.clone(),
        governance: reader.clone(),
        pipelines: reader.clone(),
        serving: reader.clone(),
        data: reader,
    }
}

/// What the routes on datasets work on.
fn datasets(platform: &Platform) -> DatasetState {
    DatasetState { reader: Arc::new(platform.database.reader.clone()) }
}

/// What the routes on feature definitions work on.
fn features(platform: &Platform) -> FeatureState {
    FeatureState { reader: Arc::new(platform.database.reader.clone()) }
}

/// What the routes on the record itself work on.
fn native_state(platform: &Platform, app: &App) -> NativeState {
    NativeState {
        events: Arc::new(platform.database.clone()),
        tracked: Arc::new(platform.database.reader.clone()),
        version: VERSION,
        standing: Standing {
            authenticator: app.authenticator.clone(),
            changes: platform.database.writer.access_changes(),
        },
        stopping: app.stopping.clone(),
    }
}

/// What charts of metrics are drawn from.
fn charted(platform: &Platform) -> SeriesState {
    let reader = Arc::new(platform.database.reader.clone());
    SeriesState { reader: reader.clone(), tracked: reader }
}

/// What the routes on alarms work on.
fn alarms(platform: &Platform) -> AlarmState {
    AlarmState { reader: Arc::new(platform.database.reader.clone()) }
}

/// What the routes on traces work on.
fn traces(platform: &Platform, table: Arc<TraceIndexKeeper>) -> TraceState {
    TraceState { reader: Arc::new(platform.database.reader.clone()), table }
}

/// What the routes on tokens, grants, webhooks, users and workspaces work on.
fn access(platform: &Platform) -> AccessState {
    let reader = Arc::new(platform.database.reader.clone());
    AccessState {
        reader: reader.clone(),
        people: reader,
        users: platform.people.clone(),
        hashing: platform.hashing.clone(),
        commands: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        clock: platform.clock.clone(),
        entropy: platform.entropy.clone(),
    }
}

/// What the routes on saved views work on.
fn saved_views(platform: &Platform) -> SavedViewState {
    SavedViewState {
        reader: Arc::new(platform.database.reader.clone()),
        commands: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
    }
}

/// What the routes on purges and retention rules work on.
pub(super) fn retention(platform: &Platform) -> RetentionState {
    let (writer, policy) = (Arc::new(platform.database.writer.clone()), platform.authority.clone());
    RetentionState {
        reader: Arc::new(platform.database.reader.clone()),
        artifacts: Arc::new(ArtifactPlaces::new(platform)),
        purges: Commands::new(writer.clone(), policy.clone()),
        rules: Commands::new(writer.clone(), policy.clone()),
        quotas: Arc::new(platform.database.reader.clone()),
        limits: Commands::new(writer, policy),
        clock: platform.clock.clone(),
        entropy: platform.entropy.clone(),
    }
}

/// What MLflow's protocol works on.
fn mlflow(
    platform: &Platform,
    runs: Arc<RunIndexKeeper>,
    traced: Arc<TraceIndexKeeper>,
    demonstrations: Arc<Recorder>,
    webhooks: &DeliveryOptions,
) -> MlflowState {
    let reader = Arc::new(platform.database.reader.clone());
    let (clock, entropy) = (platform.clock.clone(), platform.entropy.clone());
    Arc::new(Mlflow {
        tracking: platform.tracking.clone(),
        tracked: reader.clone(),
        runs,
        evaluation: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        evaluated: reader.clone(),
        scorers: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        scored: reader.clone(),
        issues: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        issue_reader: reader.clone(),
        gateway: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        gateway_reader: reader.clone(),
        gateway_keys: platform.gateway_keys.clone(),
        traces: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        traced: reader.clone(),
        trace_search: traced,
        events: Arc::new(platform.database.clone()),
        registry: platform.registry.clone(),
        registered: reader.clone(),
        people: People {
            reader: reader.clone(),
            commands: platform.people.clone(),
            governance: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
            hashing: platform.hashing.clone(),
            authorizer: platform.authority.clone(),
            options: platform.mlflow,
        },
        endpoints: Arc::new(EndpointLoop(platform.looped.clone())),
        governance: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        governed: reader,
        webhooks: Arc::new(Prober::new(clock, entropy, webhooks.clone())),
        demonstrations,
        objects: platform.objects.clone(),
        quotas: Arc::new(platform.database.reader.clone()),
        counting: Commands::new(Arc::new(platform.database.writer.clone()), platform.authority.clone()),
        artifact_root: platform.artifact_root.clone(),
        clock: platform.clock.clone(),
        entropy: platform.entropy.clone(),
    })
}
