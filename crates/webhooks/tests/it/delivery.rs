//! Webhooks in our own dialect against a receiver: in order, signed, again after a failure, and on after a
//! restart.

use mainstay_core::entropy::SeededEntropy;
use mainstay_core::name::Name;
use mainstay_core::time::{MachineTime, SECOND};
use mainstay_governance::webhook::{Definition, Subscription, WebhookSecret};

use crate::receiver::{Call, Receiver};
use crate::record::{Record, noted, options};

/// Who was granted a role, and how that was answered.
fn told(call: &Call) -> (String, u16) {
    (call.json()["body"]["actor"].as_str().unwrap().to_owned(), call.answer)
}

/// The time in the signature's header, for the receiver to compute it anew.
fn signed_at(header: &str) -> MachineTime {
    let seconds = header.strip_prefix("t=").unwrap().split(',').next().unwrap();
    MachineTime::from_micros(seconds.parse::<i64>().unwrap() * SECOND)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_arrive_in_order_signed_and_again_after_failures_and_a_restart() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::default());
    let url = receiver.start().await;
    receiver.answer([500, 307, 200]);
    let record = Record::open(data.path(), 1).await;
    record.grant("too-early").await;
    let (name, secret) = (Name::new("chat").unwrap(), WebhookSecret::draw(&SeededEntropy::new(1)));
    let definition = Definition::native(name, url, vec!["role.granted".to_owned()], secret).unwrap();
    let webhook = record.create(definition).await;
    let stop = record.deliver(options());
    for person in ["ann", "bob"] {
        record.grant(person).await;
    }
    let expected = [("user:ann", 500), ("user:ann", 307), ("user:ann", 200), ("user:bob", 200)];
    let expected: Vec<_> = expected.iter().map(|(who, answer)| ((*who).to_owned(), *answer)).collect();
    assert_eq!(receiver.calls(4, told).await, expected);
    let Subscription::Native { secret, .. } = &webhook.definition.subscription else { panic!() };
    let ids = receiver.calls(4, |call| {
        let header = call.header("mainstay-signature");
        assert_eq!(secret.sign(signed_at(header), &call.body).unwrap(), header);
        call.header("mainstay-delivery").to_owned()
    });
    let ids = ids.await;
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3]);
    // ann is event 3, bob event 4.
    noted(data.path(), &webhook, 4).await;
    stop.send_replace(true);
    record.database.close().await;
    drop(record);

    let record = Record::open(data.path(), 2).await;
    record.grant("meanwhile").await;
    let stop = record.deliver(options());
    let calls = receiver.calls(5, told).await;
    assert_eq!(calls[4..], [("user:meanwhile".to_owned(), 200)]);
    stop.send_replace(true);
    record.database.close().await;
}
