//! Everything at once: faults, crashes, members that come and go, handlers that fail. Nothing is lost, and keys keep their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use mq::{RunningApp, binding::Command, memory::Refusal, prelude::*};

use crate::support::{Broker, Calls, app, keyed, millis, orders, pass, start, until_eq, within};

/// Numbers that look random and are the same in every run.
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// A number below `sides`.
    fn roll(&self, sides: u64) -> u64 {
        let next = |state: u64| {
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let state = self
            .0
            .fetch_update(Relaxed, Relaxed, |state| Some(next(state)));
        (next(state.expect("always a next one")) >> 33) % sides
    }
}

/// What a storm goes over.
#[derive(Clone, Copy, Debug)]
struct Sea {
    positional: bool,
    ordering: &'static str,
    guarantee: &'static str,
    batch: bool,
}

const KEYS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
const MESSAGES: usize = 280;

fn settings(sea: Sea) -> String {
    let batch = if sea.batch {
        "batch = { max = 7, wait = '3ms' }"
    } else {
        ""
    };
    format!(
        "app.drain = '500ms'
        [bindings.orders.consumer]
        ordering = '{}'
        guarantee = '{}'
        {batch}
        timeout = '200ms'
        retry = {{ attempts = 4, initial = '2ms', max = '5ms', delayed = ['50ms', '100ms'] }}",
        sea.ordering, sea.guarantee
    )
}

/// One call: takes a while, and sometimes fails, panics or hangs. A message that is `bad` never succeeds.
async fn handle(
    text: String,
    calls: Calls,
    dice: Dice,
) -> Result<Keyed<&'static str, Text>, Failure> {
    pass(millis(dice.roll(4))).await;
    match dice.roll(40) {
        0 => return Err(Failure::retry("now and then")),
        1 => return Err(Failure::retry_after(millis(20), "busy")),
        2 => return Err(Failure::defer(millis(5), "overloaded")),
        3 => return std::future::pending().await,
        _ => {}
    }
    if text.ends_with("bad") {
        return Err(Failure::dead_letter("bad"));
    }
    calls.note(text.clone(), 1);
    Ok(Keyed("all", Text(text)))
}

fn service(broker: &Broker, sea: Sea, calls: &Calls, dice: &Dice) -> App {
    let (calls, dice) = (calls.clone(), dice.clone());
    let app = app(broker, &settings(sea));
    if !sea.batch {
        return app.processor("orders", "invoices", move |Text(text): Text| {
            handle(text, calls.clone(), dice.clone())
        });
    }
    app.batch_processor("orders", "invoices", move |batch: Batch<Text>| {
        let (calls, dice) = (calls.clone(), dice.clone());
        async move {
            let mut outputs = Vec::new();
            for item in batch {
                outputs.push(handle(item.payload.0, calls.clone(), dice.clone()).await?);
            }
            Ok::<_, Failure>(outputs)
        }
    })
}

async fn trouble(
    broker: &Broker,
    members: &mut Vec<RunningApp>,
    dice: &Dice,
    new: impl Fn() -> App,
) {
    let faults = broker.faults();
    match dice.roll(14) {
        0 => faults.lose_connection(),
        1 => faults.lose_lanes("orders"),
        2 => faults.refuse_publish("invoices", 3, Refusal::Temporary),
        3 => faults.refuse_publish("orders.test.dlq", 2, Refusal::Temporary),
        4 => faults.fail_settle(2),
        5 => faults.slow(millis(dice.roll(5))),
        6 if members.len() < 3 => members.push(start(new()).await),
        7 if !members.is_empty() => {
            drop(members.swap_remove(dice.roll(members.len() as u64) as usize));
        }
        8 if !members.is_empty() => {
            let leaving = members.swap_remove(dice.roll(members.len() as u64) as usize);
            drop(leaving.stop().await);
        }
        9..=12 if !members.is_empty() => {
            let commands = [
                Command::Pause,
                Command::Resume,
                Command::Stop,
                Command::Start,
                Command::Concurrency(3),
            ];
            let command = commands[dice.roll(5) as usize];
            drop(orders(&members[0]).command(command).await);
        }
        _ => {}
    }
    pass(millis(dice.roll(40))).await;
    faults.restore();
}

