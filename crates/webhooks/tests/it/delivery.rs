//! Webhooks against a receiver: in order, signed, again after a failure, and on after a restart.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::{Scope, default_workspace};
use mainstay_core::time::{MachineTime, ManualClock, SECOND};
use mainstay_governance::command::{CreateWebhook, GrantRole};
use mainstay_governance::policy::{CedarPolicy, Mode};
use mainstay_governance::port::GovernanceTx;
use mainstay_governance::webhook::{Webhook, WebhookId, WebhookSecret};
use mainstay_store::{Database, Surroundings};
use mainstay_webhooks::{Deliveries, DeliveryOptions};
use serde_json::Value;
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

/// A database, and what a server would open around it.
struct Record {
    database: Database,
    clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
    policy: Arc<Policy>,
}

impl Record {
    /// Opens the database in a directory; ids are drawn by `seed`.
    async fn open(data: &Path, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::starting_at(MachineTime::from_micros(1_700_000_000 * SECOND)));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let surroundings =
            Surroundings { clock: clock.clone(), entropy: entropy.clone(), guard_events: true };
        let database = Database::open_sqlite(data, surroundings).await.unwrap();
        let policy = Arc::new(Policy(CedarPolicy::new(Mode::Local).unwrap()));
        Self { database, clock, entropy, policy }
    }

    fn commands(&self) -> Commands<dyn GovernanceTx> {
        Commands::new(Arc::new(self.database.writer.clone()), self.policy.clone())
    }

    /// Grants a role to a new person.
    async fn grant(&self, person: &str) {
        let actor = Actor::user(Name::new(person).unwrap());
        let grant = GrantRole { workspace: default_workspace(), actor, role: Role::Viewer };
        self.commands().run(&admin(), grant).await.unwrap();
    }

    async fn create(&self, url: String) -> Webhook {
        let (id, secret) = (WebhookId::from_bytes([4; 16]), WebhookSecret::draw(&SeededEntropy::new(1)));
        let kinds = vec!["role.granted".to_owned()];
        let webhook = Webhook::new(id, Name::new("chat").unwrap(), url, kinds, secret).unwrap();
        let create = CreateWebhook { workspace: default_workspace(), webhook: webhook.clone() };
        self.commands().run(&admin(), create).await.unwrap();
        webhook
    }

    /// Delivers until the sender is dropped or told.
    fn deliver(&self) -> watch::Sender<bool> {
        let (stop, stopping) = watch::channel(false);
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let deliveries =
            Deliveries::new(self.database.clone(), self.policy.clone(), clock, entropy, options());
        tokio::spawn(Arc::new(deliveries).run(stopping));
        stop
    }
}

fn admin() -> Principal {
    Principal::new(Actor::local(), vec![Grant { workspace: None, role: Role::Admin }])
}

/// One request as it came, and how it was answered.
struct Call {
    headers: HeaderMap,
    body: Bytes,
    answer: StatusCode,
}

/// Takes deliveries; the answers are used up one by one, and then it is 200.
#[derive(Clone, Default)]
struct Receiver {
    calls: Arc<Mutex<Vec<Call>>>,
    answers: Arc<Mutex<Vec<StatusCode>>>,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = receiver.answers.lock().unwrap().pop().unwrap_or(StatusCode::OK);
    receiver.calls.lock().unwrap().push(Call { headers, body, answer });
    if answer == StatusCode::TEMPORARY_REDIRECT {
        Redirect::temporary("/elsewhere").into_response()
    } else {
        answer.into_response()
    }
}

impl Receiver {
    /// Listens; gives the URL.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// Waits for so many calls; gives who was granted a role in each, and how it was answered.
    async fn calls(&self, count: usize) -> Vec<(String, u16)> {
        for _ in 0..6_000 {
            if self.calls.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let calls = self.calls.lock().unwrap();
        let told = |call: &Call| {
            let event: Value = serde_json::from_slice(&call.body).unwrap();
            (event["body"]["actor"].as_str().unwrap().to_owned(), call.answer.as_u16())
        };
        calls.iter().map(told).collect()
    }
}

fn options() -> DeliveryOptions {
    let pause = Duration::from_millis(1);
    DeliveryOptions {
        first_pause: pause,
        longest_pause: pause,
        allow_private: true,
        ..DeliveryOptions::default()
    }
}

/// The time in the signature's header, for the receiver to compute it anew.
fn signed_at(header: &str) -> MachineTime {
    let seconds = header.strip_prefix("t=").unwrap().split(',').next().unwrap();
    MachineTime::from_micros(seconds.parse::<i64>().unwrap() * SECOND)
}

/// Waits until the delivery of so many grants is noted.
async fn noted(data: &Path, webhook: &Webhook, last: u64) {
    let reader = mainstay_store::reader::Reader::open_sqlite(data);
    for _ in 0..6_000 {
        if reader.webhook_cursor(webhook.id).await.unwrap().is_some_and(|seq| seq.0 >= last) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited a minute for the position {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_arrive_in_order_signed_and_again_after_failures_and_a_restart() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::default());
    let url = receiver.start().await;
    *receiver.answers.lock().unwrap() =
        vec![StatusCode::OK, StatusCode::TEMPORARY_REDIRECT, StatusCode::INTERNAL_SERVER_ERROR];
    let record = Record::open(data.path(), 1).await;
    record.grant("too-early").await;
    let webhook = record.create(url).await;
    let stop = record.deliver();
    for person in ["ann", "bob"] {
        record.grant(person).await;
    }
    let expected = [("user:ann", 500), ("user:ann", 307), ("user:ann", 200), ("user:bob", 200)];
    let expected: Vec<_> = expected.iter().map(|(who, answer)| ((*who).to_owned(), *answer)).collect();
    assert_eq!(receiver.calls(4).await, expected);
    {
        let calls = receiver.calls.lock().unwrap();
        for call in calls.iter() {
            let header = call.headers["mainstay-signature"].to_str().unwrap();
            assert_eq!(webhook.secret.sign(signed_at(header), &call.body).unwrap(), header);
        }
        let ids: Vec<_> = calls.iter().map(|call| call.headers["mainstay-delivery"].clone()).collect();
        assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3]);
    }
    // ann is event 3, bob event 4.
    noted(data.path(), &webhook, 4).await;
    stop.send_replace(true);
    record.database.close().await;
    drop(record);

    let record = Record::open(data.path(), 2).await;
    record.grant("meanwhile").await;
    let stop = record.deliver();
    let calls = receiver.calls(5).await;
    assert_eq!(calls[4..], [("user:meanwhile".to_owned(), 200)]);
    stop.send_replace(true);
    record.database.close().await;
}
