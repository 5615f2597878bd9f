//! Messages whose time is up.

use std::{sync::Arc, time::Duration};

use mq_broker::{
    Broker, BrokerOptions, DestinationOptions, Expired, GroupMode, Subscribe, Subscription,
    TimeSource,
    storage::sim::{Disk, Seeded, Time},
};
use mq_core::message::Message;

use crate::world::{open, options, runtime};

const SECOND: Duration = Duration::from_secs(1);

fn fixed(time: &Time) -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.auto_create = true;
    options.time = Arc::new(time.clone());
    options
}

async fn start(disk: &Disk, time: &Time, expired: Expired) -> Broker {
    let broker = open(disk, &fixed(time)).expect("sound");
    let mut options = DestinationOptions::default();
    options.expired = expired;
    broker.create("orders", &options).await.expect("created");
    broker
}

async fn publish(broker: &Broker, time: &Time, text: &'static str, lives: Duration) {
    let message = Message::new(text)
        .key("key")
        .expires_at(time.wall() + lives);
    let stored = broker.publish("orders", &[message]).await;
    assert!(stored[0].is_ok(), "{stored:?}");
}

async fn join(broker: &Broker, group: &str, mode: GroupMode) -> Subscription {
    let subscribe = Subscribe::to("orders").group(group).mode(mode);
    broker.subscribe(&subscribe).await.expect("joined")
}

async fn texts(subscription: &mut Subscription, wait: Duration) -> Vec<String> {
    let got = tokio::time::timeout(wait, subscription.receive(9)).await;
    let got = got.map_or_else(|_| Vec::new(), |got| got.expect("messages"));
    let texts = got.iter().map(|one| one.message().as_bytes().to_vec());
    texts
        .map(|text| String::from_utf8(text).expect("text"))
        .collect()
}

/// Waits until the broker has looked.
async fn settle(broker: &Broker, group: &str, lag: u64) {
    let waits = async {
        while broker.lag("orders", group).expect("there").messages != lag {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, waits)
        .await
        .expect("it is taken out");
}

#[test]
fn a_message_whose_time_is_up_goes_to_nobody_and_holds_nobody_up() {
    runtime().block_on(async {
        let modes = [
            GroupMode::Key,
            GroupMode::Queue,
            GroupMode::Exclusive,
            GroupMode::Log,
        ];
        for mode in modes {
            for expired in [Expired::Drop, Expired::DeadLetter] {
                let (disk, time) = (Disk::new(), Time::default());
                let broker = start(&disk, &time, expired).await;
                let mut billing = join(&broker, "billing", mode).await;
                publish(&broker, &time, "short", 10 * SECOND).await;
                publish(&broker, &time, "long", 100 * SECOND).await;
                // Somebody sets the clock: time to live does not go by it.
                time.set(time.wall() + 1_000 * SECOND);
                time.advance(10 * SECOND);
                // It is not handed out, whether or not the broker has looked by now.
                let got = texts(&mut billing, Duration::from_millis(5)).await;
                assert!(!got.contains(&"short".to_owned()), "{mode}: {got:?}");
                settle(&broker, "billing", 1).await;
                let mut got = got;
                if got.is_empty() {
                    got = texts(&mut billing, 20 * SECOND).await;
                }
                assert_eq!(got, ["long"], "{mode}");
                let letters = broker.destination("orders.billing.dlq");
                assert_eq!(letters.is_some(), expired == Expired::DeadLetter, "{mode}");
                let broker = open(&disk.killed(), &fixed(&time)).expect("sound");
                assert_eq!(broker.lag("orders", "billing").expect("there").messages, 1);
            }
        }
    });
}

#[test]
fn a_group_that_has_settled_a_message_gets_no_dead_letter_of_it() {
    runtime().block_on(async {
        let (disk, time) = (Disk::new(), Time::default());
        let broker = start(&disk, &time, Expired::DeadLetter).await;
        let mut billing = join(&broker, "billing", GroupMode::Key).await;
        drop(join(&broker, "audit", GroupMode::Key).await);
        publish(&broker, &time, "short", 10 * SECOND).await;
        let got = billing.receive(1).await.expect("a message");
        got[0].ack().await.expect("done");
        time.advance(10 * SECOND);
        settle(&broker, "audit", 0).await;
        assert!(broker.destination("orders.billing.dlq").is_none());
        let wanted = Subscribe::to("orders.audit.dlq").group("on-call");
        let mut letters = broker.subscribe(&wanted).await.expect("joined");
        let letter = letters.receive(1).await.expect("a letter").remove(0);
        let reason = letter.message().as_headers().text("mq-error-reason");
        assert_eq!(reason, Some("its time is up"));
    });
}

#[test]
fn by_default_a_message_is_handed_out_with_its_time() {
    runtime().block_on(async {
        let (disk, time) = (Disk::new(), Time::default());
        let broker = start(&disk, &time, Expired::HandOut).await;
        let mut billing = join(&broker, "billing", GroupMode::Key).await;
        publish(&broker, &time, "short", SECOND).await;
        time.advance(2 * SECOND);
        assert_eq!(texts(&mut billing, 20 * SECOND).await, ["short"]);
    });
}
