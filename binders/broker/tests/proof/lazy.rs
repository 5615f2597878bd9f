//! Starts that lay out nothing of a long backlog until it is asked for, and crashes at once, later, and after another start.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use mq_broker::{
    Broker, BrokerOptions, Delivered, GroupMode, Subscribe, Subscription,
    storage::sim::{Disk, Seeded},
};
use mq_core::message::Message;

use crate::world::{open, options, runtime};

/// Enough for blocks of the index that are sealed, and some near its end that are not.
const MESSAGES: u64 = 60_000;

fn fixed() -> BrokerOptions {
    let mut options = options(&mut Seeded::new(1));
    options.segment = 1 << 20;
    options.max_message = 64 << 10;
    options.auto_create = true;
    options.is_inspected = true;
    options.destinations.retain = 300;
    options
}

/// Most messages are alike; some have a key, some a time to wait for, some another length.
fn message(number: u64) -> Message {
    let message = Message::new(format!("{number:08}"));
    match number % 7_000 {
        0..100 => message.key(format!("{}", number % 5)),
        1_000..1_010 => message.deliver_at(SystemTime::now() + Duration::from_secs(3_600)),
        2_000..2_300 => Message::new(format!("{number:08}{}", "x".repeat((number % 90) as usize))),
        _ => message,
    }
}

fn number(one: &Delivered) -> u64 {
    let text = String::from_utf8_lossy(one.message().as_bytes()).into_owned();
    text[..8].parse().expect("a number")
}

async fn join(broker: &Broker, group: &str, mode: GroupMode) -> Subscription {
    let wanted = Subscribe::to("orders")
        .group(group)
        .mode(mode)
        .window(100_000);
    broker.subscribe(&wanted).await.expect("joined")
}

async fn publish(broker: &Broker, numbers: std::ops::Range<u64>) {
    let all: Vec<_> = numbers.map(message).collect();
    for some in all.chunks(777) {
        let results = broker.publish("orders", some).await;
        assert!(results.iter().all(Result::is_ok));
    }
}

/// Settles some of the messages at the beginning, and gives some back.
async fn settle(broker: &Broker, count: usize, settled: &mut BTreeSet<u64>) {
    let mut billing = join(broker, "billing", GroupMode::Key).await;
    let got = billing.receive(count).await.expect("messages");
    let (done, left): (Vec<_>, Vec<_>) = got.into_iter().partition(|one| number(one) % 100 != 3);
    billing.ack(&done).await.expect("settled");
    settled.extend(done.iter().map(number));
    for one in left.iter().take(3) {
        one.release(Duration::ZERO, 1).await.expect("given back");
    }
}

/// The state after another start, with the newest snapshot and without any.
fn starts(disk: &Disk) -> [Vec<u8>; 2] {
    let with = disk.killed();
    let without = disk.killed();
    for name in without
        .names()
        .iter()
        .filter(|name| name.ends_with(".snapshot"))
    {
        without.take(name);
    }
    [with, without].map(|disk| {
        let broker = open(&disk, &fixed()).expect("started");
        broker.opened().expect("asked for").1
    })
}

#[test]
fn a_start_that_lays_out_nothing_says_what_one_says_that_reads_everything() {
    runtime().block_on(async {
        let disk = Disk::new();
        let mut settled = BTreeSet::new();
        let broker = open(&disk, &fixed()).expect("empty");
        broker
            .create_group("orders", "billing")
            .await
            .expect("made");
        publish(&broker, 0..MESSAGES).await;
        settle(&broker, 5_000, &mut settled).await;
        broker.checkpoint().expect("written");
        let live = broker.inspect().1;
        assert_eq!(starts(&disk), [live.clone(), live]);
        broker.close().await.expect("closed");
        // Again and again: a crash at once, and one after some of it was laid out.
        let mut disk = disk;
        for round in 0..4 {
            let broker = open(&disk, &fixed()).expect("started");
            let before = broker.inspect().1;
            assert_eq!(starts(&disk)[0], before, "a crash at once, round {round}");
            settle(&broker, 3_000, &mut settled).await;
            publish(&broker, MESSAGES + round * 10..MESSAGES + round * 10 + 10).await;
            if round == 1 {
                broker.checkpoint().expect("written");
            }
            let live = broker.inspect().1;
            let [with, without] = starts(&disk);
            assert!(
                with == live && without == live,
                "a crash later, round {round}"
            );
            if round == 2 {
                broker.close().await.expect("closed");
                continue;
            }
            let left = disk.killed();
            drop(broker);
            disk = left;
        }
        let broker = open(&disk, &fixed()).expect("started");
        let mut billing = join(&broker, "billing", GroupMode::Key).await;
        let mut seen = BTreeSet::new();
        let all: BTreeSet<u64> = (0..MESSAGES + 40).collect();
        let later = all
            .iter()
            .filter(|number| (1_000..1_010).contains(&(*number % 7_000)));
        let later: BTreeSet<u64> = later.copied().collect();
        while seen.len() + settled.len() + later.len() < all.len() {
            for one in billing.receive(5_000).await.expect("messages") {
                assert!(seen.insert(number(&one)), "twice");
                one.ack().await.expect("settled");
            }
        }
        assert!(seen.is_disjoint(&settled));
        let left: BTreeSet<u64> = all.difference(&seen).copied().collect();
        assert_eq!(left, &settled | &later);
    });
}
