//! Everything wired: the stores, the policy, and the commands of each domain.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::Entropy;
use mainstay_core::failed::Failed;
use mainstay_core::object::Objects;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::Clock;
use mainstay_data::ports::DataTx;
use mainstay_directory::artifacts;
use mainstay_directory::layout::Layout;
use mainstay_directory::lock::DataLock;
use mainstay_directory::server_file::ServerFile;
use mainstay_features::port::FeaturesTx;
use mainstay_governance::policy::Mode;
use mainstay_governance::port::PeopleTx;
use mainstay_mlflow::ArtifactRoot;
use mainstay_monitoring::port::MonitoringTx;
use mainstay_objects::{LocalObjects, S3Location, S3Objects};
use mainstay_pipelines::port::PipelineTx;
use mainstay_registry::port::RegistryTx;
use mainstay_segments::online::{OnlineStore, Options};
use mainstay_serving::port::ServingTx;
use mainstay_store::address::PostgresAddress;
use mainstay_store::{Database, Surroundings};
use mainstay_tracking::command::{ArtifactLocation, CreateDefaultExperiment};
use mainstay_tracking::port::TrackingTx;

use crate::abandoned::PipelineUnit;
use crate::authority::{Authority, Hashing};
use crate::decisions::Decisions;
use crate::gateway_keys::GatewayKeys;
use crate::heads::HeadKeeper;
use crate::loop_tx::{LoopTx, LoopUnit};
use mainstay_predictor::{Ports, Predictor, Sources};

/// What is taken from outside, and with what everything is made.
#[derive(Clone)]
pub struct Environment {
    /// Machine time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Whose policy it is.
    pub mode: Mode,
    /// Makes a command fail that changes the record without an event; for tests.
    pub guard_events: bool,
}

/// One Mainstay, open on its data.
pub struct Platform {
    /// Where its files lie.
    pub layout: Layout,
    /// The database.
    pub database: Database,
    /// Run artifacts and models.
    pub objects: Arc<dyn Objects>,
    /// Where artifacts go of experiments that name no place.
    pub artifact_root: Arc<ArtifactRoot>,
    /// Feature values for requests that carry keys.
    pub online: Arc<OnlineStore>,
    /// Machine time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who may do what.
    pub authority: Arc<Authority>,
    /// How MLflow's protocol is spoken.
    pub mlflow: mainstay_mlflow::Options,
    /// Holds the key of the gateway's secrets.
    pub gateway_keys: Arc<GatewayKeys>,
    /// Hashes passwords.
    pub hashing: Arc<Hashing>,
    /// Commands on users, what they were granted, custom roles and workspaces.
    pub people: Commands<dyn PeopleTx>,
    /// Commands on datasets.
    pub data: Commands<dyn DataTx>,
    /// Commands on feature definitions.
    pub features: Commands<dyn FeaturesTx>,
    /// Commands on alarms and looks.
    pub monitoring: Commands<dyn MonitoringTx>,
    /// What the watch of the endpoints knows.
    pub decisions: Arc<Decisions>,
    /// Commands on pipelines.
    pub pipelines: Commands<dyn PipelineTx>,
    /// Commands on registered models.
    pub registry: Commands<dyn RegistryTx>,
    /// Commands on endpoints, rollouts and segments.
    pub serving: Commands<dyn ServingTx>,
    /// Commands on experiments, runs and logged models.
    pub tracking: Commands<dyn TrackingTx>,
    /// Commands that span domains.
    pub looped: Commands<dyn LoopTx>,
    /// Whether no other process can work on the database: it lies in the locked data directory.
    pub is_sole: bool,
    /// Signs heads of the log.
    pub heads: HeadKeeper,
    /// Held as long as the data is open: nobody else opens it meanwhile.
    _lock: DataLock,
}

