//! Signed heads of the log, and when they are signed.
//!
//! A head says how many events there are and what the root of their tree is. Kept elsewhere, it shows
//! later that nothing before it was changed: see `mainstay audit verify --head`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::Entropy;
use mainstay_core::event::{EventLog as _, EventSeq};
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::Clock;
use mainstay_directory::keys::signing_key;
use mainstay_governance::audit::{Head, SignedHead, SigningKey};
use mainstay_governance::command::KeepHead;
use mainstay_governance::port::AuditTx;
use mainstay_store::Database;
use tokio::sync::watch;

use mainstay_core::failed::Failed;

/// So many new events are signed at once.
const EVENTS: u64 = 1_000;
/// So long after a new event a head is signed, however few there are.
const EVERY: Duration = Duration::from_mins(10);
/// How long to wait after a head could not be kept.
const RETRY: Duration = Duration::from_secs(5);

/// Signs heads, and keeps them beside the log.
pub struct HeadKeeper {
    database: Database,
    commands: Commands<dyn AuditTx>,
    key: SigningKey,
    clock: Arc<dyn Clock>,
}

impl HeadKeeper {
    /// Opens the key in `keys`, or makes one.
    pub fn open(
        keys: &Path,
        entropy: &dyn Entropy,
        database: &Database,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Authorizer>,
    ) -> Result<Self, Failed> {
        let key = signing_key(keys, entropy)?;
        let commands = Commands::new(Arc::new(database.writer.clone()), policy);
        Ok(Self { database: database.clone(), commands, key, clock })
    }

    /// Signs the log as it stands, unless the newest head covers it already.
    pub async fn sign(&self) -> Result<SignedHead, Failed> {
        let newest = self.database.reader.signed_heads(1).await?.pop();
        let frontier = self.database.reader.frontier().await?;
        if let Some(newest) = newest
            && newest.head.size == frontier.size()
        {
            return Ok(newest);
        }
        let head = Head { size: frontier.size(), root: frontier.root(), time: self.clock.now() };
        let head = self.key.sign(head);
        let keep = KeepHead { workspace: default_workspace(), head: head.clone() };
        self.commands.run(&Principal::system("heads"), keep).await?;
        Ok(head)
    }

    /// Signs every thousand events, and ten minutes after one, until `stop` turns true.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut log = self.database.head();
        let mut signed = EventSeq(0);
        loop {
            let due = async {
                // An error says that the writer is gone, and nothing more will come.
                log.wait_for(|last| *last > signed).await.map_err(drop)?;
                let many = log.wait_for(|last| last.0 >= signed.0 + EVENTS);
                tokio::time::timeout(EVERY, many).await.map_or(Ok(()), |many| many.map(drop).map_err(drop))
            };
            tokio::select! {
                due = due => if due.is_err() { return },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            match self.sign().await {
                Ok(head) => signed = EventSeq(head.head.size),
                Err(error) => {
                    tracing::warn!(%error, "a head could not be kept");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}
