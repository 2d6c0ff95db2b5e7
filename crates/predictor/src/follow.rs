//! Following the event log: endpoints that changed are read again, their models loaded, and the snapshot
//! replaced as a whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use mainstay_core::digest::Digest;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog, EventQuery, EventSeq};
use mainstay_core::name::Name;
use mainstay_core::object::{ModelFile, ObjectPath, Objects};
use mainstay_core::scope::ResourceKind;
use mainstay_data::ports::DataReader as _;
use mainstay_data::schema::Column;
use mainstay_features::definition::Definitions;
use mainstay_inference::{Limits, LoadError, Model};
use mainstay_segments::log::LogError;
use mainstay_serving::endpoint::{Endpoint, ServiceRef};
use mainstay_serving::port::ServingStore;
use mainstay_serving::revision::Revision;
use mainstay_store::reader::Reader;
use thiserror::Error;
use tokio::sync::watch;

use super::columns::{Columns, FitError};
use super::disk::Entry;
use super::features::{KeptFeatures, ServiceError, ServiceFeatures, field_type};
use super::pace::Pace;
use super::snapshot::{Loaded, Place, Served, Snapshot, Trouble};
use super::{Inner, Predictor};

/// Each is recorded whenever the definition or the revision of an endpoint changes, by a rollout too.
/// Definitions of features change what completes a request.
const KINDS: [&str; 5] =
    ["endpoint.created", "endpoint.changed", "endpoint.revised", "endpoint.rolled_back", "features.applied"];
/// Events read at once.
const PAGE: usize = 500;
/// Between two looks at the log, so that a busy log costs little.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two tries of what did not work.
const RETRY: Duration = Duration::from_secs(5);

/// Where the record is read.
#[derive(Clone)]
pub struct Sources {
    /// The event log.
    pub events: Arc<dyn EventLog>,
    /// Endpoints and revisions.
    pub store: Arc<dyn ServingStore>,
    /// Models, at `models/<sha256>/model.onnx`.
    pub objects: Arc<dyn Objects>,
    /// Feature definitions, and the tables that they read.
    pub definitions: Arc<dyn FeatureSource>,
}

/// Where the definitions of feature services are read.
#[async_trait]
pub trait FeatureSource: Send + Sync {
    /// The newest definitions file of a project.
    async fn definitions(&self, workspace: &Name, project: &Name) -> Result<Option<String>, StorageError>;

    /// The columns of the newest version of a dataset; none if there is no version.
    async fn columns(&self, workspace: &Name, dataset: &Name) -> Result<Vec<Column>, StorageError>;
}

#[async_trait]
impl FeatureSource for Reader {
    async fn definitions(&self, workspace: &Name, project: &Name) -> Result<Option<String>, StorageError> {
        Ok(self.feature_definitions(workspace, project).await?.map(|stored| stored.text))
    }

    async fn columns(&self, workspace: &Name, dataset: &Name) -> Result<Vec<Column>, StorageError> {
        let newest = self.version(workspace, dataset, None).await?;
        Ok(newest.map_or_else(Vec::new, |version| version.manifest.schema.columns().to_vec()))
    }
}

/// What is kept of the definitions of an endpoint's feature service. A file that does not read, or has
/// no such service, is kept as it is: the endpoint then says what is wrong.
async fn kept_features(
    source: &dyn FeatureSource,
    workspace: &Name,
    reference: &ServiceRef,
) -> Result<Option<KeptFeatures>, StorageError> {
    let Some(text) = source.definitions(workspace, &reference.project).await? else { return Ok(None) };
    let parsed = Definitions::parse(&text).ok();
    let service = parsed.as_ref().and_then(|all| all.service(&reference.service));
    let dataset = service.and_then(|service| Name::new(service.label.as_ref()?.source.dataset.clone()).ok());
    let columns = match dataset {
        Some(dataset) => source.columns(workspace, &dataset).await?,
        None => Vec::new(),
    };
    let fields = columns.into_iter().filter_map(|column| Some((column.name, field_type(column.data_type)?)));
    Ok(Some(KeptFeatures { definitions: text, fields: fields.collect() }))
}

