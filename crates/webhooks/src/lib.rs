//! Tells webhooks of events, in order, until they are taken.
//!
//! One task per webhook follows the log from the event that created it. An event is sent until the
//! receiver answers 2xx, with growing pauses; only then comes the next one, and the position is kept in
//! the database. So each event arrives at least once: again, under the same id, if the server stops
//! between the answer and the keeping.

mod address;
mod sender;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::Entropy;
use mainstay_core::error::StorageError;
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq, RecordedEvent};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::{ResourceKind, Subject};
use mainstay_core::time::Clock;
use mainstay_governance::command::KeepCursor;
use mainstay_governance::port::{DeliveryTx, GovernanceReader as _};
use mainstay_governance::webhook::{Webhook, WebhookId};
use mainstay_store::Database;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::sender::Sender;

/// Events read at once.
const PAGE: usize = 500;
/// So many events are passed over before the position is kept without a delivery.
const KEEP_AFTER: u64 = 5_000;
/// How long to wait after the database did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// How long events gather before they are read.
const GATHER: Duration = Duration::from_millis(100);
/// How often to look for what other processes have written.
const LOOK: Duration = Duration::from_secs(5);

/// How webhooks are called.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// Whether addresses that are not of the public internet may be called.
    pub allow_private: bool,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(10),
            timeout: Duration::from_secs(10),
            allow_private: false,
        }
    }
}

/// Follows the log on behalf of all webhooks.
pub struct Deliveries {
    database: Database,
    commands: Commands<dyn DeliveryTx>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    options: DeliveryOptions,
}

/// Ends the task when its webhook is gone.
struct Worker(JoinHandle<()>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Deliveries {
    /// Calls nobody yet. The policy judges what keeps the positions; `clock` gives the time that is signed,
    /// `entropy` how long to pause.
    pub fn new(
        database: Database,
        policy: Arc<dyn Authorizer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: DeliveryOptions,
    ) -> Self {
        let commands = Commands::new(Arc::new(database.writer.clone()), policy);
        Self { database, commands, clock, entropy, options }
    }

    /// Keeps one task per webhook until `stop` turns true.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut workers: HashMap<WebhookId, Worker> = HashMap::new();
        let mut changes = self.database.writer.access_changes();
        loop {
            changes.mark_unchanged();
            match self.database.reader.webhooks().await {
                Ok(webhooks) => {
                    workers.retain(|id, _| webhooks.iter().any(|(_, webhook)| webhook.id == *id));
                    for (workspace, webhook) in webhooks {
                        workers
                            .entry(webhook.id)
                            .or_insert_with(|| Worker(tokio::spawn(self.clone().follow(workspace, webhook))));
                    }
                }
                Err(error) => tracing::warn!(%error, "webhooks"),
            }
            tokio::select! {
                _ = tokio::time::timeout(LOOK, changes.changed()) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Delivers to one webhook, for ever.
    async fn follow(self: Arc<Self>, workspace: Name, webhook: Webhook) {
        let sender = match Sender::new(&self.options, self.clock.clone()) {
            Ok(sender) => sender,
            Err(error) => return tracing::error!(webhook = %webhook.name, %error, "cannot be called"),
        };
        let mut head = self.database.head();
        let mut kept = loop {
            match self.start(webhook.id).await {
                Ok(position) => break position,
                Err(error) => pause_after(&error).await,
            }
        };
        let mut position = kept;
        loop {
            let events = match self.database.read(&EventQuery::after(position, PAGE)).await {
                Ok(events) => events,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            };
            for event in &events {
                position = event.seq;
                let wanted = event.workspace == workspace && webhook.wants(&event.kind);
                if wanted {
                    self.deliver(&sender, &webhook, event).await;
                }
                if wanted || position.0 - kept.0 >= KEEP_AFTER {
                    self.keep(&workspace, webhook.id, position).await;
                    kept = position;
                }
            }
            if events.len() < PAGE {
                // What another process writes does not move our head, so we look from time to time.
                let moved = tokio::time::timeout(LOOK, head.wait_for(|last| *last > position)).await;
                // An error says that the writer is gone. What is lent must not be held while waiting.
                if moved.is_ok_and(|moved| moved.is_err()) {
                    return;
                }
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    /// After which event to go on: the one delivered last, or the webhook's creation.
    async fn start(&self, id: WebhookId) -> Result<EventSeq, StorageError> {
        if let Some(kept) = self.database.reader.webhook_cursor(id).await? {
            return Ok(kept);
        }
        let about = EventQuery::after(EventSeq(0), 1).about(Subject::new(ResourceKind::Webhook, id));
        let created = self.database.read(&about).await?;
        Ok(created.first().map_or(EventSeq(0), |event| event.seq))
    }

    /// Sends an event until it is taken.
    async fn deliver(&self, sender: &Sender, webhook: &Webhook, event: &RecordedEvent) {
        for attempt in 0_u32.. {
            let Err(error) = sender.send(webhook, event).await else { return };
            let pause = self.pause(attempt);
            tracing::warn!(webhook = %webhook.name, seq = event.seq.0, attempt, ?pause, %error, "not delivered");
            tokio::time::sleep(pause).await;
        }
    }

    /// Doubles with each attempt; half of it is drawn, so that receivers are not met by all at once.
    fn pause(&self, attempt: u32) -> Duration {
        let doubled = self.options.first_pause.saturating_mul(1 << attempt.min(20));
        let [drawn, ..] = self.entropy.bytes16();
        doubled.min(self.options.longest_pause).mul_f64(0.5 + f64::from(drawn) / 512.0)
    }

    async fn keep(&self, workspace: &Name, webhook: WebhookId, position: EventSeq) {
        loop {
            let keep = KeepCursor { workspace: workspace.clone(), webhook, position };
            match self.commands.run(&Principal::system("webhooks"), keep).await {
                Ok(()) => return,
                Err(error) => pause_after(&error).await,
            }
        }
    }
}

async fn pause_after(error: &(dyn std::error::Error + Sync)) {
    tracing::warn!(%error, "webhooks wait for the database");
    tokio::time::sleep(RETRY).await;
}
