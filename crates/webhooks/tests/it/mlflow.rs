//! Webhooks in MLflow's dialect against a receiver.

use std::time::Duration;

use mainstay_core::entropy::SeededEntropy;
use mainstay_core::name::Name;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::{Clock as _, SECOND};
use mainstay_governance::command::{UpdateWebhook, WebhookChange};
use mainstay_governance::port::{PROBE_BODY, Probed, WebhookProbe as _};
use mainstay_governance::webhook::mlflow::{MlflowEvent, check_secret};
use mainstay_governance::webhook::{Definition, Subscription, Webhook, WebhookId};
use mainstay_registry::command::{CreateModel, SetModelTag};
use mainstay_registry::name::{ModelName, Tag};
use mainstay_registry::prompt::IS_PROMPT;
use mainstay_webhooks::{DeliveryOptions, Prober};
use serde_json::json;
use std::sync::Arc;

use crate::receiver::{Call, Receiver};
use crate::record::{Record, admin, noted, options};

const SECRET: &str = "of the receiver's own";

fn hook(url: &str, events: &[MlflowEvent]) -> Definition {
    let subscription =
        Subscription::Mlflow { events: events.to_vec(), secret: check_secret(SECRET.to_owned()).unwrap() };
    Definition {
        name: Name::new("chat").unwrap(),
        description: String::new(),
        url: url.to_owned(),
        is_active: true,
        subscription,
    }
}

async fn create_model(record: &Record, name: &str, tags: Vec<Tag>) {
    let (name, description) = (ModelName::new(name).unwrap(), "about".to_owned());
    let command = CreateModel { workspace: default_workspace(), name, description, tags };
    record.commands().run(&admin(), command).await.unwrap();
}

async fn change(record: &Record, webhook: &Webhook, change: WebhookChange) {
    let update = UpdateWebhook { workspace: default_workspace(), id: webhook.id, change };
    record.commands().run(&admin(), update).await.unwrap();
}

/// What the call was about, and how it was answered.
fn told(call: &Call) -> (String, u16) {
    (call.json()["data"]["name"].as_str().unwrap().to_owned(), call.answer)
}

fn expected(calls: &[(&str, u16)]) -> Vec<(String, u16)> {
    calls.iter().map(|(name, answer)| ((*name).to_owned(), *answer)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_signed_and_comes_again_as_it_was() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::default());
    receiver.answer([500, 500, 200]);
    let record = Record::open(data.path(), 1).await;
    let webhook = record.create(hook(&receiver.start().await, &[MlflowEvent::ModelCreated])).await;
    let stop = record.deliver(options());
    create_model(&record, "m", vec![Tag::new("k", "v").unwrap()]).await;
    assert_eq!(receiver.calls(3, told).await, expected(&[("m", 500), ("m", 500), ("m", 200)]));

    let seconds = (record.clock.now().micros() / SECOND).to_string();
    let Subscription::Mlflow { secret: Some(secret), .. } = &webhook.definition.subscription else {
        panic!()
    };
    let calls = receiver.calls(3, |call| {
        let id = call.header("x-mlflow-delivery-id").to_owned();
        assert_eq!(call.header("x-mlflow-timestamp"), seconds);
        let signature = secret.sign_for_mlflow(&id, &seconds, &call.body).unwrap();
        assert_eq!(call.header("x-mlflow-signature"), signature);
        assert_eq!(call.header("content-type"), "application/json");
        (id, call.body.clone())
    });
    let calls = calls.await;
    assert!(calls[0] == calls[1] && calls[1] == calls[2]);
    let body = receiver.calls(3, Call::json).await.remove(0);
    let data_sent = json!({"name": "m", "tags": {"k": "v"}, "description": "about"});
    assert_eq!(
        body,
        json!({
            "entity": "registered_model", "action": "created",
            "timestamp": "2023-11-14T22:13:20+00:00", "data": data_sent,
        })
    );
    stop.send_replace(true);
    record.database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_given_up_and_the_next_one_comes() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::default());
    receiver.answer([401, 503, 503, 503, 503, 200]);
    let record = Record::open(data.path(), 1).await;
    let webhook = record.create(hook(&receiver.start().await, &[MlflowEvent::ModelCreated])).await;
    let stop = record.deliver(options());
    for name in ["a", "b", "c"] {
        create_model(&record, name, Vec::new()).await;
    }
    let four = [("a", 401), ("b", 503), ("b", 503), ("b", 503), ("b", 503), ("c", 200)];
    assert_eq!(receiver.calls(6, told).await, expected(&four));
    noted(data.path(), &webhook, 4).await;
    stop.send_replace(true);
    record.database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_says_when_is_not_kept_waiting() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::default());
    receiver.answer([500, 429, 200]);
    let record = Record::open(data.path(), 1).await;
    record.create(hook(&receiver.start().await, &[MlflowEvent::ModelCreated])).await;
    // Our own pause after the second failure would be an hour.
    let pause = Duration::from_hours(1);
    let stop = record.deliver(DeliveryOptions { first_pause: pause, longest_pause: pause, ..options() });
    create_model(&record, "m", Vec::new()).await;
    assert_eq!(receiver.calls(3, told).await, expected(&[("m", 500), ("m", 429), ("m", 200)]));
    stop.send_replace(true);
    record.database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_takes_effect_at_once_and_tells_nothing_of_before() {
    let (data, old, new) = (tempfile::tempdir().unwrap(), Receiver::default(), Receiver::default());
    let record = Record::open(data.path(), 1).await;
    let webhook = record.create(hook(&old.start().await, &[MlflowEvent::ModelCreated])).await;
    let stop = record.deliver(options());
    create_model(&record, "to-the-old", Vec::new()).await;
    assert_eq!(old.calls(1, told).await.len(), 1);
    noted(data.path(), &webhook, 2).await;

    let url = Some(new.start().await);
    change(&record, &webhook, WebhookChange { url, ..WebhookChange::default() }).await;
    create_model(&record, "to-the-new", Vec::new()).await;
    assert_eq!(new.calls(1, told).await, expected(&[("to-the-new", 200)]));

    let silent = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
    change(&record, &webhook, silent.clone()).await;
    create_model(&record, "unheard", vec![Tag::new(IS_PROMPT, "true").unwrap()]).await;
    change(&record, &webhook, WebhookChange { is_active: Some(true), ..silent }).await;
    create_model(&record, "heard", Vec::new()).await;
    assert_eq!(new.calls(2, told).await, expected(&[("to-the-new", 200), ("heard", 200)]));

    // It wants other events now: the prompt that was created before is not told of.
    let events = Some(vec![MlflowEvent::PromptCreated, MlflowEvent::PromptTagSet]);
    change(&record, &webhook, WebhookChange { events, ..WebhookChange::default() }).await;
    let (name, tag) = (ModelName::new("unheard").unwrap(), Tag::new("k", "v").unwrap());
    let set = SetModelTag { workspace: default_workspace(), name, tag };
    record.commands().run(&admin(), set).await.unwrap();
    let calls = new.calls(3, |call| (call.json()["entity"].clone(), call.json()["data"].clone())).await;
    let tag = json!({"name": "unheard", "key": "k", "value": "v"});
    assert_eq!(calls[2..], [(json!("prompt_tag"), tag)]);
    assert_eq!(old.calls(1, told).await.len(), 1);
    stop.send_replace(true);
    record.database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_where_it_was() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::default());
    let url = receiver.start().await;
    let record = Record::open(data.path(), 1).await;
    let webhook = record.create(hook(&url, &[MlflowEvent::ModelCreated])).await;
    let stop = record.deliver(options());
    create_model(&record, "before", Vec::new()).await;
    noted(data.path(), &webhook, 2).await;
    stop.send_replace(true);
    record.database.close().await;
    drop(record);

    let record = Record::open(data.path(), 2).await;
    create_model(&record, "meanwhile", Vec::new()).await;
    let stop = record.deliver(options());
    assert_eq!(receiver.calls(2, told).await, expected(&[("before", 200), ("meanwhile", 200)]));
    stop.send_replace(true);
    record.database.close().await;
}