async fn storm(sea: Sea, seed: u64) {
    let broker = if sea.positional {
        Broker::positional(3)
    } else {
        Broker::new()
    };
    let (calls, dice) = (Calls::new(), Dice::new(seed));
    let new = || service(&broker, sea, &calls, &dice);
    let mut members = vec![start(new()).await];
    for number in 0..MESSAGES {
        let key = KEYS[dice.roll(7) as usize];
        let bad = if !sea.batch && dice.roll(20) == 0 {
            "bad"
        } else {
            ""
        };
        broker.put("orders", keyed(key, format!("{key}{number:03}{bad}")));
        if dice.roll(4) == 0 {
            trouble(&broker, &mut members, &dice, new).await;
        }
    }
    for member in members {
        drop(member.stop().await);
    }
    broker.faults().restore();
    let app = start(new()).await;
    until_eq(|| broker.unsettled("orders"), 0).await;
    until_eq(|| orders(&app).unsettled(), 0).await;
    verdict(&broker, sea, seed);
    app.stop().await.expect("it stops");
}

/// Every message has its effect or is a dead letter; first effects of a key are in order; none twice where that is the guarantee.
fn verdict(broker: &Broker, sea: Sea, seed: u64) {
    let retried = |of: &str| broker.texts(of);
    let sent: BTreeSet<String> = retried("orders").into_iter().collect();
    let effects = broker.texts("invoices");
    let letters: BTreeSet<String> = broker.texts("orders.test.dlq").into_iter().collect();
    let effect: BTreeSet<String> = effects.iter().cloned().collect();
    let lost: Vec<_> = sent
        .iter()
        .filter(|text| !effect.contains(*text) && !letters.contains(*text))
        .collect();
    assert!(lost.is_empty(), "lost in {sea:?} {seed}: {lost:?}");
    if sea.guarantee == "exactly_once" {
        assert_eq!(effects.len(), effect.len(), "doubled in {sea:?} {seed}");
        assert!(effect.is_disjoint(&letters), "both in {sea:?} {seed}");
    }
    if sea.ordering != "none" {
        let mut last: BTreeMap<&str, &str> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for text in effects.iter().filter(|text| seen.insert(text.as_str())) {
            let before = last.insert(&text[..1], text).unwrap_or_default();
            assert!(
                before < text.as_str(),
                "{text} after {before} in {sea:?} {seed}"
            );
        }
    }
}

/// Every kind of sea, with one seed after the other.
async fn storms(ordering: &'static str, guarantee: &'static str, batch: bool) {
    for positional in [false, true] {
        for seed in 0..4 {
            storm(
                Sea {
                    positional,
                    ordering,
                    guarantee,
                    batch,
                },
                seed * 7_919 + 1,
            )
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_loses_nothing_without_order() {
    within(storms("none", "at_least_once", false)).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_loses_nothing_and_keeps_the_order_of_keys() {
    within(storms("key", "at_least_once", false)).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_loses_nothing_and_keeps_the_order_of_partitions() {
    within(storms("partition", "at_least_once", false)).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_doubles_nothing_where_the_guarantee_is_exactly_once() {
    within(storms("key", "exactly_once", false)).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_doubles_nothing_without_order_where_the_guarantee_is_exactly_once() {
    within(storms("none", "exactly_once", false)).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_over_batches_loses_nothing_and_keeps_the_order_of_keys() {
    within(storms("key", "at_least_once", true)).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_over_batches_doubles_nothing_where_the_guarantee_is_exactly_once() {
    within(storms("key", "exactly_once", true)).await;
}
