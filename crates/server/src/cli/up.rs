//! `mainstay up`: the server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use mainstay_api::route::Rate;
use mainstay_api::{App, Authenticator};
use mainstay_governance::policy::Mode;
use mainstay_runner::{Spawner, SpawnerConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{DataArgs, environment};
use crate::Failed;
use crate::authority::{LocalUser, TokenBearer};
use crate::client::ServerFile;
use crate::engine::{Engine, EngineOptions};
use crate::platform::Platform;
use crate::serve::{HttpLimits, serve};
use crate::terminal::note;
use crate::watch::WatchKeeper;

#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    data: DataArgs,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Who is let in: 'local' is whoever sits at this machine, on loopback only; 'required' asks for a token.
    #[arg(long, value_enum, default_value = "local")]
    auth: Auth,
    /// How many requests a second one caller may make, in bursts of twice as many; 0 for any number.
    #[arg(long, env = "MAINSTAY_RATE_LIMIT", default_value_t = 10_000, value_name = "PER_SECOND")]
    rate_limit: u32,
    /// A further host name to answer to, besides localhost; may be repeated.
    #[arg(long = "allow-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
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
        if self.auth == Auth::Local && !self.listen.ip().is_loopback() {
            let message = format!(
                "{} is not loopback: with --auth local everybody there would be you; use --auth required",
                self.listen
            );
            return Err(Failed::Usage(message));
        }
        let spawner = Arc::new(Spawner::start(SpawnerConfig::this_binary(["__spawner"])?)?);
        let platform = Arc::new(
            Platform::open(&self.data.data, self.data.db.as_deref(), environment(self.auth.mode())).await?,
        );
        let listener = TcpListener::bind(self.listen).await;
        let listener =
            listener.map_err(|error| Failed::outside(format!("listening on {}", self.listen), error))?;
        let address = listener.local_addr().map_err(|error| Failed::outside("listening", error))?;
        let authenticator: Arc<dyn Authenticator> = match self.auth {
            Auth::Local => Arc::new(LocalUser { allowed_hosts: self.allowed_hosts }),
            Auth::Required => Arc::new(TokenBearer::new(&platform.database, platform.clock.clone())),
        };
        platform.create_default_experiment().await?;
        let rate = Rate { per_second: self.rate_limit, burst: self.rate_limit.saturating_mul(2) };
        let rate = (self.rate_limit > 0).then_some(rate);
        let app = App::new(authenticator, platform.authority.clone(), platform.clock.clone(), rate);
        let predictor = platform.open_predictor().await?;
        let router = crate::serve::router(&platform, &predictor, &app);

        let (stop, stopping) = watch::channel(false);
        let following = tokio::spawn(predictor.clone().follow(platform.sources(), stopping.clone()));
        let registry = Arc::new(platform.serving.clone());
        let keeper = WatchKeeper::new(platform.clone(), predictor.clone());
        let watching = tokio::spawn(keeper.run(stopping.clone()));
        let upkeep = tokio::spawn(predictor.clone().maintain(registry, stopping.clone()));
        let steps = crate::steps::all();
        let options = EngineOptions { url: Some(local_url(address)), ..EngineOptions::default() };
        let engine = Engine::new(platform.clone(), spawner, steps, options);
        let engine = tokio::spawn(engine.run(stopping.clone()));
        let signing = tokio::spawn({
            let (platform, stopping) = (platform.clone(), stopping.clone());
            async move { platform.heads.run(stopping).await }
        });
        let http = tokio::spawn(serve(listener, router, HttpLimits::default(), stopping));
        let here = ServerFile::write(platform.layout.root(), address);
        let here = here.map_err(|error| Failed::directory(platform.layout.root(), error))?;
        note(format!("Mainstay is at http://{address} · data in {}", platform.layout.root().display()));
        stop_signal().await?;
        note("draining; a second signal ends at once");
        drop(here);
        stop.send_replace(true);
        let drained = async { drop(tokio::join!(engine, http, following, watching, upkeep, signing)) };
        tokio::select! {
            () = drained => {}
            again = stop_signal() => again?,
        }
        platform.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where processes on this machine reach what listens at `address`.
fn local_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// Waits for `SIGTERM` or `SIGINT`.
async fn stop_signal() -> Result<(), Failed> {
    let failed = |error| Failed::outside("waiting for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
