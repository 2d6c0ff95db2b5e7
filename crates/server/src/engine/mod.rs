//! The durable engine at work: claims steps, performs them, keeps their leases, and concludes them.
//!
//! All truth is in the store: this code can die at any instruction. A step whose process dies with the
//! server is claimed again under a new token when its lease runs out, and whatever an earlier holder still
//! sends is refused.

#[cfg(test)]
mod away;
mod execution;
mod outputs;
mod surroundings;

pub use execution::step_main;
pub(crate) use surroundings::Reproductions;

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::time::MachineTime;
use mainstay_pipelines::circumstances::Hardware;
use mainstay_pipelines::commands::{Claim, ClaimStep, ExpireDue, TakeBack};
use mainstay_pipelines::port::PipelineReader as _;
use mainstay_runner::Spawner;
use tokio::sync::watch;
use tokio::task::JoinSet;

use mainstay_platform::Platform;
use mainstay_steps::Steps;

/// How the engine works.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// How many steps run side by side.
    pub parallel: usize,
    /// How long a step is held without a heartbeat: the longest wait after a crash.
    pub lease: Duration,
    /// How long running steps may go on once the server stops.
    pub drain: Duration,
    /// Where commands reach the server that this engine is a part of, if it is one.
    pub url: Option<String>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { parallel: 2, lease: Duration::from_secs(3), drain: Duration::from_secs(20), url: None }
    }
}

/// The engine of one process.
#[derive(Clone)]
pub struct Engine {
    platform: Arc<Platform>,
    spawner: Arc<Spawner>,
    steps: Steps,
    options: EngineOptions,
    worker: String,
    principal: Principal,
    hardware: Hardware,
    last_look: Arc<surroundings::LastLook>,
}

/// How often it looks for work in a store that other processes may share: what they do, nothing tells it.
const LOOK: Duration = Duration::from_millis(500);
/// After a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Wires an engine. Nothing happens until [`Engine::run`].
    pub fn new(platform: Arc<Platform>, spawner: Arc<Spawner>, steps: Steps, options: EngineOptions) -> Self {
        let worker = format!("engine-{}", std::process::id());
        let (principal, hardware) = (Principal::system("engine"), surroundings::hardware());
        let last_look = Arc::default();
        Self { platform, spawner, steps, options, worker, principal, hardware, last_look }
    }

    /// Works until `stop` turns true, then lets running steps end for a while.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        if let Err(error) = self.take_back().await {
            tracing::warn!(%error, "steps of a process that is gone are claimed when their leases run out");
        }
        let mut running = JoinSet::new();
        let mut moved = self.platform.database.writer.step_changes();
        while !*stop.borrow() {
            // Marked seen before looking, so that nothing that commits while we look is missed.
            moved.mark_unchanged();
            let wait = match self.start_ready(&mut running, &stop).await {
                Ok(next) => {
                    let due = next.map(|at| until(self.platform.clock.now(), at));
                    let look = (!self.platform.is_sole).then_some(LOOK);
                    due.into_iter().chain(look).min()
                }
                Err(error) => {
                    tracing::warn!(%error, "the engine could not look for work");
                    Some(PAUSE)
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                _ = moved.changed() => {}
                Some(_) = running.join_next(), if !running.is_empty() => {}
                () = sleep(wait) => {}
            }
        }
        let drained = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.options.drain, drained).await.is_err() {
            tracing::warn!("steps were still running; they will run again");
        }
    }

    /// Takes back what the process held that had the data directory before. A database of its own may be
    /// shared with other processes: there, leases run out.
    async fn take_back(&self) -> Result<(), crate::Failed> {
        if !self.platform.is_sole {
            return Ok(());
        }
        let (workspaces, _) = self.platform.database.reader.work(MachineTime::from_micros(i64::MAX)).await?;
        for workspace in workspaces {
            let command = TakeBack { workspace, limit: 1_000 };
            let taken = self.platform.pipelines.run(&self.principal, command).await?;
            tracing::info!(taken, "steps of a process that is gone run again");
        }
        Ok(())
    }

    /// Claims as many ready steps as there are free places. The earliest instant at which there will be
    /// more to do.
    async fn start_ready(
        &self,
        running: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Option<MachineTime>, crate::Failed> {
        let (busy, next) = self.platform.database.reader.work(self.platform.clock.now()).await?;
        for workspace in &busy {
            let expire = ExpireDue { workspace: workspace.clone(), limit: 100 };
            self.platform.pipelines.run(&self.principal, expire).await?;
            while running.len() < self.options.parallel {
                let Some(claim) = self.claim(workspace).await? else { break };
                let (engine, workspace, stop) = (self.clone(), workspace.clone(), stop.clone());
                running.spawn(async move { engine.work_on(workspace, claim, stop).await });
            }
        }
        Ok(next)
    }

    /// Performs a step, and then whatever the end of one has made ready, until there is nothing or `stop`
    /// turns true. The end of a step and the claim of the next are asked for together.
    async fn work_on(self, workspace: Name, claim: Claim, stop: watch::Receiver<bool>) {
        let mut next = Some(claim);
        while let Some(claim) = next {
            next = self.execute(&workspace, claim, &stop).await;
        }
    }

    async fn claim(&self, workspace: &Name) -> Result<Option<Claim>, crate::Failed> {
        let command = ClaimStep {
            workspace: workspace.clone(),
            worker: self.worker.clone(),
            lease: self.options.lease,
        };
        Ok(self.platform.pipelines.run(&self.principal, command).await?)
    }
}

/// For so long; for ever without a length.
async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

fn until(now: MachineTime, at: MachineTime) -> Duration {
    Duration::from_micros(u64::try_from(at.since(now)).unwrap_or(0))
}
