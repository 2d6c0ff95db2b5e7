//! `mainstay demo`: a replay of recorded data through a server of its own, or one that runs already.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mainstay_api::App;
use mainstay_governance::policy::Mode;
use mainstay_replay::{Replay, Server, Wishes};
use mainstay_runner::{Spawner, SpawnerConfig};
use mainstay_webhooks::DeliveryOptions;

use super::audit::Audit;
use super::{DataArgs, environment};
use crate::Failed;
use crate::running::Running;
use crate::terminal::{note, say};
use mainstay_platform::Platform;
use mainstay_platform::authority::LocalUser;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The folder with the replay.yaml.
    #[arg(default_value = "demo/flights")]
    folder: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// A server on this machine without endpoints, such as <http://127.0.0.1:5000>, instead of one of its
    /// own on the data directory; it is shown the token in `MAINSTAY_TOKEN`, and waited for where it goes
    /// away.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Deal the days in a random order, so that nothing drifts.
    #[arg(long)]
    shuffle_days: bool,
    /// What the order is drawn from.
    #[arg(long, default_value_t = 0, requires = "shuffle_days")]
    seed: u64,
    /// Only so many days; nothing is expected of them then.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
}

impl Demo {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let wishes = Wishes { shuffled: self.shuffle_days.then_some(self.seed), days: self.days };
        if let Some(url) = self.server {
            let server = Server::named(&url, mainstay_cli::token())?;
            let replay = Replay::load(&self.folder, wishes).await?;
            let is_good = replay.run(server, &|line| say(line)).await?;
            return Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        refuse_used(&self.data.data)?;
        let replay = Replay::load(&self.folder, wishes).await?;

        let spawner = Arc::new(Spawner::start(SpawnerConfig::this_binary(["__spawner"])?)?);
        let (data, db) = (self.data.data, self.data.db);
        let platform = Platform::open(&data, db.as_deref(), environment(Mode::Local)).await?;
        let authenticator = Arc::new(LocalUser { allowed_hosts: Vec::new() });
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let app = App::new(authenticator, platform.authority.clone(), platform.clock.clone(), None);
        let limits = crate::serve::limits();
        let mut running =
            Running::start(Arc::new(platform), spawner, app, listen, DeliveryOptions::default(), limits)
                .await?;
        let lived = replay.run(running.address.into(), &|line| say(line)).await;
        running.drain().await;
        running.close().await;
        let is_good = lived?;

        let verified = Box::pin(Audit::of(data.clone(), db).run(json)).await?;
        note(format!("look at it with: mainstay up --data {}", data.display()));
        Ok(if is_good { verified } else { ExitCode::FAILURE })
    }
}

/// A replay begins with nothing: among other data its versions and figures would be no one's.
fn refuse_used(data: &Path) -> Result<(), Failed> {
    if std::fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) {
        let data = data.display();
        return Err(Failed::Usage(format!("{data} is not empty; remove it, or name another with --data")));
    }
    Ok(())
}
