//! Clocks that are set forward and back, while the broker runs and while it does not.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use mq_broker::{
    Broker, BrokerOptions, Subscribe, Subscription, TimeSource,
    storage::sim::{Disk, Seeded, Time},
};
use mq_core::{binder::ReplayFrom, message::Message};

use crate::world::{open, options, runtime};

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

fn fixed(time: &Time) -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.auto_create = true;
    options.time = Arc::new(time.clone());
    options
}

async fn later(broker: &Broker, time: &Time, delay: Duration) {
    let message = Message::new("later").deliver_at(time.wall() + delay);
    let stored = broker.publish("orders", &[message]).await;
    assert!(stored[0].is_ok(), "{stored:?}");
}

async fn join(broker: &Broker) -> Subscription {
    let subscribe = Subscribe::to("orders").group("billing");
    broker.subscribe(&subscribe).await.expect("joined")
}

/// Whether a message comes now; one that is expected is waited for.
async fn comes(subscription: &mut Subscription, expected: bool) -> bool {
    let wait = if expected {
        20 * SECOND
    } else {
        Duration::from_millis(5)
    };
    let got = tokio::time::timeout(wait, subscription.receive(1)).await;
    got.is_ok_and(|got| !got.expect("a message").is_empty())
}

/// The ways in which somebody may set a clock.
fn jumps() -> [fn(SystemTime) -> SystemTime; 4] {
    [
        |wall| wall + HOUR,
        |wall| wall - HOUR,
        |wall| wall + 1_000 * HOUR,
        |_| SystemTime::UNIX_EPOCH,
    ]
}

#[test]
fn a_delayed_message_comes_after_its_delay_however_the_clock_is_set() {
    runtime().block_on(async {
        for jump in jumps() {
            let time = Time::default();
            let broker = open(&Disk::new(), &fixed(&time)).expect("empty");
            let mut billing = join(&broker).await;
            later(&broker, &time, 10 * SECOND).await;
            time.set(jump(time.wall()));
            time.advance(9 * SECOND);
            assert!(!comes(&mut billing, false).await, "early");
            // One that is published now goes by the clock as it is now.
            later(&broker, &time, 10 * SECOND).await;
            time.advance(SECOND);
            assert!(comes(&mut billing, true).await, "late");
            assert!(!comes(&mut billing, false).await, "early");
            time.advance(9 * SECOND);
            assert!(comes(&mut billing, true).await, "late");
        }
    });
}

#[test]
fn delays_of_retries_and_leases_do_not_go_by_the_clock_that_is_set() {
    runtime().block_on(async {
        for jump in jumps() {
            let time = Time::default();
            let broker = open(&Disk::new(), &fixed(&time)).expect("empty");
            let subscribe = Subscribe::to("orders").group("billing").lease(10 * SECOND);
            let mut billing = broker.subscribe(&subscribe).await.expect("joined");
            later(&broker, &time, Duration::ZERO).await;
            let got = billing.receive(1).await.expect("a message").remove(0);
            got.release(10 * SECOND, 1).await.expect("given back");
            time.set(jump(time.wall()));
            time.advance(9 * SECOND);
            assert!(!comes(&mut billing, false).await, "a retry is early");
            time.advance(SECOND);
            assert!(comes(&mut billing, true).await, "a retry is late");
            time.set(jump(time.wall()));
            time.advance(9 * SECOND);
            assert!(!comes(&mut billing, false).await, "a lease has ended early");
            time.advance(SECOND);
            assert!(comes(&mut billing, true).await, "a lease does not end");
        }
    });
}

#[test]
fn a_clock_that_was_set_before_a_restart_makes_nothing_early() {
    runtime().block_on(async {
        for jump in jumps() {
            for writes in [true, false] {
                let (time, disk) = (Time::default(), Disk::new());
                let broker = open(&disk, &fixed(&time)).expect("empty");
                drop(join(&broker).await);
                later(&broker, &time, 10 * SECOND).await;
                let (before, back) = (time.wall(), jump(time.wall()) < time.wall());
                time.set(jump(before));
                time.advance(2 * SECOND);
                if writes {
                    // The broker has noticed.
                    later(&broker, &time, 2 * HOUR).await;
                } else if !back {
                    // Nobody can tell this from a broker that was away.
                    continue;
                }
                let left = disk.killed();
                drop(broker);
                time.restart();
                time.advance(SECOND);
                let broker = open(&left, &fixed(&time)).expect("sound");
                let mut billing = join(&broker).await;
                time.advance(6 * SECOND);
                assert!(!comes(&mut billing, false).await, "early");
                // What nobody has written down may make it later, by as much as went by.
                time.advance(if writes { SECOND } else { 4 * SECOND });
                assert!(comes(&mut billing, true).await, "late");
                assert!(!comes(&mut billing, false).await, "early");
            }
        }
    });
}

#[test]
fn the_time_between_two_processes_counts_unless_the_clock_went_back() {
    runtime().block_on(async {
        for back in [false, true] {
            let (time, disk) = (Time::default(), Disk::new());
            let broker = open(&disk, &fixed(&time)).expect("empty");
            drop(join(&broker).await);
            later(&broker, &time, 10 * SECOND).await;
            broker.close().await.expect("closed");
            time.advance(8 * SECOND);
            if back {
                time.set(time.wall() - HOUR);
            }
            let broker = open(&disk, &fixed(&time)).expect("sound");
            let mut billing = join(&broker).await;
            time.advance(SECOND);
            assert!(!comes(&mut billing, false).await, "early");
            time.advance(SECOND);
            assert_eq!(comes(&mut billing, !back).await, !back);
            time.advance(8 * SECOND);
            assert_eq!(comes(&mut billing, back).await, back);
            // New ones go by the clock as it is.
            later(&broker, &time, 10 * SECOND).await;
            time.advance(9 * SECOND);
            assert!(!comes(&mut billing, false).await, "early");
            time.advance(SECOND);
            assert!(comes(&mut billing, true).await, "late");
        }
    });
}

#[test]
fn replay_by_time_finds_what_was_published_since_by_the_clock_as_it_is() {
    runtime().block_on(async {
        for jump in jumps() {
            let time = Time::default();
            let broker = open(&Disk::new(), &fixed(&time)).expect("empty");
            let mut billing = join(&broker).await;
            later(&broker, &time, Duration::ZERO).await;
            time.advance(SECOND);
            time.set(jump(time.wall()));
            let since = time.wall();
            later(&broker, &time, Duration::ZERO).await;
            let got = billing.receive(2).await.expect("both");
            billing.ack(&got).await.expect("done");
            let from = ReplayFrom::Time(since);
            broker.seek("orders", "billing", from).await.expect("moved");
            assert_eq!(broker.lag("orders", "billing").expect("there").messages, 1);
        }
    });
}
