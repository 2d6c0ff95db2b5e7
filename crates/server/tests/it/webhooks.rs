//! Webhooks against a receiver: in order, signed, again after a failure, and on after a restart.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::name::Name;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{MachineTime, SECOND};
use mainstay_governance::command::CreateWebhook;
use mainstay_governance::webhook::{Webhook, WebhookId, WebhookSecret};
use mainstay_server::authority::local_user;
use mainstay_server::platform::Platform;
use mainstay_server::webhooks::{Deliveries, DeliveryOptions};
use serde_json::Value;
use tokio::sync::watch;

use crate::program::Data;
use crate::record::{commands, grant, open};

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

/// Delivers until the sender is dropped or told.
fn deliver(platform: &Platform) -> watch::Sender<bool> {
    let (stop, stopping) = watch::channel(false);
    let deliveries = Deliveries::new(platform, options());
    tokio::spawn(Arc::new(deliveries).run(stopping));
    stop
}

async fn create(platform: &Platform, url: String) -> Webhook {
    let (id, secret) = (WebhookId::from_bytes([4; 16]), WebhookSecret::draw(&SeededEntropy::new(1)));
    let kinds = vec!["role.granted".to_owned()];
    let webhook = Webhook::new(id, Name::new("chat").unwrap(), url, kinds, secret).unwrap();
    let create = CreateWebhook { workspace: default_workspace(), webhook: webhook.clone() };
    commands(platform).run(&local_user(), create).await.unwrap();
    webhook
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
    let (data, receiver) = (Data::new(), Receiver::default());
    let url = receiver.start().await;
    *receiver.answers.lock().unwrap() =
        vec![StatusCode::OK, StatusCode::TEMPORARY_REDIRECT, StatusCode::INTERNAL_SERVER_ERROR];
    let platform = open(data.path()).await;
    grant(&commands(&platform), "too-early").await;
    let webhook = create(&platform, url).await;
    let stop = deliver(&platform);
    for person in ["ann", "bob"] {
        grant(&commands(&platform), person).await;
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
    platform.close().await;
    drop(platform);

    let platform = open(data.path()).await;
    grant(&commands(&platform), "meanwhile").await;
    let stop = deliver(&platform);
    let calls = receiver.calls(5).await;
    assert_eq!(calls[4..], [("user:meanwhile".to_owned(), 200)]);
    stop.send_replace(true);
    platform.close().await;
}
