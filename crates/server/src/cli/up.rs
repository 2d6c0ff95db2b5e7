//! `mainstay up`: the server.

use std::env::VarError;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use mainstay_api::route::Rate;
use mainstay_api::{App, Authenticator};
use mainstay_core::permission::Level;
use mainstay_directory::artifacts;
use mainstay_directory::server_file::ServerFile;
use mainstay_governance::policy::Mode;
use mainstay_runner::{Spawner, SpawnerConfig};
use mainstay_webhooks::DeliveryOptions;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::foreign;
use super::listen::Listen;
use super::{DataArgs, environment};
use crate::Failed;
use crate::running::Running;
use crate::terminal::note;
use mainstay_platform::authority::{Credentials, Directory, LocalUser};
use mainstay_platform::{Platform, checked_address};

#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    data: DataArgs,
    /// Where to listen: an address, or the name of a host, with a port.
    #[arg(long, default_value = "127.0.0.1:5000", value_name = "HOST:PORT")]
    listen: Listen,
    /// Where artifacts and models are kept, if not in the data directory, which remembers it: a directory, as
    /// a path or a file URL, or `s3://BUCKET/PREFIX`, with credentials from the environment (`AWS_ACCESS_KEY_ID`, …).
    #[arg(long, env = "MAINSTAY_ARTIFACTS", value_name = "URL", hide_env_values = true)]
    artifacts: Option<String>,
    /// Let MLflow's clients move large artifacts to and from the S3 store themselves, by URLs that this server signs;
    /// only where all of them can reach it.
    #[arg(long, env = "MAINSTAY_DIRECT_ARTIFACTS")]
    direct_artifacts: bool,
    /// Below which place new experiments keep their artifacts, if their creator names none: a directory, or a URI
    /// that clients reach themselves. By default they go through this server.
    #[arg(long, env = "MAINSTAY_DEFAULT_ARTIFACT_ROOT", value_name = "URI")]
    default_artifact_root: Option<String>,
    /// Who is let in: 'local' is whoever sits at this machine, on loopback only; 'required' asks for a token, or
    /// for a user's name and password.
    #[arg(long, value_enum, default_value = "local")]
    auth: Auth,
    /// What every user may do with each experiment and model of the default workspace, where nobody granted or
    /// denied more; nothing, if left out.
    #[arg(long, env = "MAINSTAY_DEFAULT_PERMISSION", value_name = "LEVEL")]
    #[arg(value_parser = ["NO_PERMISSIONS", "READ", "USE", "EDIT", "MANAGE"])]
    default_permission: Option<String>,
    /// Tell MLflow's clients of workspaces, and let them manage those.
    #[arg(long)]
    mlflow_workspaces: bool,
    /// How many requests a second one caller may make, in bursts of twice as many; 0 for any number.
    #[arg(long, env = "MAINSTAY_RATE_LIMIT", default_value_t = 10_000, value_name = "PER_SECOND")]
    rate_limit: u32,
    /// How many connections one address may have, and one /64 of IPv6; raise it for a proxy on another machine,
    /// which brings everybody's.
    #[arg(long, env = "MAINSTAY_CONNECTIONS_PER_ADDRESS", value_name = "COUNT")]
    connections_per_address: Option<usize>,
    /// A further host name to answer to, besides localhost; may be repeated.
    #[arg(long = "allow-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Let webhooks call addresses that are not of the public internet, this machine's among them.
    #[arg(long)]
    allow_private_webhooks: bool,
}

/// The passphrase of the gateway's secrets, as MLflow's server names it. Never an argument: those are seen by all.
pub(super) const GATEWAY_PASSPHRASE: &str = "MLFLOW_CRYPTO_KEK_PASSPHRASE";
/// Where MLflow's server passes requests of its deployments API on to.
const DEPLOYMENTS_TARGET: &str = "MLFLOW_DEPLOYMENTS_TARGET";

