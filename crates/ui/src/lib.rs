//! The console: server-rendered pages over the reading ports of the domains.
//!
//! Every page is complete without JavaScript. Islands (plain ES modules under `assets/`) add what only a
//! browser can do: follow the log, draw with a cursor, grow a step's log. They read the same routes that a
//! person can open. The Content-Security-Policy forbids inline scripts and styles, and anything from
//! elsewhere, so geometry stands in SVG attributes and looks stand in classes.
//!
//! # Adding a page
//!
//! One file in `pages`: the template's struct, the handler, its row in `routes()`; one template, which
//! extends `base.html`. The row names its action. Times, numbers, links and the sentences of events come
//! from `show`, so that they read the same everywhere.

mod address;
mod asset;
mod frame;
mod pages;
mod show;

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use mainstay_api::native::endpoint::{EndpointCommands, EndpointProgress, EndpointServing};
use mainstay_api::native::pipeline::StepLogs;
use mainstay_api::native::retention::RetentionState;
use mainstay_api::native::why::WhyState;
use mainstay_api::{App, Route};
use mainstay_core::command::Commands;
use mainstay_core::event::EventLog;
use mainstay_core::object::{ObjectPath, Objects};
use mainstay_core::time::{Clock, MachineTime};
use mainstay_data::ports::DataReader;
use mainstay_demonstration::port::Demonstrations;
use mainstay_features::port::FeaturesReader;
use mainstay_governance::port::GovernanceReader;
use mainstay_monitoring::port::MonitoringReader;
use mainstay_pipelines::port::{PipelineReader, PipelineTx};
use mainstay_registry::port::RegistryReader;
use mainstay_serving::port::ServingStore;
use mainstay_traces::port::{TraceReader, TraceTable};
use mainstay_tracking::port::{RunSearch, TrackingReader};
use mainstay_tracking::saved_view::port::SavedViewReader;
use mainstay_tracking::series::port::SeriesReader;

/// What pages are made from.
pub struct Console {
    /// The record.
    pub events: Arc<dyn EventLog>,
    /// Experiments and runs.
    pub tracked: Arc<dyn TrackingReader>,
    /// Finds runs.
    pub runs: Arc<dyn RunSearch>,
    /// Traces and their spans.
    pub traced: Arc<dyn TraceReader>,
    /// Finds traces.
    pub traces: Arc<dyn TraceTable>,
    /// Models and versions.
    pub registered: Arc<dyn RegistryReader>,
    /// Gate reports.
    pub governed: Arc<dyn GovernanceReader>,
    /// Pipelines and their runs.
    pub pipelines: Arc<dyn PipelineReader>,
    /// Endpoints and rollouts.
    pub served: Arc<dyn ServingStore>,
    /// What the predictor of this process serves.
    pub serving: Arc<dyn EndpointServing>,
    /// How far endpoints are watched.
    pub progress: Arc<dyn EndpointProgress>,
    /// Alarms, and the looks that they come from.
    pub monitored: Arc<dyn MonitoringReader>,
    /// Datasets.
    pub data: Arc<dyn DataReader>,
    /// Feature definitions.
    pub features: Arc<dyn FeaturesReader>,
    /// Views of runs that people keep.
    pub saved_views: Arc<dyn SavedViewReader>,
    /// What is deleted for good, and by which rules.
    pub retention: RetentionState,
    /// What metrics come to, for charts.
    pub series: Arc<dyn SeriesReader>,
    /// Artifacts.
    pub objects: Arc<dyn Objects>,
    /// Where in [`Console::objects`] the artifacts of a run with this location are; `None` if they are elsewhere.
    pub locate: fn(&str) -> Option<ObjectPath>,
    /// What steps printed.
    pub logs: Arc<dyn StepLogs>,
    /// Decides approvals.
    pub deciding: Commands<dyn PipelineTx>,
    /// Changes what endpoints serve.
    pub endpoints: Arc<dyn EndpointCommands>,
    /// Records the demonstration.
    pub demonstrations: Arc<dyn Demonstrations>,
    /// Machine time: relative times are told from it.
    pub clock: Arc<dyn Clock>,
}

impl Console {
    fn now(&self) -> MachineTime {
        self.clock.now()
    }

    /// What the account of a version is put together from.
    fn accounts(&self) -> WhyState {
        WhyState {
            events: self.events.clone(),
            registered: self.registered.clone(),
            governance: self.governed.clone(),
            pipelines: self.pipelines.clone(),
            serving: self.served.clone(),
            data: self.data.clone(),
        }
    }
}

/// What handlers share.
pub(crate) type State = axum::extract::State<Arc<Console>>;

/// The console's rows of the table of routes.
pub fn routes() -> Vec<Route<Arc<Console>>> {
    pages::routes()
}

/// The console behind its guards: refusals and failures are pages too, and every answer carries the
/// headers that keep a browser to this origin. An address that no route has gets a page too, if a browser
/// asks for it.
pub fn router(app: &App, console: Console) -> Router {
    let authenticator = Arc::clone(&app.authenticator);
    let nowhere = move |request| frame::nowhere(authenticator, request);
    let pages = mainstay_api::router(app, routes(), Arc::new(console)).fallback(nowhere);
    pages.layer(map_response(frame::finish))
}

/// The whole router, in which a method that an address does not take is refused in the words of the address.
pub fn refusing_other_methods(router: Router) -> Router {
    router.method_not_allowed_fallback(frame::not_allowed)
}