/// Why a revision cannot be served.
#[derive(Debug, Error)]
enum Unservable {
    #[error("the model {0} is not in the object store")]
    NoObject(Digest),
    #[error("the object of model {0} has another digest; it is damaged or was replaced")]
    Digest(Digest),
    #[error("version {version} does not load: {error}")]
    Load { version: u64, error: LoadError },
    #[error("version {version} does not fit the endpoint: {error}")]
    Fit { version: u64, error: FitError },
    #[error("a model cannot be read now: {0}")]
    Storage(#[from] StorageError),
    #[error("the prediction log cannot be opened: {0}")]
    Log(#[from] LogError),
    #[error("its features cannot be read: {0}")]
    Features(#[from] ServiceError),
    #[error("there are no feature definitions named {0}; apply them")]
    NoDefinitions(Name),
}

/// The definition of a view changed, and its rows were not carried anew. `is_kept`: the service that was read
/// before goes on.
fn outdated(view: &str, is_kept: bool) -> String {
    let until_then = if is_kept { "those of the earlier definitions" } else { "missing" };
    format!(
        "the online store has rows of an earlier definition of the feature view {view:?}; materialise it, until then the features are {until_then}"
    )
}

impl Predictor {
    /// Follows the event log until `stop` turns true.
    pub async fn follow(self, sources: Sources, mut stop: watch::Receiver<bool>) {
        let mut head = sources.events.head();
        loop {
            head.mark_unchanged();
            let wait = match self.catch_up(&sources).await {
                Ok(()) if self.snapshot().troubles.is_empty() => None,
                Ok(()) => Some(RETRY),
                Err(error) => {
                    tracing::warn!(%error, "the record cannot be followed now; what is loaded goes on serving");
                    Some(RETRY)
                }
            };
            let changed = async {
                tokio::time::sleep(PAUSE).await;
                match wait {
                    None => head.changed().await.is_ok(),
                    Some(wait) => !matches!(tokio::time::timeout(wait, head.changed()).await, Ok(Err(_))),
                }
            };
            let goes_on = tokio::select! {
                goes_on = changed => goes_on,
                _ = stop.wait_for(|stop| *stop) => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Reads what changed since the snapshot, and replaces it. Endpoints whose newest revision could not be
    /// served are tried again. The first time all endpoints are read: a snapshot that was kept on disk can be
    /// ahead of a record that was restored from a backup.
    pub async fn catch_up(&self, sources: &Sources) -> Result<(), StorageError> {
        let _one = self.0.following.lock().await;
        let before = self.0.snapshot.load_full();
        let head = *sources.events.head().borrow();
        let is_first = !*self.0.has_followed.borrow();
        let after = if is_first { EventSeq(0) } else { before.seq };
        let mut places = changed(&*sources.events, &before, after).await?;
        places.extend(before.troubles.keys().cloned());
        if is_first {
            places
                .extend(before.served().map(|known| (known.workspace.clone(), known.endpoint.name.clone())));
        }
        if places.is_empty() {
            self.0.set_followed(head, &before);
            return Ok(());
        }
        let mut entries = Vec::with_capacity(places.len());
        for (workspace, name) in places {
            let entry = match sources.store.endpoint(&workspace, &name).await? {
                None => None,
                Some((endpoint, revision)) => {
                    let features = match &endpoint.features {
                        Some(service) => kept_features(&*sources.definitions, &workspace, service).await?,
                        None => None,
                    };
                    Some(Entry { workspace: workspace.clone(), endpoint, revision, features })
                }
            };
            entries.push(((workspace, name), entry));
        }
        let next = self.0.rebuild(&before, head, entries, Some(&*sources.objects)).await;
        self.0.install(next).await;
        Ok(())
    }
}

/// The endpoints that events after an instant of the log speak of, or whose features were defined anew.
async fn changed(
    events: &dyn EventLog,
    before: &Snapshot,
    since: EventSeq,
) -> Result<BTreeSet<Place>, StorageError> {
    let mut places = BTreeSet::new();
    for kind in KINDS {
        let mut after = since;
        loop {
            let page = events.read(&EventQuery::after(after, PAGE).of_kind(kind)).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            let full = page.len() == PAGE;
            for event in page {
                if event.subject.kind == ResourceKind::Feature {
                    places.extend(before.reading(&event.workspace, &event.subject.id));
                    continue;
                }
                if event.subject.kind != ResourceKind::Endpoint {
                    continue;
                }
                match Name::new(event.subject.id) {
                    Ok(name) => drop(places.insert((event.workspace, name))),
                    Err(error) => tracing::warn!(%error, "an event names no endpoint"),
                }
            }
            if !full {
                break;
            }
        }
    }
    Ok(places)
}

impl Inner {
    /// The snapshot after `before`, with `entries` in the place of what was there.
    pub(super) async fn rebuild(
        &self,
        before: &Snapshot,
        seq: EventSeq,
        entries: Vec<(Place, Option<Entry>)>,
        objects: Option<&dyn Objects>,
    ) -> Snapshot {
        let mut models = before.models();
        let mut next = Snapshot {
            seq,
            digest: None,
            endpoints: before.endpoints.clone(),
            troubles: before.troubles.clone(),
        };
        for (place, entry) in entries {
            next.troubles.remove(&place);
            let Some(entry) = entry else {
                if let Some(all) = next.endpoints.get_mut(&place.0) {
                    all.remove(&place.1);
                }
                continue;
            };
            let revision = entry.revision.number;
            let known = before.endpoints.get(&place.0).and_then(|all| all.get(&place.1));
            match self.serve(entry, known.map(|known| &**known), &mut models, objects).await {
                Ok((served, outdated)) => {
                    if let Some(reason) = outdated {
                        tracing::warn!(workspace = %place.0, endpoint = %place.1, reason, "features are outdated");
                        next.troubles.insert(place.clone(), Trouble { revision, reason });
                    }
                    next.endpoints.entry(place.0).or_default().insert(place.1, Arc::new(served));
                }
                Err(error) => {
                    let reason = error.to_string();
                    tracing::warn!(workspace = %place.0, endpoint = %place.1, revision, reason, "a revision is not served");
                    next.troubles.insert(place, Trouble { revision, reason });
                }
            }
        }
        next
    }

    /// An endpoint with all its models loaded, and why its features are not those of the newest definitions,
    /// if they are not. `known` is how it was served before.
    async fn serve(
        &self,
        entry: Entry,
        known: Option<&Served>,
        models: &mut HashMap<Digest, Arc<Model>>,
        objects: Option<&dyn Objects>,
    ) -> Result<(Served, Option<String>), Unservable> {
        let Entry { workspace, endpoint, revision, features } = entry;
        let mut loaded = HashMap::new();
        let arms = revision.arms.iter().map(|arm| arm.pinned);
        for pinned in arms.chain(revision.fallback) {
            let version = pinned.version;
            let model = match models.get(&pinned.digest) {
                Some(model) => Arc::clone(model),
                None => match self.load(&pinned.digest, version, objects).await {
                    Ok(model) => model,
                    // Without its fallback an endpoint still answers.
                    Err(error) if is_fallback_only(&revision, version) => {
                        tracing::warn!(%error, endpoint = %endpoint.name, version, "the fallback is not loaded");
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            let columns = Columns::fit(&model, &endpoint.schema);
            let columns = columns.map_err(|error| Unservable::Fit { version, error })?;
            models.insert(pinned.digest, Arc::clone(&model));
            loaded.insert(pinned.digest, Loaded { model, columns, pace: Arc::default() });
        }
        let log = self.predictions.of(&workspace)?;
        let watermark = self.watermarks.of(&workspace, &endpoint.name);
        let mut trouble = None;
        let features = match (&endpoint.features, features) {
            (None, _) => None,
            (Some(reference), None) => return Err(Unservable::NoDefinitions(reference.project.clone())),
            (Some(reference), Some(kept)) => {
                let online = Arc::clone(&self.online);
                let service = ServiceFeatures::new(&workspace, reference, &kept, &endpoint.schema, online)?;
                let outdated_view = service.outdated().map(str::to_owned);
                let earlier = outdated_view.as_ref().and_then(|_| self.earlier(known?, &endpoint));
                trouble = outdated_view.map(|view| outdated(&view, earlier.is_some()));
                earlier.or_else(|| Some((kept, Arc::new(service))))
            }
        };
        let by_keys = Pace::default();
        Ok((
            Served { workspace, endpoint, revision, models: loaded, log, watermark, features, by_keys },
            trouble,
        ))
    }

    /// The feature service that an endpoint was served with, if it can be read still.
    fn earlier(&self, known: &Served, endpoint: &Endpoint) -> Option<(KeptFeatures, Arc<ServiceFeatures>)> {
        let reference = endpoint.features.as_ref()?;
        let (kept, service) =
            known.features.clone().filter(|_| known.endpoint.features == endpoint.features)?;
        if known.endpoint.schema == endpoint.schema {
            return Some((kept, service));
        }
        let online = Arc::clone(&self.online);
        let service =
            ServiceFeatures::new(&known.workspace, reference, &kept, &endpoint.schema, online).ok()?;
        service.outdated().is_none().then(|| (kept, Arc::new(service)))
    }

    async fn load(
        &self,
        digest: &Digest,
        version: u64,
        objects: Option<&dyn Objects>,
    ) -> Result<Arc<Model>, Unservable> {
        let bytes = match (self.dir.read_model(digest)?, objects) {
            (Some(bytes), _) => bytes,
            (None, Some(objects)) => {
                let bytes = fetch(objects, digest).await?;
                self.dir.write_model(digest, &bytes)?;
                bytes
            }
            (None, None) => return Err(Unservable::NoObject(*digest)),
        };
        let load = tokio::task::spawn_blocking(move || Model::load(&bytes, &Limits::default()));
        let loaded = load.await.map_err(|error| StorageError::Failed(error.into()))?;
        loaded.map(Arc::new).map_err(|error| Unservable::Load { version, error })
    }
}

fn is_fallback_only(revision: &Revision, version: u64) -> bool {
    revision.arms.iter().all(|arm| arm.pinned.version != version)
}

/// The bytes of a model, which must have its digest.
async fn fetch(objects: &dyn Objects, digest: &Digest) -> Result<Vec<u8>, Unservable> {
    let path = ObjectPath::of_model(digest, ModelFile::Graph);
    let mut content = objects.get(&path, None).await?.ok_or(Unservable::NoObject(*digest))?;
    let limit = Limits::default().max_bytes;
    let mut bytes = Vec::new();
    while let Some(chunk) = content.bytes.next().await {
        bytes.extend_from_slice(&chunk.map_err(StorageError::Failed)?);
        if bytes.len() > limit {
            return Err(Unservable::Load {
                version: 0,
                error: LoadError::TooLarge { bytes: bytes.len(), limit },
            });
        }
    }
    if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(Unservable::Digest(*digest)) }
}
