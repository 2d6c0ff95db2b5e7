//! Tells webhooks of events, in order.
//!
//! One task per active webhook follows the log from the event that created it; a webhook that changes gets
//! another. The next event comes only when one is done with, and then the position is kept in the
//! database. So a restart loses nothing, and an event may come again, under the same id, if the server stops
//! between the answer and the keeping.
//!
//! Those in our own dialect are sent an event until they answer 2xx, with growing pauses: each arrives at least
//! once. Those in MLflow's are sent one four times at most, and only while it may be taken later.

mod mlflow;
mod native;
mod probe;
mod retry;
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
use mainstay_governance::webhook::{Subscription, Webhook, WebhookId, WebhookSecret, wants};
use mainstay_store::Database;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::probe::Prober;

use self::mlflow::{DeliveryId, Told};
use self::sender::{Answer, Message, NotDelivered, Sender};

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
    /// The pause after the first failure; it doubles with each further one. In MLflow's dialect there is none
    /// after the first, and about twice and four times this one after the others.
    pub first_pause: Duration,
    /// The longest pause, whatever a receiver asks for.
    pub longest_pause: Duration,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// Whether addresses that are not of the public internet may be called, and in MLflow's dialect without TLS.
    pub allow_private: bool,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(10),
            timeout: Duration::from_secs(30),
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

/// What delivers to a webhook, as it was then. The task ends when the webhook is gone, or another one.
struct Worker {
    webhook: Webhook,
    task: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
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

    /// Keeps one task per active webhook until `stop` turns true.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut workers: HashMap<WebhookId, Worker> = HashMap::new();
        let mut changes = self.database.writer.access_changes();
        loop {
            changes.mark_unchanged();
            match self.database.reader.webhooks().await {
                Ok(webhooks) => {
                    let active = webhooks.into_iter().filter(|(_, webhook)| webhook.definition.is_active);
                    let active: Vec<_> = active.collect();
                    workers.retain(|_, worker| active.iter().any(|(_, known)| *known == worker.webhook));
                    for (workspace, webhook) in active {
                        workers.entry(webhook.id).or_insert_with(|| {
                            let task = tokio::spawn(self.clone().follow(workspace, webhook.clone()));
                            Worker { webhook, task }
                        });
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
            Err(error) => return tracing::error!(webhook = %webhook.id, %error, "cannot be called"),
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
                let was_told = event.workspace == workspace && self.tell(&sender, &webhook, event).await;
                if was_told || position.0 - kept.0 >= KEEP_AFTER {
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

    /// Tells a webhook of an event and is done with it; `false` if the webhook does not want to hear of it.
    async fn tell(&self, sender: &Sender, webhook: &Webhook, event: &RecordedEvent) -> bool {
        match &webhook.definition.subscription {
            Subscription::Native { kinds, secret } => {
                let is_wanted = wants(kinds, &event.kind);
                if is_wanted {
                    let message = || native::message(webhook, secret, event, self.clock.now());
                    self.insist(sender, webhook, event.seq, message).await;
                }
                is_wanted
            }
            Subscription::Mlflow { events, secret } => {
                let wanted = mlflow::payload(event).filter(|told| events.contains(&told.event));
                let Some(told) = wanted else { return false };
                if let Err(error) = self.attempt(sender, webhook, secret.as_ref(), (event.seq, &told)).await {
                    let Webhook { id, definition, .. } = webhook;
                    let (name, seq) = (&definition.name, event.seq.0);
                    tracing::warn!(webhook = %id, %name, event = %told.event, seq, %error, "given up");
                }
                true
            }
        }
    }

    /// Sends an event until it is taken.
    async fn insist(
        &self,
        sender: &Sender,
        webhook: &Webhook,
        seq: EventSeq,
        message: impl Fn() -> Result<Message, NotDelivered> + Send + Sync,
    ) {
        for attempt in 0_u32.. {
            let sent = match message() {
                Ok(message) => sender.send(&message, 0).await.and_then(Answer::taken),
                Err(error) => Err(error),
            };
            let Err(error) = sent else { return };
            let pause = self.pause(attempt);
            let name = &webhook.definition.name;
            tracing::warn!(webhook = %name, seq = seq.0, attempt, ?pause, %error, "not delivered");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends an event in MLflow's dialect until it is taken or not worth trying.
    async fn attempt(
        &self,
        sender: &Sender,
        webhook: &Webhook,
        secret: Option<&WebhookSecret>,
        (seq, told): (EventSeq, &Told),
    ) -> Result<(), NotDelivered> {
        let delivery = (DeliveryId::of(webhook, seq), self.clock.now());
        let message = mlflow::message(webhook, secret, told, delivery, self.options.allow_private)?;
        let mut sends = 0;
        loop {
            let Err(error) = sender.send(&message, 0).await.and_then(Answer::taken) else { return Ok(()) };
            sends += 1;
            let [drawn, ..] = self.entropy.bytes16();
            match retry::pause(&error, sends, &self.options, drawn) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
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
