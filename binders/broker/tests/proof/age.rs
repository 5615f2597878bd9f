//! Messages that are older than their destination keeps, in random histories.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mq_broker::{
    Broker, BrokerOptions, DestinationOptions, Full, Subscribe, TimeSource,
    storage::sim::{Disk, Seeded, Time},
};
use mq_core::{binder::Cursor, error::ErrorKind, message::Message};

use crate::{
    histories::{Announce, number},
    world::{open, options, runtime},
};

const SECOND: Duration = Duration::from_secs(1);
const HISTORIES: u64 = 300;

/// A message of the model.
#[derive(Clone, Copy)]
struct Kept {
    /// When it was stored.
    at: Duration,
    is_settled: bool,
}

/// A broker with one destination, and what it should hold.
struct World {
    disk: Disk,
    time: Time,
    broker: Broker,
    options: DestinationOptions,
    kept: BTreeMap<(u32, u64), Kept>,
}

fn fixed(time: &Time) -> BrokerOptions {
    let mut options = options(&mut Seeded::new(0));
    options.time = Arc::new(time.clone());
    options
}

impl World {
    async fn new() -> Self {
        let (disk, time) = (Disk::new(), Time::default());
        let broker = open(&disk, &fixed(&time)).expect("empty");
        let mut options = DestinationOptions::default();
        options.partitions = 2;
        options.full = Full::Reject;
        broker.create("orders", &options).await.expect("created");
        let group = broker.create_group("orders", "billing").await;
        group.expect("created");
        Self {
            disk,
            time,
            broker,
            options,
            kept: BTreeMap::new(),
        }
    }

    /// Whether a message is not settled that is too old.
    fn is_overdue(&self) -> bool {
        self.options.full == Full::Reject
            && self
                .kept
                .values()
                .any(|one| !one.is_settled && self.is_old(one))
    }

    fn is_old(&self, one: &Kept) -> bool {
        let age = self.time.steady() - one.at;
        self.options.max_age.is_some_and(|most| age > most)
    }

    /// The broker has looked.
    async fn look(&mut self) {
        self.broker.checkpoint().expect("written");
        let drops = self.options.full == Full::DropOldest;
        let gone: Vec<_> = self
            .kept
            .iter()
            .filter(|(_, one)| self.is_old(one) && (drops || one.is_settled))
            .map(|(at, _)| *at)
            .collect();
        self.kept.retain(|at, _| !gone.contains(at));
        self.compare().await;
    }

    async fn compare(&self) {
        let mut cursor = Cursor::default();
        let seen = self.broker.browse("orders", &mut cursor, usize::MAX).await;
        let mut seen: Vec<_> = seen
            .expect("read")
            .iter()
            .map(|one| (one.partition, one.position))
            .collect();
        seen.sort_unstable();
        assert!(
            seen.iter().eq(self.kept.keys()),
            "{seen:?}, but {:?}",
            self.kept.keys()
        );
        let open = self.kept.values().filter(|one| !one.is_settled).count();
        let lag = self.broker.lag("orders", "billing").expect("there");
        assert_eq!(lag.messages, open as u64);
    }

    async fn publish(&mut self, partition: u32) {
        let message = Message::new("order").partition(partition);
        let stored = self.broker.publish("orders", &[message]).await.remove(0);
        if self.is_overdue() {
            let error = stored.expect_err("overdue");
            assert!(error.is_temporary() && error.kind() == ErrorKind::Full);
            assert!(error.message().contains("`max_age`"), "{error}");
            return;
        }
        let position = stored.expect("stored").position.expect("known");
        let one = Kept {
            at: self.time.steady(),
            is_settled: false,
        };
        self.kept.insert((partition, position), one);
    }

    /// A consumer settles some of what it gets.
    async fn settle(&mut self, max: usize) {
        let wanted = Subscribe::to("orders").group("billing");
        let mut billing = self.broker.subscribe(&wanted).await.expect("joined");
        if self.kept.values().all(|one| one.is_settled) {
            return;
        }
        for one in billing.receive(max).await.expect("messages") {
            one.ack().await.expect("settled");
            let kept = self.kept.get_mut(&(one.partition(), one.position()));
            kept.expect("kept").is_settled = true;
        }
    }

    async fn change(&mut self, chance: &mut Seeded) {
        let ages = [None, Some(10 * SECOND), Some(31 * SECOND)];
        self.options.max_age = *chance.pick(&ages);
        self.options.full = *chance.pick(&[Full::Reject, Full::Reject, Full::DropOldest]);
        let changed = self.broker.change("orders", &self.options).await;
        changed.expect("changed");
        let rest = self.broker.differences("orders", &self.options);
        assert!(rest.expect("there").is_empty());
    }

    /// The process ends, in an orderly way or not.
    async fn restart(&mut self, orderly: bool) {
        if orderly {
            self.broker.close().await.expect("closed");
        }
        let disk = self.disk.killed();
        self.broker = open(&disk, &fixed(&self.time)).expect("sound");
        self.disk = disk;
        let found = self.broker.destination("orders").expect("there");
        assert_eq!(found, self.options);
        self.compare().await;
    }
}

async fn history(seed: u64) {
    let _announce = Announce("MQ_AGE", seed);
    let (mut chance, mut world) = (Seeded::new(seed), World::new().await);
    for _ in 0..30 {
        match chance.below(12) {
            0..4 => world.publish(u32::from(chance.below(2) == 1)).await,
            4..6 => world.settle(1 + usize::from(chance.below(3) == 0)).await,
            6..9 => world.time.advance(7 * SECOND),
            9..11 => world.change(&mut chance).await,
            _ => world.restart(chance.below(2) == 0).await,
        }
        world.look().await;
    }
}

#[test]
fn what_is_too_old_goes_where_it_may_and_holds_up_publishers_where_it_may_not() {
    let seeds = match number("MQ_AGE") {
        Some(seed) => seed..seed + 1,
        None => 0..HISTORIES,
    };
    let runtime = runtime();
    seeds.for_each(|seed| runtime.block_on(history(seed)));
}
