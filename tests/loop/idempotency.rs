//! A message that arrives twice has one effect.

use std::sync::Arc;

use mq::{
    idempotency::{Claimed, IdempotencyKey, IdempotencyStore, MemoryIdempotencyStore, Scope},
    memory::Refusal,
    prelude::*,
};

use crate::support::{
    Broker, Calls, app, keyed, orders, pass, secs, start, until, until_eq, within,
};

/// An application with a store called `seen`.
fn service(broker: &Broker, store: &MemoryIdempotencyStore, policy: &str) -> App {
    let settings = format!(
        "[bindings.orders.consumer]\nidempotency = {{ store = 'seen', {policy} }}\nretry = {{ attempts = 2, initial = '1s', jitter = false }}"
    );
    app(broker, &settings).store("seen", Arc::new(store.clone()))
}

fn order(id: &'static str, text: &'static str) -> Message {
    Message::new(text).id(id)
}

#[tokio::test(start_paused = true)]
async fn a_message_with_an_id_that_was_handled_is_acknowledged_without_the_handler() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let store = MemoryIdempotencyStore::new(broker.clock);
            let app = service(&broker, &store, "").processor("orders", "invoices", calls.echo());
            let app = start(app).await;
            broker.put("orders", order("1", "A"));
            broker.put("orders", order("2", "B"));
            until_eq(|| broker.unsettled("orders"), 0).await;
            broker.put("orders", order("1", "A again"));
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.texts(), ["A", "B"]);
            assert_eq!(broker.texts("invoices"), ["A", "B"]);
            assert_eq!(
                (orders(&app).metrics().duplicates.get(), store.len()),
                (1, 2)
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_copies_at_the_same_time_run_once() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        calls.hold();
        let store = MemoryIdempotencyStore::new(broker.clock);
        let app = start(service(&broker, &store, "").sink("orders", calls.succeed())).await;
        broker.put("orders", order("1", "first"));
        broker.put("orders", order("1", "second"));
        pass(secs(2)).await;
        assert_eq!(
            calls.running(),
            1,
            "the other one waits, and no attempt is counted"
        );
        calls.free();
        until_eq(|| broker.unsettled("orders"), 0).await;
        let metrics = orders(&app).metrics().snapshot();
        assert_eq!(
            (calls.len(), metrics.duplicates, metrics.retries),
            (1, 1, 0)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_released_after_a_failure_and_the_retry_runs() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let store = MemoryIdempotencyStore::new(broker.clock);
        let handler = calls.handler(|_, attempt| match attempt {
            1 => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let app = start(service(&broker, &store, "").sink("orders", handler)).await;
        broker.put("orders", order("1", "A"));
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.attempts(), ["A 1", "A 2"]);
        assert_eq!(
            orders(&app).metrics().deferred.get(),
            0,
            "nobody waited for a claim"
        );
        assert!(
            (1_000..1_010).contains(&calls.waits()[0]),
            "{:?}",
            calls.waits()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_went_to_the_dead_letters_can_be_replayed() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let store = MemoryIdempotencyStore::new(broker.clock);
        let seen = calls.clone();
        let handler = calls.handler(move |_, _| match seen.len() {
            ..=2 => Err(Failure::retry("broken")),
            _ => Ok(()),
        });
        let _app = start(service(&broker, &store, "").sink("orders", handler)).await;
        broker.put("orders", order("1", "A"));
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        let replayed = broker.published("orders.test.dlq").remove(0);
        broker.put("orders", replayed.destination("orders"));
        until_eq(|| calls.len(), 3).await;
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(broker.texts("orders.test.dlq").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_id_is_forgotten_after_its_window() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let store = MemoryIdempotencyStore::new(broker.clock);
        let app =
            start(service(&broker, &store, "ttl = '1h'").sink("orders", calls.succeed())).await;
        for (wait, expected) in [(0, 1), (3_500, 1), (200, 2)] {
            pass(secs(wait)).await;
            broker.put("orders", order("1", "A"));
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.len(), expected);
        }
        assert_eq!(orders(&app).metrics().duplicates.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_becomes_permanent_only_after_the_outputs_are_confirmed() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let store = MemoryIdempotencyStore::new(broker.clock);
        let policy = "lease = '10s'";
        let crashing =
            start(service(&broker, &store, policy).processor("orders", "invoices", calls.echo()))
                .await;
        broker.put("orders", order("1", "A"));
        broker
            .faults()
            .refuse_publish("invoices", usize::MAX, Refusal::Temporary);
        until_eq(|| calls.len(), 1).await;
        pass(secs(1)).await;
        drop(crashing);
        broker.faults().restore();
        let _app =
            start(service(&broker, &store, policy).processor("orders", "invoices", calls.echo()))
                .await;
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(
            (calls.len(), broker.texts("invoices")),
            (2, vec!["A".to_owned()])
        );
        assert!(
            calls.waits()[0] <= 11_000,
            "it waits for the lease and no longer: {:?}",
            calls.waits()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_between_effect_and_settlement_there_is_one_effect() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let store = MemoryIdempotencyStore::new(broker.clock);
        let new = || service(&broker, &store, "").processor("orders", "invoices", calls.echo());
        broker.put("orders", order("1", "A"));
        broker.faults().fail_settle(usize::MAX);
        let crashing = start(new()).await;
        until_eq(|| broker.texts("invoices").len(), 1).await;
        pass(secs(1)).await;
        drop(crashing);
        broker.faults().restore();
        let app = start(new()).await;
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!((calls.len(), broker.texts("invoices").len()), (1, 1));
        assert_eq!(orders(&app).metrics().duplicates.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_handler_keeps_its_claim() {
    within(async {
        let broker = Broker::new();
        let store = MemoryIdempotencyStore::new(broker.clock);
        let (first, second) = (Calls::new(), Calls::new());
        first.hold();
        let settings = "lease = '5s'";
        let new = |calls: &Calls| {
            let app =
                service(&broker, &store, settings).set("bindings.orders.consumer.timeout", "1h");
            app.sink("orders", calls.succeed())
        };
        let one = start(new(&first)).await;
        broker.put("orders", order("1", "A"));
        until_eq(|| first.running(), 1).await;
        let two = start(new(&second)).await;
        broker.put("orders", order("1", "A"));
        pass(secs(600)).await;
        assert_eq!(
            (first.len(), second.len()),
            (1, 0),
            "the claim was renewed for ten minutes"
        );
        first.free();
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!((first.len(), second.len()), (1, 0));
        drop((one, two));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_message_or_a_header_can_say_what_is_the_same() {
    within(async {
        for (policy, same, other) in [
            ("key = 'key'", keyed("k", "A"), keyed("l", "B")),
            (
                "key = 'header:order'",
                Message::new("A").header("order", "1"),
                Message::new("B").header("order", "2"),
            ),
        ] {
            let (broker, calls) = (Broker::new(), Calls::new());
            let store = MemoryIdempotencyStore::new(broker.clock);
            let _app =
                start(service(&broker, &store, policy).sink("orders", calls.succeed())).await;
            for message in [same.clone(), other, same] {
                broker.put("orders", message);
                until_eq(|| broker.unsettled("orders"), 0).await;
            }
            assert_eq!(calls.texts(), ["A", "B"], "{policy}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_without_what_it_is_to_be_known_by_is_a_dead_letter() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let store = MemoryIdempotencyStore::new(broker.clock);
        let _app =
            start(service(&broker, &store, "key = 'header:order'").sink("orders", calls.succeed()))
                .await;
        broker.send("orders", "A");
        until_eq(|| broker.texts("orders.test.dlq").len(), 1).await;
        let letter = &broker.published("orders.test.dlq")[0];
        assert_eq!(letter.as_headers().text("mq-error-reason"), Some("no-key"));
        assert_eq!(calls.len(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn duplicates_leave_a_batch_before_the_handler_sees_it() {
    within(async {
        for broker in [Broker::new(), Broker::positional(1)] {
            let calls = Calls::new();
            let store = MemoryIdempotencyStore::new(broker.clock);
            let seen = calls.clone();
            let handler = move |batch: Batch<Text>| {
                let seen = seen.clone();
                async move {
                    let texts: Vec<_> = batch.iter().map(|item| item.payload.0.clone()).collect();
                    seen.note(texts.join(" "), 1);
                    let answer = |text: &String| match (text.as_str(), seen.len()) {
                        ("C", 2) => Err(Failure::retry("broken")),
                        _ => Ok(()),
                    };
                    batch.outcomes(texts.iter().map(answer).collect::<Vec<_>>())
                }
            };
            let app = start(service(&broker, &store, "").batch_sink("orders", handler)).await;
            broker.put("orders", order("1", "A"));
            until_eq(|| broker.unsettled("orders"), 0).await;
            for (id, text) in [("1", "A"), ("2", "B"), ("3", "C"), ("2", "B")] {
                broker.put("orders", order(id, text));
            }
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.texts(), ["A", "B C", "C"]);
            assert_eq!(orders(&app).metrics().duplicates.get(), 2);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_behind_a_message_that_is_claimed_elsewhere_is_not_in_the_batch_either() {
    within(async {
        for (ordering, expected) in [("key", "C A B"), ("partition", "A B C")] {
            let (broker, calls) = (Broker::positional(1), Calls::new());
            let store = MemoryIdempotencyStore::new(broker.clock);
            let scope = Scope::new("test", "orders").expect("a short one");
            let key = IdempotencyKey::new("1".into()).expect("a key");
            let lease = secs(10);
            let claimed = store.claim(&scope, &[key], lease).await;
            assert!(matches!(claimed.as_deref(), Ok([Claimed::Run(_)])));
            for (id, text) in [("1", "A"), ("2", "B"), ("3", "C")] {
                let key = if text == "C" { "c" } else { "a" };
                broker.put("orders", order(id, text).key(key));
            }
            let seen = calls.clone();
            let handler = move |batch: Batch<Text>| {
                let texts: Vec<_> = batch.iter().map(|item| item.payload.0.clone()).collect();
                seen.note(texts.join(" "), 1);
                async {}
            };
            let service = service(&broker, &store, "");
            let service = service.set("bindings.orders.consumer.ordering", ordering);
            let _app = start(service.batch_sink("orders", handler)).await;
            until_eq(|| broker.unsettled("orders"), 0).await;
            assert_eq!(calls.texts().join(" "), expected);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_full_makes_messages_wait_and_forgets_nothing() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        let store = MemoryIdempotencyStore::new(broker.clock).limit(2);
        let app =
            start(service(&broker, &store, "ttl = '10m'").sink("orders", calls.succeed())).await;
        for (id, text) in [("1", "A"), ("2", "B"), ("3", "C")] {
            broker.put("orders", order(id, text));
        }
        pass(secs(300)).await;
        assert_eq!(
            (calls.len(), orders(&app).metrics().dead_letters.get()),
            (2, 0)
        );
        until("there is room again", || calls.len() == 3).await;
        until_eq(|| broker.unsettled("orders"), 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_released_when_a_drain_gives_its_message_up() {
    within(async {
        let (broker, calls) = (Broker::new(), Calls::new());
        calls.hold();
        let store = MemoryIdempotencyStore::new(broker.clock);
        let new = || {
            let app = service(&broker, &store, "lease = '30m'").set("app.drain", "1s");
            app.sink("orders", calls.succeed())
        };
        let first = start(new()).await;
        broker.put("orders", order("1", "A"));
        until_eq(|| calls.running(), 1).await;
        first.stop().await.expect("it stops");
        calls.free();
        let _second = start(new()).await;
        until_eq(|| broker.unsettled("orders"), 0).await;
        assert_eq!(calls.len(), 2);
        assert!(
            calls.waits()[0] < 60_000,
            "nobody waits for a lease of half an hour: {:?}",
            calls.waits()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn idempotency_by_id_is_refused_where_ids_do_not_survive_redelivery_and_without_its_store() {
    let broker = Broker::without(&[mq::binder::Capability::StableIds]);
    let store = MemoryIdempotencyStore::new(broker.clock);
    let app = service(&broker, &store, "").sink("orders", Calls::new().succeed());
    let problems = app.build().expect_err("it cannot be kept").to_string();
    assert!(
        problems.contains("bindings.orders.consumer.idempotency"),
        "{problems}"
    );
    let settings = "[bindings.orders.consumer]\nidempotency = 'nowhere'";
    let app = crate::support::app(&Broker::new(), settings).sink("orders", Calls::new().succeed());
    let problems = app.build().expect_err("there is no such store").to_string();
    assert!(problems.contains("[stores.nowhere]"), "{problems}");
}
