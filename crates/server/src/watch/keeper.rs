//! The background task: logs in, findings out, checkpoints kept.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::event::{EventLog as _, EventSeq};
use mainstay_core::name::Name;
use mainstay_core::page::PageRequest;
use mainstay_core::time::DataTime;
use mainstay_segments::log::Cursor;
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::label::Label;
use mainstay_serving::port::ServingStore as _;
use mainstay_serving::record::PredictionRecord;
use mainstay_serving::segment::SegmentKind;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::endpoint::{Kept, Watched};
use super::tail::Tail;
use crate::Failed;
use mainstay_platform::Platform;
use mainstay_predictor::Predictor;

/// The version of the checkpoint's form.
const FORMAT: u32 = 1;
/// Records of a log that are taken between two looks at what they lead to.
const BATCH: usize = 4_096;
/// Predictions that are unpacked together: they stay in the nearest memory meanwhile.
const CHUNK: usize = 64;
/// How often it looks while nothing tells it that there is something.
const IDLE: Duration = Duration::from_secs(1);
/// How often it looks while a decision is being carried out.
const DECIDING: Duration = Duration::from_millis(50);
/// Between two looks: what is logged meanwhile is taken together.
const GATHER: Duration = Duration::from_millis(10);
/// Endpoints read at once.
const ENDPOINTS: usize = 200;
/// After a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two checkpoints, at least.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// A workspace's checkpoint on disk.
#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    predictions: Cursor,
    labels: Cursor,
    endpoints: BTreeMap<Name, Kept>,
}

/// The logs and endpoints of one workspace.
struct Place {
    predictions: Tail,
    labels: Tail,
    watched: BTreeMap<Name, Watched>,
    /// What a checkpoint says of endpoints that were not met yet.
    kept: BTreeMap<Name, Kept>,
    /// The checkpoint as it was last written.
    saved: Vec<u8>,
}

/// Watches the endpoints of one process's predictor. A label does not say whose it is: it is fed to every
/// endpoint, and counts where its prediction is.
pub struct WatchKeeper {
    platform: Arc<Platform>,
    predictor: Predictor,
    places: HashMap<Name, Place>,
    seen: EventSeq,
}

impl WatchKeeper {
    /// Wires the watch. Nothing happens until [`WatchKeeper::run`].
    pub fn new(platform: Arc<Platform>, predictor: Predictor) -> Self {
        platform.decisions.set_behind(true);
        Self { platform, predictor, places: HashMap::new(), seen: EventSeq(0) }
    }

    /// Watches until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut head = self.platform.database.head();
        let clock = self.platform.clock.clone();
        let mut next_save = clock.now().after(CHECKPOINT);
        while !*stop.borrow() {
            head.mark_unchanged();
            let (wait, is_checkpoint_due) = match self.round().await {
                Ok(true) => (Duration::ZERO, false),
                Ok(false) if self.is_deciding() => (DECIDING, false),
                Ok(false) => (IDLE, clock.now() >= next_save),
                Err(error) => {
                    tracing::warn!(%error, "the endpoints could not be watched; what was not taken is taken again");
                    // Half a round was taken: begin again at the checkpoint.
                    self.places.clear();
                    (PAUSE, false)
                }
            };
            if is_checkpoint_due {
                next_save = clock.now().after(CHECKPOINT);
                if let Err(error) = self.save() {
                    tracing::warn!(%error, "the checkpoint of the watch is not written now");
                }
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                _ = head.changed() => {}
                () = self.predictor.logged() => {}
                () = tokio::time::sleep(wait) => {}
            }
            if !wait.is_zero() {
                tokio::time::sleep(GATHER).await;
            }
        }
        if let Err(error) = self.save() {
            tracing::warn!(%error, "the checkpoint of the watch is not written");
        }
    }

    fn is_deciding(&self) -> bool {
        self.places.values().flat_map(|place| place.watched.values()).any(Watched::is_deciding)
    }

    /// Takes what the logs have and does what follows. Whether there may be more.
    async fn round(&mut self) -> Result<bool, Failed> {
        self.open_places().await?;
        let redefined = self.redefined();
        let mut more = false;
        for (workspace, place) in &mut self.places {
            for endpoint in redefined.iter().filter(|(at, _)| at == workspace).map(|(_, endpoint)| endpoint) {
                if let Some(watched) = place.watched.get_mut(&endpoint.name) {
                    watched.redefine(endpoint.clone());
                }
            }
            more |= place.take(&self.platform, workspace).await?;
            for (name, watched) in &mut place.watched {
                watched.report(&self.platform).await?;
                watched.decide(&self.platform).await?;
                if let Some(progress) = watched.progress() {
                    self.platform.decisions.note(workspace, name, progress);
                }
            }
        }
        self.platform.decisions.set_behind(more);
        Ok(more)
    }

    /// The endpoints whose definitions may have changed since the last round.
    fn redefined(&mut self) -> Vec<(Name, Endpoint)> {
        let snapshot = self.predictor.snapshot();
        if snapshot.seq == self.seen {
            return Vec::new();
        }
        self.seen = snapshot.seq;
        snapshot.served().map(|served| (served.workspace.clone(), served.endpoint.clone())).collect()
    }

    async fn open_places(&mut self) -> Result<(), Failed> {
        for workspace in self.predictor.workspaces() {
            if self.places.contains_key(&workspace) {
                continue;
            }
            let document = self.load(&workspace);
            let (predictions, labels, kept) = document.map_or_else(
                || (Cursor::START, Cursor::START, BTreeMap::new()),
                |document| (document.predictions, document.labels, document.endpoints),
            );
            let log = |kind, from| self.predictor.log(kind, &workspace).map(|log| Tail::new(&log, from));
            let mut place = Place {
                predictions: log(SegmentKind::Predictions, predictions)?,
                labels: log(SegmentKind::Labels, labels)?,
                watched: BTreeMap::new(),
                kept,
                saved: Vec::new(),
            };
            // All of them before the first label, which does not say whose it is.
            let mut page = PageRequest::first(ENDPOINTS);
            loop {
                let found = self.platform.database.reader.endpoints(&workspace, &page).await?;
                for (endpoint, revision) in found.items {
                    place.watch(&self.platform, &workspace, (endpoint, revision.number)).await?;
                }
                let Some(next) = found.next else { break };
                page = PageRequest { after: Some(next), ..page };
            }
            self.places.insert(workspace, place);
        }
        Ok(())
    }

    fn path(&self, workspace: &Name) -> PathBuf {
        self.platform.layout.segments().join("watch").join(format!("{workspace}.json"))
    }

    /// The checkpoint of a workspace. One that does not read is made anew from the logs.
    fn load(&self, workspace: &Name) -> Option<Document> {
        let bytes = std::fs::read(self.path(workspace)).ok()?;
        let document = serde_json::from_slice::<Document>(&bytes).ok().filter(|d| d.format == FORMAT);
        if document.is_none() {
            tracing::warn!(%workspace, "the checkpoint of the watch does not read; the logs are read from their start");
        }
        document
    }

    fn save(&mut self) -> Result<(), Failed> {
        let paths: HashMap<Name, PathBuf> =
            self.places.keys().map(|workspace| (workspace.clone(), self.path(workspace))).collect();
        for (workspace, place) in &mut self.places {
            let (Some(document), Some(path)) = (place.document(), paths.get(workspace)) else { continue };
            let bytes =
                serde_json::to_vec(&document).map_err(|e| Failed::outside("writing a checkpoint", e))?;
            if bytes != place.saved {
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent).map_err(|error| Failed::file(parent, error))?;
                }
                mainstay_predictor::write_atomically(path, &bytes)?;
                place.saved = bytes;
            }
        }
        Ok(())
    }
}

