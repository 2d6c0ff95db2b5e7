//! The API in this process, for as long as one command takes.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use http::{HeaderValue, Request, Response, header};
use mainstay_api::App;
use mainstay_cli::terminal::note;
use mainstay_cli::{Conversation, LONGEST_ANSWER, Local, Missing, Opened};
use mainstay_directory::layout::NoData;
use mainstay_directory::lock::InUse;
use mainstay_directory::server_file::ServerFile;
use mainstay_governance::policy::Mode;
use mainstay_runner::{Spawner, SpawnerConfig};
use mainstay_webhooks::DeliveryOptions;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::Failed;
use crate::cli::environment;
use crate::engine::{Engine, EngineOptions};
use mainstay_platform::Platform;
use mainstay_platform::authority::LocalUser;
use mainstay_platform::sweeper::Sweeper;

/// Data directories of this machine.
pub(crate) struct Directories;

#[async_trait]
impl Local for Directories {
    async fn open(&self, data: &Path, db: Option<&str>, missing: Missing) -> Result<Opened, Failed> {
        match Here::open(data, db, missing).await {
            Ok(here) => Ok(Opened::Here(Box::new(here))),
            Err(failed) if failed.is::<InUse>() => match ServerFile::wait_for(data).await {
                Some(url) => Ok(Opened::By(url)),
                None => Err(failed),
            },
            Err(other) => Err(other),
        }
    }
}

/// The data, open here, behind the table of routes.
struct Here {
    platform: Arc<Platform>,
    router: Router,
    engine: Option<Working>,
}

/// An engine that carries out runs, until it is told to stop.
struct Working {
    stop: watch::Sender<bool>,
    engine: JoinHandle<()>,
}

impl Here {
    /// Opens what is there; a command that only asks does not make a directory.
    async fn open(data: &Path, db: Option<&str>, missing: Missing) -> Result<Self, Failed> {
        if !data.join("lock").exists() {
            match missing {
                Missing::Refuse => return Err(NoData::at(data).into()),
                Missing::Make => note(format!("a new data directory: {}", data.display())),
            }
        }
        let platform = Platform::open(data, db, environment(Mode::Local)).await?;
        platform.create_default_experiment().await?;
        let authenticator = Arc::new(LocalUser { allowed_hosts: Vec::new() });
        let app = App::new(authenticator, platform.authority.clone(), platform.clock.clone(), None);
        let predictor = platform.open_predictor().await?;
        let router = crate::serve::router(&platform, &predictor, &app, &DeliveryOptions::default());
        Ok(Self { platform: Arc::new(platform), router, engine: None })
    }
}

#[async_trait]
impl Conversation for Here {
    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Failed> {
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
        let response = match self.router.clone().oneshot(request.map(Body::from)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, LONGEST_ANSWER).await;
        let body = body.map_err(|error| Failed::outside("reading the answer", error))?;
        Ok(Response::from_parts(head, body))
    }

    async fn carry_out(&mut self) -> Result<(), Failed> {
        let spawner = Arc::new(Spawner::start(SpawnerConfig::this_binary(["__spawner"])?)?);
        let (stop, stopping) = watch::channel(false);
        let (steps, options) = (mainstay_steps::all(), EngineOptions::default());
        let engine = Engine::new(self.platform.clone(), spawner, steps, options);
        self.engine = Some(Working { stop, engine: tokio::spawn(engine.run(stopping)) });
        Ok(())
    }

    async fn sweep(&self) -> Result<(), Failed> {
        // Nobody stops it: the person who waits may end the program, and whatever is left is removed the next time.
        let (_stop, never) = watch::channel(false);
        Sweeper::new(&self.platform).sweep(&never).await
    }

    async fn close(self: Box<Self>) {
        if let Some(Working { stop, engine }) = self.engine {
            stop.send_replace(true);
            // One that panicked has said so already.
            drop(engine.await);
        }
        Box::pin(self.platform.close()).await;
    }
}