impl Platform {
    /// Opens the data directory, and the database in it or the one at `database`.
    pub async fn open(data: &Path, database: Option<&str>, environment: Environment) -> Result<Self, Failed> {
        let Environment { clock, entropy, mode, guard_events } = environment;
        let address = checked_address(data, database).await?;
        let layout = Layout::create(data).map_err(|error| Failed::file(data, error))?;
        let lock = DataLock::take(layout.root())?;
        ServerFile::clear(layout.root()).map_err(|error| Failed::file(data, error))?;
        let surroundings = Surroundings { clock: clock.clone(), entropy: entropy.clone(), guard_events };
        let is_sole = database.is_none();
        let database = match database.zip(address) {
            Some((url, address)) => {
                let opened = Database::open_postgres(url, surroundings).await;
                opened.map_err(|error| address.unusable(error))?
            }
            None => Database::open_sqlite(layout.root(), surroundings).await?,
        };
        let objects = open_objects(&layout, &clock, &entropy).await?;
        let (online, recovery) = OnlineStore::open(&layout.online(), Options::default())
            .map_err(|error| Failed::outside("opening the online feature store", error))?;
        tracing::debug!(?recovery, "online feature store");
        let writer = Arc::new(database.writer.clone());
        let authority = Arc::new(Authority::open(mode, &database)?);
        let policy: Arc<dyn Authorizer> = authority.clone();
        let keys = layout.keys();
        let heads = HeadKeeper::open(&keys, &*entropy, &database, clock.clone(), policy.clone())?;
        Ok(Self {
            heads,
            mlflow: mainstay_mlflow::Options::default(),
            gateway_keys: Arc::new(GatewayKeys::in_directory(keys, entropy.clone())),
            hashing: Arc::new(Hashing::new(
                Arc::new(database.reader.clone()),
                entropy.clone(),
                clock.clone(),
            )),
            people: Commands::new(writer.clone(), policy.clone()),
            data: Commands::new(writer.clone(), policy.clone()),
            features: Commands::new(writer.clone(), policy.clone()),
            monitoring: Commands::new(writer.clone(), policy.clone()),
            decisions: Arc::default(),
            pipelines: Commands::new(Arc::new(PipelineUnit(database.writer.clone())), policy.clone()),
            registry: Commands::new(writer.clone(), policy.clone()),
            serving: Commands::new(writer.clone(), policy.clone()),
            tracking: Commands::new(writer, policy.clone()),
            looped: Commands::new(Arc::new(LoopUnit(database.writer.clone())), policy),
            artifact_root: Arc::new(ArtifactRoot::proxy(working_directory(layout.root()))),
            layout,
            database,
            objects,
            online: Arc::new(online),
            clock,
            entropy,
            authority,
            is_sole,
            _lock: lock,
        })
    }

    /// Lets new experiments that name no place have their artifacts below `uri`. What is a directory of this
    /// machine or a bucket is read here too, if that can be.
    pub async fn with_artifact_root(mut self, uri: &str) -> Result<Self, Failed> {
        let root = ArtifactRoot::new(uri, working_directory(self.layout.root()));
        let root = root.map_err(|error| Failed::Usage(error.to_string()))?;
        let own = artifacts::bucket(self.layout.root())?.map(|own| own.uri());
        if let Some(own) = own.as_ref().filter(|own| root.overlaps(own)) {
            return Err(Failed::Usage(format!(
                "--default-artifact-root is above or below {own}, where the server keeps artifacts: name a place \
                 beside it, or the same",
            )));
        }
        let is_own = match own {
            Some(own) => root.bucket() == Some(&*own),
            None => {
                root.directory().is_some_and(|named| settled(&named) == settled(&self.layout.artifacts()))
            }
        };
        // Whoever names a folder in the one could name, by it, what is kept in the other by rules of its own.
        let server = [self.layout.root().to_owned(), self.layout.artifacts()].map(|place| settled(&place));
        let named = root.directory().map(|named| settled(&named)).filter(|_| !is_own);
        let overlaps = |own: &PathBuf| {
            named.as_ref().is_some_and(|named| named.starts_with(own) || own.starts_with(named))
        };
        if let Some(own) = server.iter().find(|own| overlaps(own)) {
            return Err(Failed::Usage(format!(
                "--default-artifact-root is in or around {}, where the server keeps its own files: name a directory \
                 beside it",
                own.display()
            )));
        }
        let opened = open_root(&root, &self.clock, &self.entropy).await;
        let root = match opened {
            Ok(Some(objects)) => root.read_through(objects, is_own),
            Ok(None) => root,
            Err(error) => {
                // Without the place itself: its user may have written credentials into it.
                tracing::warn!(%error, "artifacts below --default-artifact-root are not served");
                root
            }
        };
        self.artifact_root = Arc::new(root);
        Ok(self)
    }