impl Place {
    /// Feeds what the logs have: labels first, for a label counts if it was there before the prediction
    /// that closed its day. Whether there may be more.
    async fn take(&mut self, platform: &Platform, workspace: &Name) -> Result<bool, Failed> {
        let mut labels = Vec::new();
        let read_labels = self.labels.read(BATCH, |payload, at| match Label::decode(payload) {
            Ok(label) => {
                let arrived = label.arrived;
                labels.push(label);
                arrived
            }
            Err(error) => {
                tracing::warn!(%error, "a logged label cannot be read");
                at
            }
        })?;
        for label in &labels {
            self.watched.values_mut().for_each(|watched| watched.label(label));
        }
        if read_labels == BATCH {
            return Ok(true);
        }
        let mut records = Vec::with_capacity(CHUNK);
        for _ in 0..BATCH / CHUNK {
            let read = self.predictions.read(CHUNK, |payload, at| {
                match PredictionRecord::decode(payload) {
                    Ok(record) => records.push(record),
                    Err(error) => tracing::warn!(%error, "a logged prediction cannot be read"),
                }
                at
            })?;
            for record in records.drain(..) {
                if !self.watched.contains_key(&record.endpoint)
                    && !self.open(platform, workspace, &record.endpoint).await?
                {
                    continue;
                }
                if let Some(watched) = self.watched.get_mut(&record.endpoint) {
                    watched.observe(platform, record).await?;
                }
            }
            if read < CHUNK {
                return Ok(false);
            }
            // Requests are answered by the same threads.
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    /// Starts to watch an endpoint; `false` if there is none of that name.
    async fn open(&mut self, platform: &Platform, workspace: &Name, name: &Name) -> Result<bool, Failed> {
        let found = platform.database.reader.endpoint(workspace, name).await?;
        let Some((endpoint, revision)) = found else { return Ok(false) };
        self.watch(platform, workspace, (endpoint, revision.number)).await?;
        Ok(true)
    }

    async fn watch(
        &mut self,
        platform: &Platform,
        workspace: &Name,
        endpoint: (Endpoint, u64),
    ) -> Result<(), Failed> {
        let name = endpoint.0.name.clone();
        let kept = self.kept.remove(&name);
        self.watched.insert(name, Watched::open(platform, workspace, endpoint, kept).await?);
        Ok(())
    }

    /// What to keep; `None` while a decision is under way.
    fn document(&mut self) -> Option<Document> {
        let mut endpoints = BTreeMap::new();
        let mut needed: Option<DataTime> = None;
        for (name, watched) in &self.watched {
            endpoints.insert(name.clone(), watched.keep()?);
            if let Some(from) = watched.needed() {
                needed = Some(needed.map_or(from, |known| known.min(from)));
            }
        }
        let needed = needed?;
        let (predictions, labels) = (self.predictions.restart(needed), self.labels.restart(needed));
        Some(Document { format: FORMAT, predictions, labels, endpoints })
    }
}