/// A webhook that the record need not know.
fn unrecorded(definition: Definition, record: &Record) -> Webhook {
    let now = record.clock.now();
    Webhook { id: WebhookId::from_bytes([9; 16]), definition, created: now, updated: now }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_tells_what_the_receiver_answered() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::default());
    receiver.answer([200, 404, 503]);
    let record = Record::open(data.path(), 1).await;
    let url = receiver.start().await;
    let silent = Definition { is_active: false, ..hook(&url, &[MlflowEvent::ModelCreated]) };
    let webhook = unrecorded(silent, &record);
    let prober = Prober::new(record.clock.clone(), Arc::new(SeededEntropy::new(1)), options());
    for status in [200, 404, 503] {
        let outcome = prober.probe(&webhook, MlflowEvent::PromptVersionTagSet).await;
        assert_eq!(outcome, Probed::Answered { status, body: "so".to_owned() });
    }
    let Subscription::Mlflow { secret: Some(secret), .. } = &webhook.definition.subscription else {
        panic!()
    };
    let calls = receiver.calls(3, |call| {
        let (id, time) = (call.header("x-mlflow-delivery-id"), call.header("x-mlflow-timestamp"));
        let signature = secret.sign_for_mlflow(id, time, &call.body).unwrap();
        assert_eq!(call.header("x-mlflow-signature"), signature);
        (id.to_owned(), call.json()["data"].clone())
    });
    let calls = calls.await;
    assert!(calls.len() == 3 && calls[0].0 != calls[1].0);
    let example = json!({
        "name": "example_prompt", "version": "1", "key": "example_key", "value": "example_value",
    });
    assert_eq!(calls[0].1, example);
    assert!(prober.allows_private() && PROBE_BODY >= 1 << 10);
    record.database.close().await;
}

#[tokio::test]
async fn a_probe_calls_nobody_that_deliveries_may_not() {
    let data = tempfile::tempdir().unwrap();
    let record = Record::open(data.path(), 1).await;
    let guarded = DeliveryOptions { allow_private: false, ..options() };
    let prober = Prober::new(record.clock.clone(), record.entropy.clone(), guarded);
    for (url, why) in [
        ("https://localhost:1/", "its address is not public, and --allow-private-webhooks was not given"),
        ("http://example.com/", "Invalid webhook URL scheme: 'http'. Allowed schemes are: https."),
    ] {
        let webhook = unrecorded(hook(url, &[MlflowEvent::ModelCreated]), &record);
        let outcome = prober.probe(&webhook, MlflowEvent::ModelCreated).await;
        assert_eq!(outcome, Probed::Unanswered(why.to_owned()));
    }
    record.database.close().await;
}
