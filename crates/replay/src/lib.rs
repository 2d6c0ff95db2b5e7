//! A replay: recorded data is lived through again, in data time, as the clients of a server would.
//!
//! A `replay.yaml` says what there is: a first pipeline, rows that are requests, when their labels become
//! known, what is started when, and what must have happened in the end. Everything goes over HTTP. A part
//! of a day is sent only when the server has settled: it has folded what it was sent, and nothing waits to
//! be decided. So what happens depends on the data, not on the speed of the machine.

mod client;
mod expectation;
mod ledger;
mod life;
mod plan;
mod rows;
mod score;
mod server;
mod settle;
mod shuffle;
mod table;
mod tell;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstay_core::failed::Failed;
use mainstay_core::time::DAY;
use mainstay_query::session::{SessionOptions, open};
use tempfile::TempDir;

use self::client::Client;
use self::expectation::Occasion;
use self::life::Life;
use self::plan::Plan;
use self::rows::Requests;
pub use self::server::Server;

/// Takes the lines of the story, one by one.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What is replayed, and how.
pub struct Replay {
    plan: Plan,
    root: PathBuf,
    requests: Requests,
    occasion: Occasion,
    /// Holds the shuffled tables.
    _shuffled: Option<TempDir>,
}

/// How a person wants it.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Deal the days in an order drawn from this seed.
    pub shuffled: Option<u64>,
    /// At most so many days.
    pub days: Option<u32>,
}

impl Replay {
    /// Reads the plan in `folder` and the rows that it names.
    pub async fn load(folder: &Path, wishes: Wishes) -> Result<Self, Failed> {
        let folder = std::fs::canonicalize(folder).map_err(|error| Failed::file(folder, error))?;
        let mut plan = Plan::load(&folder.join("replay.yaml"))?;
        if let Some(days) = wishes.days {
            plan.until = plan.until.min(plan.from.plus(i64::from(days) * DAY));
        }
        let scratch = tempfile::tempdir().map_err(|error| Failed::outside("a temporary directory", error))?;
        let session = open(&SessionOptions::spilling_to(scratch.path().join("spill")))?;
        let mut files: BTreeMap<String, PathBuf> =
            plan.tables.iter().map(|(name, file)| (name.clone(), folder.join(file))).collect();
        let mut root = folder.clone();
        if let Some(seed) = wishes.shuffled {
            plan.script.clear();
            root = scratch.path().join("shuffled");
            shuffle::deal(&session, &plan, &folder, &root, seed).await?;
            files = plan.tables.iter().map(|(name, file)| (name.clone(), root.join(file))).collect();
        }
        mainstay_query::files::register(&session, &files).await?;
        let requests = Requests::read(&session, &plan).await?;
        let occasion = match wishes {
            Wishes { days: Some(_), .. } => Occasion::Part,
            Wishes { shuffled: Some(_), .. } => Occasion::Shuffled,
            _ => Occasion::Whole,
        };
        Ok(Self { plan, root, requests, occasion, _shuffled: wishes.shuffled.map(|_| scratch) })
    }

    /// Lives through it with a server that has no endpoint yet; whether everything came as expected. While
    /// the server is away, it is waited for up to a minute, and what got lost is asked again.
    pub async fn run(self, server: Server, tell: Tell<'_>) -> Result<bool, Failed> {
        let client = Client::new(server);
        let mut life = Life::new(&self.plan, &self.requests, client, tell);
        life.begin(&self.root).await?;
        life.live().await?;
        Ok(life.conclude(self.occasion))
    }
}
