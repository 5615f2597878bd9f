//! Everything at once, in random order from fixed seeds.

use std::{collections::BTreeMap, time::Duration};

use mq_core::binder::{Action, Record};
use mq_memory::{Limit, MemoryBinder};
use tokio::time::advance;

use crate::kit::{
    Reader, all_lost, clock, dead_letter, kept, keyed, lag, publish, release, release_after, text,
    texts,
};

/// A small generator (an LCG with the constants of MMIX), so that a run can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct Run {
    binder: MemoryBinder,
    dice: Dice,
    readers: Vec<(Reader, Vec<Record>)>,
    published: u32,
    /// What was acknowledged, by key, in order.
    done: BTreeMap<String, Vec<u32>>,
    dead: usize,
}

impl Run {
    async fn new(seed: u64) -> Self {
        let builder = MemoryBinder::builder()
            .partitions(3)
            .retain(20)
            .clock(clock());
        let binder = builder.limit(Limit::new(100_000, 1 << 30)).build().unwrap();
        let readers = vec![(Reader::of(&binder, "orders", "billing").await, Vec::new())];
        Self {
            binder,
            dice: Dice(seed),
            readers,
            published: 0,
            done: BTreeMap::new(),
            dead: 0,
        }
    }

    async fn step(&mut self) {
        match self.dice.throw(10) {
            0..3 => self.publish().await,
            3..5 => self.receive().await,
            5..8 => self.settle().await,
            8 => advance(Duration::from_secs(self.dice.throw(20))).await,
            _ => self.come_or_go().await,
        }
    }

    async fn publish(&mut self) {
        let mut messages = Vec::new();
        for _ in 0..self.dice.throw(6) {
            let number = self.published.to_string();
            messages.push(match self.dice.throw(8) {
                7 => text(number),
                key => keyed(&format!("k{key}"), &number),
            });
            self.published += 1;
        }
        publish(&self.binder, "orders", &messages).await;
    }

    async fn receive(&mut self) {
        let place = self.dice.throw(self.readers.len() as u64) as usize;
        let (reader, held) = &mut self.readers[place];
        held.extend(reader.now().await);
    }

    async fn settle(&mut self) {
        let place = self.dice.throw(self.readers.len() as u64) as usize;
        let (reader, held) = &mut self.readers[place];
        if held.is_empty() {
            return;
        }
        let record = held.remove(self.dice.throw(held.len() as u64) as usize);
        let wait = Duration::from_secs(self.dice.throw(30));
        let action = match self.dice.throw(12) {
            0 => release(1),
            1 => release_after(wait, 1),
            2 => dead_letter("broken"),
            _ => Action::Ack,
        };
        assert!(reader.settle(&record, action.clone()).await.is_empty());
        match action {
            Action::Ack => self.note(&record),
            Action::DeadLetter { .. } => self.dead += 1,
            _ => assert!(all_lost(&reader.settle(&record, Action::Ack).await)),
        }
    }

    fn note(&mut self, record: &Record) {
        let key = record.message.as_key();
        let key = key.map(|key| String::from_utf8_lossy(key).into_owned());
        let number = texts(std::slice::from_ref(record))[0].parse().unwrap();
        self.done
            .entry(key.unwrap_or_default())
            .or_default()
            .push(number);
    }

    async fn come_or_go(&mut self) {
        if self.readers.len() < 3 {
            let reader = Reader::of(&self.binder, "orders", "billing").await;
            self.readers.push((reader, Vec::new()));
        } else {
            let place = self.dice.throw(3) as usize;
            drop(self.readers.remove(place));
        }
    }

    /// Acknowledges everything that is left.
    async fn finish(&mut self) {
        self.readers.truncate(1);
        while lag(&self.binder, "orders", "billing").await > 0 {
            let (reader, held) = &mut self.readers[0];
            held.extend(reader.now().await);
            reader.ack(held).await;
            for record in std::mem::take(held) {
                self.note(&record);
            }
            advance(Duration::from_secs(5)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_doubled_and_keys_keep_their_order() {
    for seed in 0..60 {
        let mut run = Run::new(seed).await;
        for _ in 0..400 {
            run.step().await;
        }
        run.finish().await;
        let done: usize = run.done.values().map(Vec::len).sum();
        assert_eq!(done + run.dead, run.published as usize, "seed {seed}");
        for (key, numbers) in &run.done {
            let sorted = key.is_empty() || numbers.is_sorted();
            assert!(sorted, "seed {seed}, key {key}: {numbers:?}");
        }
        let mut all: Vec<_> = run.done.into_values().flatten().collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "seed {seed}");
        publish(
            &run.binder,
            "orders",
            &[text("last"), text("last"), text("last")],
        )
        .await;
        let kept = kept(&run.binder, "orders").await.len();
        assert!(kept <= 24, "seed {seed}: {kept}");
    }
}
