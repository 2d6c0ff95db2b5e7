//! A server that runs: everything that `up` starts, and the demonstration beside its replay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mainstay_api::App;
use mainstay_api::listen::{self, HttpLimits};
use mainstay_directory::server_file::reachable;
use mainstay_predictor::Predictor;
use mainstay_runner::Spawner;
use mainstay_webhooks::{Deliveries, DeliveryOptions};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Failed;
use crate::engine::{Engine, EngineOptions};
use crate::triggers::Triggers;
use crate::unfinished::sweep;
use crate::watch::WatchKeeper;
use mainstay_platform::Platform;
use mainstay_platform::compactor::Compactor;
use mainstay_platform::sweeper::Sweeper;

/// How long a start waits for the database before it serves what was kept.
const SETTLING: Duration = Duration::from_secs(10);

/// A server until it is drained.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    platform: Arc<Platform>,
    predictor: Predictor,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts serving, watching and working at `listen`.
    pub(crate) async fn start(
        platform: Arc<Platform>,
        spawner: Arc<Spawner>,
        app: App,
        listen: SocketAddr,
        webhooks: DeliveryOptions,
        limits: HttpLimits,
    ) -> Result<Self, Failed> {
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                Failed::Usage(format!("{listen} is in use by another program; choose another with --listen"))
            }
            _ => Failed::outside(format!("listening on {listen}"), error),
        })?;
        let address = listener.local_addr().map_err(|error| Failed::outside("listening", error))?;
        platform.create_default_experiment().await?;
        let predictor = platform.open_predictor().await?;
        let (stop, stopping) = watch::channel(false);
        let app = App { workers: Some(Handle::current()), stopping: Some(stopping.clone()), ..app };
        let router = crate::serve::router(&platform, &predictor, &app, &webhooks);

        let registry = Arc::new(platform.serving.clone());
        let keeper = WatchKeeper::new(platform.clone(), predictor.clone());
        let options =
            EngineOptions { url: Some(format!("http://{}", reachable(address))), ..EngineOptions::default() };
        let engine = Engine::new(platform.clone(), spawner, mainstay_steps::all(), options);
        let signing = (platform.clone(), stopping.clone());
        let (database, policy) = (platform.database.clone(), platform.authority.clone());
        let (clock, entropy) = (platform.clock.clone(), platform.entropy.clone());
        let sweep = sweep(platform.objects.clone(), clock.clone(), stopping.clone());
        let webhooks = Arc::new(Deliveries::new(database, policy, clock, entropy, webhooks));
        let triggers = Triggers::new(platform.clone());
        let compactor = Compactor::new(&platform.database, platform.authority.clone());
        let sweeper = Sweeper::new(&platform);
        let listening = listen::start(listener, router, limits, stopping.clone());
        let listening = listening.map_err(|error| Failed::outside("starting to serve", error))?;
        let tasks = vec![
            tokio::spawn(predictor.clone().follow(platform.sources(), stopping.clone())),
            tokio::spawn(keeper.run(stopping.clone())),
            tokio::spawn(predictor.clone().maintain(registry, stopping.clone())),
            tokio::spawn(engine.run(stopping.clone())),
            tokio::spawn(triggers.run(stopping.clone())),
            tokio::spawn(compactor.run(stopping.clone())),
            tokio::spawn(sweeper.run(stopping.clone())),
            tokio::spawn(sweep),
            tokio::spawn(async move { signing.0.heads.run(signing.1).await }),
            tokio::spawn(webhooks.run(stopping)),
            tokio::spawn(listening),
        ];
        Ok(Self { address, platform, predictor, stop, tasks })
    }

    /// Waits until it answers for all endpoints that there are, or until a database that does not answer has been
    /// waited for long enough.
    pub(crate) async fn settled(&self) {
        drop(tokio::time::timeout(SETTLING, self.predictor.followed()).await);
    }

    /// Takes no more work and waits until what is under way has ended.
    pub(crate) async fn drain(&mut self) {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            // A task that panicked has said so already.
            drop(task.await);
        }
    }

    /// Commits what is queued and closes the database.
    pub(crate) async fn close(self) {
        self.platform.close().await;
    }
}
