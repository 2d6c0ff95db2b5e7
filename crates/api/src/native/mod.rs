//! Our own API, `/api/v1`, and the probes.

pub mod access;
pub mod alarm;
pub mod dataset;
pub mod endpoint;
pub mod events;
pub mod feature;
mod hearing;
pub mod labels;
mod listing;
pub mod model;
pub mod pipeline;
mod precondition;
pub mod probe;
mod reason;
mod request;
pub mod retention;
pub mod run;
pub mod saved_view;
pub mod series;
mod standing;
pub mod status;
pub mod trace;
mod vocabulary;
pub mod why;

use std::sync::Arc;

use mainstay_core::event::EventLog;
use mainstay_tracking::port::TrackingReader;
use tokio::sync::watch;

pub use self::standing::Standing;
use crate::dialect::{self, ApiError};
use crate::route::Route;

/// A handler's error here.
pub type Error = ApiError<dialect::Native>;

/// What the handlers here need.
#[derive(Clone)]
pub struct NativeState {
    /// The record.
    pub events: Arc<dyn EventLog>,
    /// Which experiments its runs are of.
    pub tracked: Arc<dyn TrackingReader>,
    /// Which Mainstay this is.
    pub version: &'static str,
    /// Who is still let in.
    pub standing: Standing,
    /// Turns true when the server drains.
    pub stopping: Option<watch::Receiver<bool>>,
}

/// The table.
pub fn routes() -> Vec<Route<NativeState>> {
    [probe::routes(), events::routes()].into_iter().flatten().collect()
}
