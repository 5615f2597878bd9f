//! What random histories have found once.

use std::time::{Duration, SystemTime};

use mq_broker::{
    Broker, BrokerOptions, DestinationOptions, Durability, Full, Subscribe, Subscription,
    storage::sim::{Disk, Seeded},
};
use mq_core::{binder::ReplayFrom, message::Message};

use crate::world::{open, options, runtime};

fn fixed() -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.auto_create = true;
    options
}

async fn publish(broker: &Broker, message: Message) {
    for result in broker.publish("orders", &[message]).await {
        result.expect("stored");
    }
}

async fn join(broker: &Broker) -> Subscription {
    let subscribe = Subscribe::to("orders").group("billing");
    broker.subscribe(&subscribe).await.expect("joined")
}

async fn create(broker: &Broker, change: impl FnOnce(&mut DestinationOptions)) {
    let mut options = DestinationOptions::default();
    change(&mut options);
    broker.create("orders", &options).await.expect("created");
}

/// Whether nothing comes, although there was time for it.
async fn is_quiet(subscription: &mut Subscription) -> bool {
    let wait = Duration::from_millis(20);
    tokio::time::timeout(wait, subscription.receive(1))
        .await
        .is_err()
}

#[test]
fn a_cancelled_message_takes_no_room() {
    runtime().block_on(async {
        let broker = open(&Disk::new(), &fixed()).expect("empty");
        create(&broker, |options| {
            options.max_messages = 1;
            options.full = Full::Reject;
        })
        .await;
        let _billing = join(&broker).await;
        for position in 0..3 {
            let due = SystemTime::now() + Duration::from_secs(3_600);
            publish(&broker, Message::new("later").deliver_at(due)).await;
            broker
                .cancel("orders", 0, position)
                .await
                .expect("cancelled");
        }
    });
}

#[test]
fn a_message_that_is_purged_or_dropped_while_it_is_out_does_not_hold_up_its_key() {
    runtime().block_on(async {
        for ends in ["ack", "release", "leave"] {
            let broker = open(&Disk::new(), &fixed()).expect("empty");
            let mut billing = join(&broker).await;
            publish(&broker, Message::new("first").key("key")).await;
            let first = billing.receive(1).await.expect("the first");
            broker.purge("orders").await.expect("purged");
            publish(&broker, Message::new("second").key("key")).await;
            assert!(is_quiet(&mut billing).await, "two of one key at a time");
            match ends {
                "ack" => first[0].ack().await.expect("acknowledged"),
                "release" => {
                    let released = first[0].release(Duration::from_secs(3_600), 1).await;
                    released.expect("given back");
                }
                _ => {
                    drop(billing);
                    billing = join(&broker).await;
                }
            }
            let second = billing.receive(1).await.expect("the second");
            assert_eq!(second[0].message().as_bytes(), b"second", "{ends}");
        }
    });
}

#[test]
fn a_delay_of_a_message_that_was_delayed_before_survives_a_restart() {
    runtime().block_on(async {
        let disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        let mut billing = join(&broker).await;
        let due = SystemTime::now() + Duration::from_millis(5);
        publish(&broker, Message::new("a").deliver_at(due)).await;
        let got = billing.receive(1).await.expect("when it is due");
        got[0]
            .release(Duration::from_secs(3_600), 1)
            .await
            .expect("given back");
        let broker = open(&disk.killed(), &fixed()).expect("sound");
        assert!(is_quiet(&mut join(&broker).await).await, "an hour early");
    });
}

#[test]
fn a_message_that_was_given_back_and_then_held_comes_again_after_a_restart() {
    runtime().block_on(async {
        let disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        let mut billing = join(&broker).await;
        publish(&broker, Message::new("a")).await;
        let got = billing.receive(1).await.expect("a message");
        got[0]
            .release(Duration::from_millis(1), 1)
            .await
            .expect("given back");
        let again = billing.receive(1).await.expect("the same");
        let due = SystemTime::now() + Duration::from_secs(60);
        again[0].hold(due, 2).await.expect("held");
        let broker = open(&disk.killed(), &fixed()).expect("sound");
        let got = join(&broker).await.receive(1).await.expect("the same");
        assert_eq!(got[0].attempts(), 2);
    });
}

#[test]
fn what_a_killed_process_had_not_synced_is_durable_once_it_was_read_again() {
    runtime().block_on(async {
        let disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        create(&broker, |options| options.durability = Durability::Os).await;
        publish(&broker, Message::new("a")).await;
        let killed = disk.killed();
        let broker = open(&killed, &fixed()).expect("sound");
        let read = broker.inspect();
        let broker = open(&killed.image(0), &fixed()).expect("sound");
        assert_eq!(broker.inspect(), read);
    });
}

#[test]
fn a_group_that_is_moved_past_what_is_out_is_the_same_after_a_restart() {
    runtime().block_on(async {
        let disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        let mut billing = join(&broker).await;
        publish(&broker, Message::new("a").key("key")).await;
        let got = billing.receive(1).await.expect("a message");
        broker
            .seek("orders", "billing", ReplayFrom::Latest)
            .await
            .expect("moved");
        assert_eq!(
            open(&disk.killed(), &fixed()).expect("sound").inspect(),
            broker.inspect()
        );
        publish(&broker, Message::new("b").key("key")).await;
        drop((got, billing));
        let got = join(&broker).await.receive(2).await.expect("the next");
        assert_eq!(got[0].message().as_bytes(), b"b");
    });
}

#[test]
fn snapshots_at_one_place_are_one_snapshot() {
    runtime().block_on(async {
        let disk = Disk::new();
        for _ in 0..4 {
            let broker = open(&disk, &fixed()).expect("sound");
            broker.checkpoint().expect("written");
            broker.checkpoint().expect("written");
            broker.close().await.expect("closed");
        }
        let snapshots = disk
            .names()
            .into_iter()
            .filter(|name| name.ends_with("snapshot"));
        assert_eq!(snapshots.count(), 2);
    });
}
