//! The predictor: the part of Mainstay that answers inference requests and takes labels. It needs no
//! database.
//!
//! It serves by a [`snapshot::Snapshot`]: every endpoint with its newest revision and its models, loaded.
//! The snapshot is replaced as a whole, atomically, and kept on disk with the models. Whoever runs beside
//! a database lets it [`Predictor::follow`] the event log; without one it goes on with what it has.
//! Predictions and labels go to local logs (crate `segments`), which [`Predictor::maintain`] seals and
//! puts on the record.
//!
//! | below `segments/` | |
//! |---|---|
//! | `predictor/snapshot.json`, `predictor/models/<sha256>.onnx` | the snapshot |
//! | `predictor/watermarks.json` | a checkpoint of the watermarks |
//! | `predictions/<workspace>/`, `labels/<workspace>/` | the logs |

mod columns;
mod disk;
mod error;
mod features;
mod follow;
mod infer;
mod journal;
mod labels;
mod maintain;
mod outputs;
mod pace;
mod rows;
mod served;
mod service;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod watermark;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use mainstay_api::oip::service::{InferAnswer, InferRequest};
use mainstay_core::entropy::Entropy;
use mainstay_core::error::StorageError;
use mainstay_core::event::EventSeq;
use mainstay_core::name::Name;
use mainstay_core::time::{Clock, DataTime};
use mainstay_segments::log::{LogError, SegmentLog};
use mainstay_segments::online::OnlineStore;
use mainstay_serving::segment::SegmentKind;
use tokio::sync::{Mutex, Notify, Semaphore, watch};

pub use disk::write_atomically;
use disk::{Entry, Kept, PredictorDir};
pub use error::PredictError;
pub use features::{LookUpError, kind_of, online_name, views_of};
pub use follow::{FeatureSource, Sources};
use journal::Logs;
use labels::LabelKeeper;
pub use maintain::{SegmentRegistry, Upkeep};
use snapshot::{Snapshot, Status};
use watermark::Watermarks;

/// What the predictor takes from outside.
#[derive(Clone)]
pub struct Ports {
    /// Machine time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for prediction ids.
    pub entropy: Arc<dyn Entropy>,
    /// Stored features, for requests that carry entity keys.
    pub online: Arc<OnlineStore>,
}

/// The predictor of one process. Cheap to clone.
#[derive(Clone)]
pub struct Predictor(Arc<Inner>);

pub(crate) struct Inner {
    dir: PredictorDir,
    snapshot: ArcSwap<Snapshot>,
    predictions: Logs,
    labels: LabelKeeper,
    watermarks: Watermarks,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    online: Arc<OnlineStore>,
    /// A snapshot was loaded from disk, or made from the record.
    ready: AtomicBool,
    /// The record was read since this process began: what is not in the snapshot does not exist.
    has_followed: watch::Sender<bool>,
    /// Told of every prediction and label that was logged.
    logged: Notify,
    /// Held by whoever makes the next snapshot.
    following: Mutex<()>,
    /// Requests of few rows that are computed off the reactor at the same time.
    few: Arc<Semaphore>,
    /// Those of many rows.
    many: Arc<Semaphore>,
}