/// What stands in a variable of the environment, unless it is empty.
pub(super) fn environment_text(name: &str) -> Result<Option<String>, Failed> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failed::Usage(format!("{name} must be UTF-8"))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Auth {
    Local,
    Required,
}

impl Auth {
    const fn mode(self) -> Mode {
        match self {
            Self::Local => Mode::Local,
            Self::Required => Mode::Required,
        }
    }
}

impl Up {
    pub(super) async fn run(self) -> Result<ExitCode, Failed> {
        let listen = self.listen.resolve().await?;
        if self.auth == Auth::Local && !listen.ip().is_loopback() {
            let message = format!(
                "{listen} is not loopback: with --auth local everybody there would be you; use --auth required"
            );
            return Err(Failed::Usage(message));
        }
        // Before anything is made.
        checked_address(&self.data.data, self.data.db.as_deref()).await?;
        foreign::tell(&self.data.data);
        if let Some(url) = &self.artifacts {
            artifacts::keep_at(&self.data.data, url)?;
        }
        let spawner = Arc::new(Spawner::start(SpawnerConfig::this_binary(["__spawner"])?)?);
        let environment = environment(self.auth.mode());
        let mut platform = Platform::open(&self.data.data, self.data.db.as_deref(), environment).await?;
        let default_permission = self.default_permission.as_deref().and_then(Level::named);
        let offers_workspaces = self.mlflow_workspaces;
        platform.mlflow = mainstay_mlflow::Options {
            offers_workspaces,
            default_permission,
            has_deployments_target: environment_text(DEPLOYMENTS_TARGET)?.is_some(),
            direct_artifacts: self.direct_artifacts,
        };
        if let Some(passphrase) = environment_text(GATEWAY_PASSPHRASE)? {
            platform = platform.with_gateway_passphrase(passphrase);
        }
        let platform = Arc::new(match &self.default_artifact_root {
            Some(uri) => platform.with_artifact_root(uri).await?,
            None => platform,
        });
        let directory = Directory::new(&platform.database, platform.clock.clone(), default_permission);
        let authenticator: Arc<dyn Authenticator> = match self.auth {
            Auth::Local => Arc::new(LocalUser { allowed_hosts: self.allowed_hosts }),
            Auth::Required => {
                let (hashing, given) =
                    (platform.hashing.clone(), (platform.clock.clone(), &*platform.entropy));
                Arc::new(Credentials::new(&platform.database, directory.clone(), hashing, given))
            }
        };
        let rate = Rate { per_second: self.rate_limit, burst: self.rate_limit.saturating_mul(2) };
        let rate = (self.rate_limit > 0).then_some(rate);
        let mut app = App::new(authenticator, platform.authority.clone(), platform.clock.clone(), rate);
        app.workspaces = Some(Arc::new(directory));
        let webhooks =
            DeliveryOptions { allow_private: self.allow_private_webhooks, ..DeliveryOptions::default() };
        let mut limits = crate::serve::limits();
        if let Some(count) = self.connections_per_address {
            limits.from_one_address = count.max(1);
            limits.from_here = limits.from_here.max(count);
        }
        // Before it answers anybody, who may ask it to stop at once.
        let mut stop = StopSignals::catch()?;
        let mut running = Running::start(platform.clone(), spawner, app, listen, webhooks, limits).await?;
        running.settled().await;
        let address = running.address;
        let here = ServerFile::write(platform.layout.root(), address);
        let here = here.map_err(|error| Failed::file(platform.layout.root(), error))?;
        crate::mapped::give_back_start();
        note(format!("Mainstay is at http://{address} · data in {}", platform.layout.root().display()));
        stop.next().await;
        note("draining; a second signal ends at once");
        drop(here);
        tokio::select! {
            () = running.drain() => {}
            () = stop.next() => {}
        }
        running.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// The requests to stop, `SIGTERM` and `SIGINT`; caught as long as this is there.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn catch() -> Result<Self, Failed> {
        let failed = |error| Failed::outside("waiting for signals", error);
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
