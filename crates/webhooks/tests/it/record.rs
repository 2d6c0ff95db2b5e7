//! A database, and what a server would open around it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Commands, Journal, Unit};
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::{Scope, default_workspace};
use mainstay_core::time::{MachineTime, ManualClock, SECOND};
use mainstay_governance::command::{CreateWebhook, GrantRole};
use mainstay_governance::policy::{CedarPolicy, Mode};
use mainstay_governance::webhook::{Definition, Webhook, WebhookId};
use mainstay_store::reader::Reader;
use mainstay_store::writer::Writer;
use mainstay_store::{Database, Surroundings};
use mainstay_webhooks::{Deliveries, DeliveryOptions};
use tokio::sync::watch;

/// The policy that a server has, without a record of its refusals.
struct Policy(CedarPolicy);

impl Authorizer for Policy {
    fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool {
        self.0.allows(principal, action, scope)
    }

    fn refused(&self, principal: &Principal, action: Action, _: &Scope) {
        panic!("{} may not do {action}", principal.actor);
    }
}

pub(crate) struct Record {
    pub(crate) database: Database,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    policy: Arc<Policy>,
}

impl Record {
    /// Opens the database in a directory; ids are drawn by `seed`.
    pub(crate) async fn open(data: &Path, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_700_000_000 * SECOND)));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let surroundings =
            Surroundings { clock: clock.clone(), entropy: entropy.clone(), guard_events: true };
        let database = Database::open_sqlite(data, surroundings).await.unwrap();
        let policy = Arc::new(Policy(CedarPolicy::new(Mode::Local).unwrap()));
        Self { database, clock, entropy, policy }
    }

    /// Commands that write through a domain's port.
    pub(crate) fn commands<Tx: ?Sized + Journal + 'static>(&self) -> Commands<Tx>
    where
        Writer: Unit<Tx>,
    {
        Commands::new(Arc::new(self.database.writer.clone()), self.policy.clone())
    }

    /// Grants a role to a new person.
    pub(crate) async fn grant(&self, person: &str) {
        let actor = Actor::user(Name::new(person).unwrap());
        let grant = GrantRole { workspace: default_workspace(), actor, role: Role::Viewer };
        self.commands().run(&admin(), grant).await.unwrap();
    }

    pub(crate) async fn create(&self, definition: Definition) -> Webhook {
        let id = WebhookId::from_bytes([4; 16]);
        let create = CreateWebhook { workspace: default_workspace(), id, definition };
        self.commands().run(&admin(), create).await.unwrap()
    }

    /// Delivers until the sender is dropped or told.
    pub(crate) fn deliver(&self, options: DeliveryOptions) -> watch::Sender<bool> {
        let (stop, stopping) = watch::channel(false);
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let deliveries = Deliveries::new(self.database.clone(), self.policy.clone(), clock, entropy, options);
        tokio::spawn(Arc::new(deliveries).run(stopping));
        stop
    }
}

pub(crate) fn admin() -> Principal {
    Principal::new(Actor::local(), vec![Grant { workspace: None, role: Role::Admin }])
}

/// Calls to this machine are allowed, and pauses are short.
pub(crate) fn options() -> DeliveryOptions {
    let pause = Duration::from_millis(1);
    DeliveryOptions {
        first_pause: pause,
        longest_pause: pause,
        allow_private: true,
        ..DeliveryOptions::default()
    }
}

/// Waits until it is noted that a webhook was told of an event.
pub(crate) async fn noted(data: &Path, webhook: &Webhook, last: u64) {
    let reader = Reader::open_sqlite(data);
    for _ in 0..6_000 {
        if reader.webhook_cursor(webhook.id).await.unwrap().is_some_and(|seq| seq.0 >= last) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited a minute for the position {last}");
}