impl Predictor {
    /// Opens the predictor's part of a data directory: repairs its logs and loads the kept snapshot.
    pub async fn open(segments: &Path, ports: Ports) -> Result<Self, PredictError> {
        let dir = PredictorDir::create(segments.join("predictor")).map_err(LogError::from)?;
        let logs =
            |kind: SegmentKind| Logs::open(kind, &segments.join(kind.as_str()), Arc::clone(&ports.entropy));
        let (predictions, labels) = (logs(SegmentKind::Predictions)?, logs(SegmentKind::Labels)?);
        let watermarks = Watermarks::open(dir.watermarks());
        for (workspace, log) in predictions.all() {
            watermarks.fold(&workspace, &log)?;
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let Ports { clock, entropy, online } = ports;
        let this = Self(Arc::new(Inner {
            dir,
            snapshot: ArcSwap::default(),
            predictions,
            labels: LabelKeeper::new(labels),
            watermarks,
            clock,
            entropy,
            online,
            logged: Notify::new(),
            ready: AtomicBool::new(false),
            has_followed: watch::Sender::new(false),
            following: Mutex::default(),
            few: Arc::new(Semaphore::new(cores)),
            many: Arc::new(Semaphore::new(cores)),
        }));
        if let Some(Kept { seq, endpoints, troubles }) = this.0.dir.read_snapshot().map_err(LogError::from)? {
            let places =
                endpoints.into_iter().map(|e| ((e.workspace.clone(), e.endpoint.name.clone()), Some(e)));
            let mut next = this.0.rebuild(&Snapshot::default(), seq, places.collect(), None).await;
            next.troubles.extend(troubles);
            this.0.install_kept(next);
        }
        Ok(this)
    }

    /// What it serves by now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// What it says about itself.
    pub fn status(&self) -> Status {
        Status::from(&**self.0.snapshot.load())
    }

    /// Waits until the record was read once since the start.
    pub async fn followed(&self) {
        // The sender lives as long as this does.
        drop(self.0.has_followed.subscribe().wait_for(|followed| *followed).await);
    }

    /// Answers a request at once, on this thread. Waits for the disk only where the request asks for it.
    pub fn infer(&self, request: &InferRequest) -> Result<InferAnswer, PredictError> {
        let snapshot = self.0.snapshot.load();
        self.infer_by(self.0.find(&snapshot, &request.workspace, &request.endpoint)?, request)
    }

    /// As [`infer`](Self::infer), by an endpoint that was found.
    fn infer_by(
        &self,
        served: &snapshot::Served,
        request: &InferRequest,
    ) -> Result<InferAnswer, PredictError> {
        let given = infer::infer(&self.0, served, request);
        self.0.logged.notify_one();
        given
    }

    /// The latest data time that an endpoint was asked for.
    pub fn watermark(&self, workspace: &Name, endpoint: &Name) -> Option<DataTime> {
        self.0.watermarks.get(workspace, endpoint)
    }

    /// The workspaces that have a log of predictions.
    pub fn workspaces(&self) -> Vec<Name> {
        self.0.predictions.all().into_iter().map(|(workspace, _)| workspace).collect()
    }

    /// Waits until a prediction or a label was logged since the last call ended.
    pub async fn logged(&self) {
        self.0.logged.notified().await;
    }

    /// The log of a workspace, to be read from.
    pub fn log(&self, kind: SegmentKind, workspace: &Name) -> Result<Arc<SegmentLog>, LogError> {
        match kind {
            SegmentKind::Predictions => self.0.predictions.of(workspace),
            SegmentKind::Labels => self.0.labels.logs().of(workspace),
        }
    }
}

impl Inner {
    /// Takes note that nothing changed up to `head`.
    fn set_followed(&self, head: EventSeq, before: &Snapshot) {
        if head != before.seq {
            let (endpoints, troubles) = (before.endpoints.clone(), before.troubles.clone());
            self.snapshot.store(Arc::new(Snapshot { seq: head, digest: before.digest, endpoints, troubles }));
        }
        self.has_followed.send_replace(true);
        self.ready.store(true, Ordering::Release);
    }

    /// Keeps a snapshot on disk and serves by it. A disk that fails does not keep it from being served.
    async fn install(&self, mut next: Snapshot) {
        let troubles =
            next.troubles.iter().map(|(place, trouble)| (place.clone(), trouble.clone())).collect();
        let kept = Kept { seq: next.seq, endpoints: entries(&next), troubles };
        let (dir, needed) = (self.dir.clone(), next.models());
        let written = tokio::task::spawn_blocking(move || {
            let digest = dir.write_snapshot(kept)?;
            dir.prune_models(|digest| needed.contains_key(digest))?;
            Ok::<_, StorageError>(digest)
        });
        match written.await {
            Ok(Ok(digest)) => next.digest = Some(digest),
            Ok(Err(error)) => tracing::warn!(?error, "the snapshot is not kept on disk"),
            Err(error) => tracing::warn!(%error, "the snapshot is not kept on disk"),
        }
        self.has_followed.send_replace(true);
        self.install_kept(next);
    }

    /// An endpoint of a snapshot. One that is not in it may be on the record, until that was read.
    fn find<'s>(
        &self,
        snapshot: &'s Snapshot,
        workspace: &Name,
        endpoint: &str,
    ) -> Result<&'s Arc<snapshot::Served>, PredictError> {
        snapshot.find(workspace.as_str(), endpoint).map_err(|error| match error {
            PredictError::NoEndpoint(name) if !*self.has_followed.borrow() => PredictError::NotKnownYet(name),
            error => error,
        })
    }

    fn install_kept(&self, mut next: Snapshot) {
        if next.digest.is_none() {
            next.digest = disk::digest_of(&entries(&next)).ok();
        }
        self.snapshot.store(Arc::new(next));
        self.ready.store(true, Ordering::Release);
    }

    fn save_watermarks(&self) -> Result<(), LogError> {
        for (workspace, log) in self.predictions.all() {
            // A watermark moves before its record is written.
            self.watermarks.reach(&workspace, log.end());
        }
        Ok(self.watermarks.save()?)
    }
}

/// What is kept of a snapshot, by workspace and name.
fn entries(snapshot: &Snapshot) -> Vec<Entry> {
    let entry = |served: &Arc<snapshot::Served>| Entry {
        workspace: served.workspace.clone(),
        endpoint: served.endpoint.clone(),
        revision: served.revision.clone(),
        features: served.features.as_ref().map(|(kept, _)| kept.clone()),
    };
    let mut entries: Vec<Entry> = snapshot.served().map(entry).collect();
    entries.sort_by(|a, b| (&a.workspace, &a.endpoint.name).cmp(&(&b.workspace, &b.endpoint.name)));
    entries
}
