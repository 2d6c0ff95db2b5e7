//! Merges the blocks of metrics in the background, and sums them up for charts.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::{Authorizer, CommandError, Commands};
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventSeq};
use mainstay_core::failed::Failed;
use mainstay_core::principal::Principal;
use mainstay_store::Database;
use mainstay_tracking::series::command::{CompactError, CompactSeries};
use mainstay_tracking::series::compaction::Shape;
use mainstay_tracking::series::port::{Due, SeriesReader as _, SeriesTx};
use tokio::sync::watch;

/// Metrics of one read.
const CHUNK: usize = 64;
/// How long log calls gather before their blocks are looked at.
const GATHER: Duration = Duration::from_millis(250);
/// How long to wait before trying again when the database does not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// Merges what is due.
pub struct Compactor {
    database: Database,
    commands: Commands<dyn SeriesTx>,
    principal: Principal,
}

impl Compactor {
    /// Of all workspaces of a database.
    pub fn new(database: &Database, policy: Arc<dyn Authorizer>) -> Self {
        let commands = Commands::new(Arc::new(database.writer.clone()), policy);
        Self { database: database.clone(), commands, principal: Principal::system("compactor") }
    }

    /// Merges what is due whenever something was logged, until `stop` turns true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut log = self.database.head();
        let mut seen: Option<EventSeq> = None;
        loop {
            let moved = async { log.wait_for(|head| Some(*head) != seen).await.map(|head| *head) };
            let head = tokio::select! {
                head = moved => head,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            // An error says that the writer is gone, and nothing more will come.
            let Ok(head) = head else { return };
            seen = Some(head);
            let pause = match self.compact_due(&stop).await {
                Ok(()) => GATHER,
                Err(error) => {
                    tracing::warn!(%error, "blocks of metrics could not be merged");
                    seen = None;
                    PAUSE
                }
            };
            // An elapsed wait is as good as a stop.
            drop(tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await);
        }
    }

    /// Merges all that is due now.
    pub async fn compact_due(&self, stop: &watch::Receiver<bool>) -> Result<(), Failed> {
        let mut after = None;
        loop {
            let due = self.database.reader.due(after.take(), CHUNK).await?;
            let Some(last) = due.last() else { return Ok(()) };
            after = Some((last.run, last.key.clone()));
            for due in due {
                if *stop.borrow() {
                    return Ok(());
                }
                self.compact(due).await?;
            }
        }
    }

    /// Merges the blocks of one metric, a step at a time.
    async fn compact(&self, due: Due) -> Result<(), Failed> {
        loop {
            let compaction = match self.database.reader.compaction(&due, Shape::DEFAULT).await {
                Ok(compaction) => compaction,
                Err(StorageError::Corrupt(what)) => {
                    // Whoever reads the metric is told; others are not held up.
                    tracing::error!(run = %due.run, key = due.key, what, "blocks of a metric cannot be merged");
                    None
                }
                Err(error) => return Err(error.into()),
            };
            let is_last = compaction.as_ref().is_none_or(|compaction| compaction.is_last);
            let command = CompactSeries { due: due.clone(), compaction };
            match self.commands.run(&self.principal, command).await {
                Ok(()) if is_last => return Ok(()),
                Ok(()) | Err(CommandError::Refused(CompactError::Superseded(_))) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