    /// Seals the gateway's secrets under a key of this passphrase, instead of one that lies in a file.
    #[must_use]
    pub fn with_gateway_passphrase(mut self, passphrase: String) -> Self {
        self.gateway_keys = Arc::new(GatewayKeys::of_passphrase(passphrase));
        self
    }

    /// Creates the experiment where runs go whose client names none, if it is not there yet.
    pub async fn create_default_experiment(&self) -> Result<(), Failed> {
        let location = ArtifactLocation::Under(self.artifact_root.of(&default_workspace()));
        let command = CreateDefaultExperiment { workspace: default_workspace(), location };
        Ok(self.tracking.run(&Principal::system("start"), command).await?)
    }

    /// Opens the part that answers inference requests and takes labels.
    pub async fn open_predictor(&self) -> Result<Predictor, Failed> {
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let ports = Ports { clock, entropy, online: self.online.clone() };
        let opened = Predictor::open(&self.layout.segments(), ports).await;
        opened.map_err(|error| Failed::outside("opening the prediction logs", error))
    }

    /// Where the predictor reads what it serves by.
    pub fn sources(&self) -> Sources {
        let reader = Arc::new(self.database.reader.clone());
        Sources {
            events: Arc::new(self.database.clone()),
            store: reader.clone(),
            objects: self.objects.clone(),
            definitions: reader,
        }
    }

    /// Signs the log as it stands, commits what is queued and closes the writer.
    pub async fn close(&self) {
        if let Err(error) = Box::pin(self.heads.sign()).await {
            tracing::warn!(%error, "the last head could not be kept");
        }
        Box::pin(self.database.close()).await;
    }
}

/// Where the database is, if it is not in the data directory. Where there is no data directory yet, it must answer:
/// none is made for an address that is wrong.
pub async fn checked_address(data: &Path, database: Option<&str>) -> Result<Option<PostgresAddress>, Failed> {
    let Some(url) = database else { return Ok(None) };
    let address = PostgresAddress::parse(url)?;
    if !data.exists() {
        address.reach().await?;
    }
    Ok(Some(address))
}

/// Opens the store of artifacts and models: what the data directory says, its own files if it says nothing.
async fn open_objects(
    layout: &Layout,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<dyn Objects>, Failed> {
    Ok(match artifacts::bucket(layout.root())? {
        Some(location) => Arc::new(open_bucket(&location, clock)?),
        None => Arc::new(LocalObjects::open(layout.artifacts(), entropy.clone()).await?),
    })
}

/// Opens what clients write themselves, if it is a directory of this machine or a bucket.
async fn open_root(
    root: &ArtifactRoot,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Option<Arc<dyn Objects>>, Failed> {
    if let Some(directory) = root.directory() {
        return Ok(Some(Arc::new(LocalObjects::open(directory, entropy.clone()).await?)));
    }
    let Some(bucket) = root.bucket() else { return Ok(None) };
    Ok(Some(Arc::new(open_bucket(&bucket.parse()?, clock)?)))
}

/// Opens a bucket, with the credentials of this process.
fn open_bucket(location: &S3Location, clock: &Arc<dyn Clock>) -> Result<S3Objects, Failed> {
    let text = |text: OsString| text.into_string().ok();
    let environment = std::env::vars_os().filter_map(|(key, value)| Some((text(key)?, text(value)?)));
    Ok(S3Objects::open(location, environment, clock.clone())?)
}

/// A directory without links, as far as it is there.
fn settled(directory: &Path) -> PathBuf {
    let there = directory.ancestors().find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
    let Some((above, real)) = there else { return directory.to_owned() };
    directory.strip_prefix(above).map_or_else(|_| real.clone(), |rest| real.join(rest))
}

/// Where relative places of artifacts lie.
fn working_directory(data: &Path) -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| data.to_owned())
}
