//! Messages that take their process down.

use std::time::Duration;

use mq_broker::{
    Broker, BrokerOptions, DestinationOptions, Subscribe, Subscription,
    storage::sim::{Disk, Seeded},
};
use mq_core::message::Message;

use crate::world::{open, options, runtime};

fn fixed() -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.auto_create = true;
    options
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

async fn publish(broker: &Broker, text: &'static str) {
    let stored = broker.publish("orders", &[Message::new(text)]).await;
    assert!(stored[0].is_ok(), "{stored:?}");
}

fn letters(broker: &Broker) -> u64 {
    let all = broker.destinations().into_iter();
    let letters = all.filter(|one| &*one.name == "orders.billing.dlq");
    letters.filter_map(|one| one.messages).sum()
}

#[test]
fn a_message_that_ends_every_process_becomes_a_dead_letter_once_and_the_next_one_is_served() {
    runtime().block_on(async {
        let mut disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        create(&broker, |options| options.max_crashes = 3).await;
        publish(&broker, "poison").await;
        let mut deaths = 0;
        let mut broker = Some(broker);
        while letters(broker.as_ref().expect("open")) == 0 {
            let mut billing = join(broker.as_ref().expect("open")).await;
            if deaths == 4 {
                publish(broker.as_ref().expect("open"), "good").await;
            }
            let got = billing.receive(1).await.expect("messages").remove(0);
            if got.message().as_bytes() == b"good" {
                got.ack().await.expect("done");
                break;
            }
            deaths += 1;
            assert!(deaths < 9, "it is handed out for ever");
            // The process ends here, and with it what it had not synced.
            disk = disk.killed();
            broker = Some(open(&disk, &fixed()).expect("sound"));
            if deaths == 2 {
                // A snapshot keeps the count.
                broker
                    .as_ref()
                    .expect("open")
                    .checkpoint()
                    .expect("written");
            }
        }
        // The first process did not know that there was anything to count.
        assert_eq!((deaths, letters(broker.as_ref().expect("open"))), (4, 1));
        let broker = open(&disk.killed(), &fixed()).expect("sound");
        assert_eq!(letters(&broker), 1);
        assert_eq!(broker.lag("orders", "billing").expect("there").messages, 0);
    });
}

#[test]
fn what_a_process_gives_back_or_has_when_it_is_stopped_is_not_counted() {
    runtime().block_on(async {
        let mut disk = Disk::new();
        let broker = open(&disk, &fixed()).expect("empty");
        create(&broker, |options| options.max_crashes = 2).await;
        publish(&broker, "slow").await;
        drop(broker);
        for round in 0..12 {
            // As a crash that had nothing to do with it.
            disk = disk.killed();
            let broker = open(&disk, &fixed()).expect("sound");
            let mut billing = join(&broker).await;
            let got = billing
                .receive(1)
                .await
                .expect("it is still served")
                .remove(0);
            if round % 2 == 0 {
                got.release(Duration::ZERO, 0).await.expect("given back");
                drop(billing);
                disk = disk.killed();
            }
            broker.close().await.expect("stopped");
        }
    });
}

#[test]
fn a_message_that_has_failed_too_often_does_not_come_again() {
    runtime().block_on(async {
        let broker = open(&Disk::new(), &fixed()).expect("empty");
        create(&broker, |options| options.max_attempts = 3).await;
        publish(&broker, "bad").await;
        let mut billing = join(&broker).await;
        for attempt in 1..=3 {
            assert_eq!(letters(&broker), 0);
            let got = billing.receive(1).await.expect("again").remove(0);
            got.release(Duration::ZERO, attempt)
                .await
                .expect("given back");
        }
        assert_eq!(letters(&broker), 1);
        assert_eq!(broker.lag("orders", "billing").expect("there").messages, 0);
    });
}
